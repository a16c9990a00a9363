/** Forks of one recorded run: that they are the run up to the event, another one from there on, and the same each time. */
import { crc32 } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { type RunEvent, RunLogEncoder } from '../../events/run-log.ts'
import { memorySource } from '../../runtime/replay/byte-source.ts'
import { RunLog } from '../../runtime/replay/open-log.ts'
import type { Fault } from '../faults/fault.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { checkPlan, formatPlan, readPlan } from '../plan/read.ts'
import { SimulationLog } from '../report/simulation-log.ts'
import { runPlan } from '../run/run.ts'
import { whyNotToBeTold } from './edit.ts'
import { Edits } from './edits.ts'
import { type Alteration, forkOf } from './fork.ts'

useChecksum((bytes, before) => crc32(bytes, before))

/** As a file or a log gives it back: -0 is 0 there. */
const PLAN: Plan = asData({
  ...generatePlan(3),
  durationMs: 6_000,
  durability: 'archived',
  store: {},
  network: {},
  faults: [{ kind: 'cut', atMs: 3_000, zone: 1, forMs: 500, client: '' }],
})

function asData(plan: Plan): Plan {
  return readPlan(formatPlan(plan))
}

async function recorded(plan: Plan) {
  const chunks: Uint8Array[] = []
  const log = new SimulationLog(plan, (chunk) => chunks.push(chunk))
  const outcome = await runPlan(plan, log)
  log.end(outcome)
  const bytes = Buffer.concat(chunks)
  return { outcome, bytes, log: new RunLog(memorySource(bytes)) }
}

let log: RunLog
beforeAll(async () => {
  log = (await recorded(PLAN)).log
})

const eventsOf = (of: RunLog) => Array.from({ length: of.length }, (_, place) => of.event(place))
const eventWhere = (holds: (event: RunEvent) => boolean) => eventsOf(log).find(holds)!
const took = (type: string) => eventWhere((event) => event.kind === 'took' && event.type === type)
const forked = (at: RunEvent, alteration: Alteration) => forkOf(log, String(at.sequence), alteration).plan

/** The event where the fork is another run; its plan differs anyway. */
function partsAt(fork: RunLog): RunEvent {
  const [before, after] = [eventsOf(log), eventsOf(fork)]
  const place = before.findIndex((event, at) => at > 0 && JSON.stringify(event) !== JSON.stringify(after[at]))
  return before[place]!
}

describe('a message to an actor', () => {
  test('that is dropped is not taken, and all before it is as it was', async () => {
    const attached = took('Attached')
    const plan = forked(attached, { kind: 'drop' })
    expect(plan).toEqual({ ...PLAN, edits: [{ kind: 'drop', actor: attached.source, id: attached.id }] })
    const { log: fork, outcome } = await recorded(plan)
    expect(partsAt(fork).sequence).toBe(attached.sequence)
    expect(eventsOf(fork).some(({ id }) => id === attached.id)).toBe(false)
    // The compute waits for it for ever, which the run says.
    expect(outcome.violation).toContain('no service within')
  })

  test('that is changed is taken otherwise', async () => {
    const granted = took('FenceGranted')
    const { log: fork } = await recorded(forked(granted, { kind: 'change', fields: { term: 7 } }))
    expect(partsAt(fork).sequence).toBe(granted.sequence)
    const { id } = granted
    expect(eventsOf(fork).find((event) => event.id === id)).toMatchObject({
      type: 'FenceGranted',
      payload: { term: 7 },
    })
  })

  test('may have another one before it', async () => {
    const ready = took('PostgresReady')
    const what = { type: 'LeaseRenewed', term: 1 }
    const { log: fork, outcome } = await recorded(forked(ready, { kind: 'insert', what }))
    expect(partsAt(fork).sequence).toBe(ready.sequence)
    const place = ready.sequence - 1
    expect(fork.event(place)).toMatchObject({ kind: 'took', source: ready.source, type: 'LeaseRenewed' })
    expect(fork.event(place + 1)).toMatchObject({ id: ready.id, type: 'PostgresReady' })
    expect(outcome.violation).toBeUndefined()
  })

  test('may be where a fault strikes', async () => {
    const ready = took('PostgresReady')
    const what = { kind: 'kill-postgres' }
    const { log: fork, outcome } = await recorded(forked(ready, { kind: 'insert', what }))
    const faults = eventsOf(fork).filter(({ kind }) => kind === 'fault')
    expect(faults.map(({ type }) => type)).toEqual(['kill-postgres', 'cut'])
    expect(partsAt(fork).sequence).toBeGreaterThanOrEqual(ready.sequence)
    expect(outcome.violation).toBeUndefined()
  })
})

test('a fault before what an actor of a wrong clock does strikes when the world gets there', async () => {
  const clocks = [-5_000, 60_000, 60_000].map((skewMs) => ({ skewMs, driftPpm: 0 }))
  const { log: wrong } = await recorded(asData({ ...PLAN, clocks }))
  const what = { kind: 'kill-postgres' }
  for (const event of eventsOf(wrong).filter(({ kind }) => kind === 'began')) {
    const { plan } = forkOf(wrong, String(event.sequence), { kind: 'insert', what })
    const [{ fault }] = plan.edits as unknown as [{ readonly fault: Fault }]
    const world = eventsOf(wrong).filter(({ kind }) => ['message', 'note', 'fault'].includes(kind))
    const before = world.filter(({ sequence }) => sequence < event.sequence).at(-1)!
    expect(fault).toEqual({ ...what, atMs: before.at - wrong.header.startedAt })
  }
})

test('of messages on the bus just the one gets lost', async () => {
  const isOrder = ({ kind, type }: RunEvent) => kind === 'message' && type.endsWith('.place')
  const [first] = eventsOf(log).filter(isOrder)
  const plan = forked(first!, { kind: 'drop' })
  expect(plan.edits).toMatchObject([{ kind: 'lose', number: 1, subject: first!.type }])
  const { log: fork, outcome } = await recorded(plan)
  expect(partsAt(fork).sequence).toBe(first!.sequence)
  // The endpoint repeats itself.
  expect(eventsOf(fork).some(isOrder)).toBe(true)
  expect(outcome.violation).toBeUndefined()
})

describe('a fault', () => {
  const struck = (of: RunLog) => eventsOf(of).filter(({ kind }) => kind === 'fault')
  const cut = () => eventWhere(({ kind }) => kind === 'fault')
  const what = { kind: 'kill-zone', zone: 0, forMs: 100 }
  const [fault] = PLAN.faults as [Fault]

  test.each([
    ['dropped', { kind: 'drop' }, [{ kind: 'spare', fault }], []],
    [
      'changed',
      { kind: 'change', fields: { zone: 2 } },
      [
        { kind: 'spare', fault },
        { kind: 'add', fault: { ...fault, zone: 2 } },
      ],
      [{ type: 'cut', payload: { zone: 2 } }],
    ],
    [
      'put before another',
      { kind: 'insert', what },
      [{ kind: 'add', fault: { ...what, atMs: 3_000 } }],
      [{ type: 'kill-zone' }, { type: 'cut' }],
    ],
  ] as const)('is %s, and all before it is as it was', async (_, alteration, edits, faults) => {
    const plan = forked(cut(), alteration)
    expect(plan).toEqual({ ...PLAN, edits })
    const { log: fork, outcome } = await recorded(plan)
    expect(struck(fork)).toMatchObject(faults)
    expect(outcome.violation).toBeUndefined()
    expect(partsAt(fork).at).toBeGreaterThanOrEqual(cut().at)
  })

  test('that a fork has added is dropped and changed like one of the plan', async () => {
    const plan = forked(cut(), { kind: 'insert', what })
    const { log: fork } = await recorded(plan)
    const [added, own] = struck(fork)
    const again = (event: RunEvent, alteration: Alteration) => forkOf(fork, String(event.sequence), alteration).plan
    expect(again(added!, { kind: 'drop' })).toEqual({ ...PLAN, edits: [] })
    expect(again(added!, { kind: 'change', fields: { forMs: 7 } }).edits).toMatchObject([{ fault: { forMs: 7 } }])
    expect(again(own!, { kind: 'drop' }).edits).toMatchObject([{ kind: 'add' }, { kind: 'spare' }])
  })
})

test('a fork is the same each time, is data, and can be forked itself', async () => {
  const plan = forked(took('PostgresReady'), { kind: 'insert', what: { type: 'LeaseRenewed', term: 1 } })
  const one = await recorded(plan)
  expect((await recorded(readPlan(formatPlan(plan)))).bytes.equals(one.bytes)).toBe(true)
  const cut = eventsOf(one.log).find(({ kind }) => kind === 'fault')!
  const again = forkOf(one.log, String(cut.sequence), { kind: 'drop' })
  expect(again.plan).toEqual({ ...plan, edits: [...plan.edits!, { kind: 'spare', fault: PLAN.faults[0] }] })
})

test('an edit that the run does not come to is told', async () => {
  const edits = [{ kind: 'drop', actor: 'timeline.main@zone-1', id: 'never' }] as const
  const { violation } = await runPlan({ ...PLAN, edits })
  const missed = 'has not come to an edit of its plan: drop never at timeline.main@zone-1'
  expect(violation).toContain(missed)
  // Nor if nobody heals the world.
  expect((await runPlan({ ...PLAN, edits, isBeyondPromise: true })).violation).toContain(missed)
})

test('what is taken once more has nothing before it a second time', () => {
  const at = { actor: 'zone.a@h', id: '1' }
  const event = { type: 'Tick', at: 0 }
  const edits = new Edits([
    { kind: 'insert', ...at, event: { type: 'Wake' } },
    { kind: 'change', ...at, fields: { x: 1 } },
  ])
  expect(edits.editedAt('h', 'zone.a', '1', event)).toEqual({
    before: [{ type: 'Wake', at: 0 }],
    event: { ...event, x: 1 },
  })
  expect(edits.editedAt('h', 'zone.a', '1', event)).toEqual({ before: [], event: { ...event, x: 1 } })
  expect(edits.editedAt('h', 'zone.a', '2', event)).toBeUndefined()
})

describe('refuses', () => {
  const problemOf = (at: RunEvent, alteration: Alteration) => {
    try {
      return String(forked(at, alteration))
    } catch (error) {
      return `${(error as { component: string }).component}: ${(error as { problem: string }).problem}`
    }
  }

  test('a message that the actor does not know, and a fact', () => {
    const ready = took('PostgresReady')
    expect(problemOf(ready, { kind: 'insert', what: { type: 'Nonsense' } })).toMatch(/^--insert: /)
    expect(problemOf(ready, { kind: 'change', fields: { term: 'x' } })).toMatch(/^--change: /)
    const wish = took('StartTerm')
    const fact = { type: 'TermStarted', ...wish.facts[0]!.payload }
    expect(problemOf(wish, { kind: 'insert', what: fact })).toMatch(/a fact cannot be told/)
    expect(problemOf(ready, { kind: 'insert', what: { kind: 'earthquake' } })).toMatch(/there is no such fault/)
  })

  test('fields that the message does not have, and what alters nothing', () => {
    const granted = took('FenceGranted')
    const change = (fields: Record<string, unknown>) => problemOf(granted, { kind: 'change', fields })
    expect(change({ typo: 1 })).toMatch(/^--change: .*typo/s)
    expect(change({})).toBe('--change: it changes nothing')
    expect(change({ at: 5 })).toMatch(/^--change: a message has no time of its own/)
    expect(change({ term: granted.payload['term'] })).toBe('--change: it is like that already')
    const what = { type: 'LeaseRenewed', term: 1, bogus: 5 }
    expect(problemOf(granted, { kind: 'insert', what })).toMatch(/^--insert: .*bogus/s)
    const timed = { type: 'LeaseRenewed', term: 1, at: 5 }
    expect(problemOf(granted, { kind: 'insert', what: timed })).toMatch(/^--insert: a message has no time of its own/)
    const cut = eventWhere(({ kind }) => kind === 'fault')
    expect(problemOf(cut, { kind: 'change', fields: {} })).toBe('--change: it changes nothing')
    expect(problemOf(cut, { kind: 'change', fields: { zone: 1 } })).toBe('--change: it is like that already')
  })

  test('no field of a message as it was recorded', () => {
    for (const { kind, source, type, payload } of eventsOf(log)) {
      if (kind === 'took') expect(whyNotToBeTold(source, { ...payload, type }) ?? '').not.toMatch(/excess|unexpected/i)
    }
  })

  test('a fault that would not strike', () => {
    const heal = eventWhere(({ kind, type }) => kind === 'note' && type === 'heal')
    const what = { kind: 'kill-zone', zone: 0, forMs: 4 }
    expect(problemOf(heal, { kind: 'insert', what })).toMatch(/^--at: no fault strikes any more by then/)
    const last = eventsOf(log).findLast(({ kind }) => kind === 'took')!
    expect(problemOf(last, { kind: 'insert', what })).toMatch(/^--at: no fault strikes any more by then/)
    const cut = eventWhere(({ kind }) => kind === 'fault')
    for (const atMs of [2_999, PLAN.durationMs]) {
      const problem = problemOf(cut, { kind: 'change', fields: { atMs } })
      expect(problem).toBe('--change: it cannot strike then')
    }
  })

  test('a message before a fault, and a fault with a moment of its own', () => {
    const cut = eventWhere(({ kind }) => kind === 'fault')
    expect(problemOf(cut, { kind: 'insert', what: { type: 'Wake' } })).toBe(
      '--insert: only a fault goes before a fault',
    )
    const what = { kind: 'kill-zone', zone: 1, forMs: 300, atMs: 100 }
    for (const at of [cut, took('PostgresReady'), eventWhere(({ kind }) => kind === 'message')]) {
      expect(problemOf(at, { kind: 'insert', what })).toBe('--insert: it strikes where --at says')
    }
  })

  test('events that are no messages, and to change bytes that nobody kept', () => {
    expect(
      problemOf(
        eventWhere(({ kind }) => kind === 'began'),
        { kind: 'drop' },
      ),
    ).toMatch(/^--at: .* not a message/)
    const safekeeper = eventWhere(({ source, kind }) => kind === 'took' && source.startsWith('safekeeper'))
    expect(problemOf(safekeeper, { kind: 'drop' })).toMatch(/^--at: .* not a message/)
    const message = eventWhere(({ kind }) => kind === 'message')
    expect(problemOf(message, { kind: 'change', fields: {} })).toMatch(/only length and checksum/)
  })

  test('what stands behind damage, and says so', async () => {
    const { bytes } = await recorded(PLAN)
    const damagedAt = (offset: number) => {
      const copy = Buffer.from(bytes)
      copy[offset]! ^= 0xff
      return new RunLog(memorySource(copy))
    }
    const middle = log.table.offset[100]! + 10
    const fork = (of: RunLog, { sequence }: RunEvent) => forkOf(of, String(sequence), { kind: 'drop' })
    const [early, late] = [log.event(9), log.event(200)]
    expect(early.kind).toBe('message')
    expect(() => fork(damagedAt(middle), early)).not.toThrow()
    expect(() => fork(damagedAt(middle), late)).toThrow(
      expect.objectContaining({ _tag: 'Damaged', problem: expect.stringMatching(/^it is damaged before the event/) }),
    )
    expect(() => fork(damagedAt(20), early)).toThrow(
      expect.objectContaining({ _tag: 'Damaged', problem: expect.stringContaining('its header is damaged') }),
    )
  })

  test('a log that no simulation wrote', () => {
    const chunks: Uint8Array[] = []
    const encoder = new RunLogEncoder({ kind: 'production', startedAt: 0 }, (chunk) => chunks.push(chunk))
    encoder.event({ kind: 'note', at: 0, source: 'x', type: 'y' })
    const production = new RunLog(memorySource(Buffer.concat(chunks)))
    expect(() => forkOf(production, '1', { kind: 'drop' })).toThrow(
      expect.objectContaining({ problem: 'this is a log of production' }),
    )
  })

  test.each([
    [[{ kind: 'forget', actor: 'a', id: 'b' }], 'edits[0].kind'],
    [[{ kind: 'drop', actor: 'a' }], 'edits[0].id'],
    [[{ kind: 'change', actor: 'a', id: 'b', fields: {} }], 'edits[0].fields'],
    [[{ kind: 'lose', from: 'a', to: 'b', subject: 'c', number: 0 }], 'edits[0].number'],
    [[{ kind: 'insert', actor: 'zone.a@b', id: 'c', event: { type: 'Nonsense' } }], 'edits[0].event'],
  ])('plans with edits like %j', (edits, where) => {
    expect(() => checkPlan({ ...PLAN, edits })).toThrow(expect.objectContaining({ component: `plan: ${where}` }))
  })
})
