import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import type { Fault } from '../faults/fault.ts'
import type { Edit } from '../fork/edit.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { runPlan } from '../run/run.ts'
import type { WorkloadPlan } from '../workloads/plan.ts'
import type { Attempt, RunOutcome } from './attempts.ts'
import { type Cause, findCause, healedAt } from './cause.ts'
import { minimize } from './minimize.ts'
import { shrink } from './shrink.ts'
import { violationKind } from './violation-kind.ts'

useChecksum((bytes, before) => crc32(bytes, before))

const VIOLATION = 'Error: 3.1 s lost-commit: key 4 is gone\n    at Ledger'
const HOLDS: RunOutcome = { violation: undefined, simulatedMs: 1_000 }
const FAILS: RunOutcome = { violation: VIOLATION, simulatedMs: 1_000 }

/** Killed in this order, within the run. */
function failsIfKilled(plan: Plan, ...zones: readonly number[]): RunOutcome {
  const killed = plan.faults.filter(({ kind, atMs }) => kind === 'kill-zone' && atMs < plan.durationMs)
  let at = 0
  for (const fault of killed) if ('zone' in fault && fault.zone === zones[at]) at++
  return at === zones.length ? FAILS : HOLDS
}

/** As a stale read needs it: one commits, and another only looks. */
function isReadAndWritten({ clients, readers = 0 }: WorkloadPlan): boolean {
  return readers > 0 && clients > readers
}

const kill = (zone: number, atMs: number): Fault => ({ kind: 'kill-zone', zone, atMs, forMs: 3_217 })
const others = generatePlan(3).faults.filter(({ kind }) => kind !== 'kill-zone')

function planOf(faults: readonly Fault[]): Plan {
  const ordered = [...faults, ...others].sort((left, right) => left.atMs - right.atMs)
  return { ...generatePlan(3), zones: 5, clocks: Array(5).fill({ skewMs: 3, driftPpm: 1 }), faults: ordered }
}

describe('minimize', () => {
  test('leaves what is needed, in its order', async () => {
    const needed = [3, 17, 18, 40]
    const asked: number[] = []
    const items = Array.from({ length: 64 }, (_, at) => at)
    const fails = async (part: readonly number[]) => {
      asked.push(part.length)
      return needed.every((one) => part.includes(one))
    }
    expect(await minimize(items, fails)).toEqual(needed)
    expect(asked.length).toBeLessThan(150)
    expect(await minimize(items, async () => true)).toEqual([])
    expect(await minimize([1], async (part) => part.length > 0)).toEqual([1])
    expect(await minimize([1, 2], async (part) => part.includes(2))).toEqual([2])
  })
})

describe('violationKind', () => {
  test.each([
    ['Error: 3.1 s lost-commit: key 4 of 7\n at x', 'lost-commit'],
    ['12.0001 s stale-read: client-1 saw', 'stale-read'],
    [
      'Error: no service within 120000 ms after the last fault: zone-1 up',
      'no service within # ms after the last fault',
    ],
    ['TypeError: x is not a function', 'TypeError: x is not a function'],
    ['Error: defect: seal 3 ends twice', 'defect'],
  ])('%s', (violation, kind) => {
    expect(violationKind(violation)).toBe(kind)
  })
})

describe('shrink', () => {
  test('keeps the two faults that matter and makes all else simple', async () => {
    const plan = planOf([kill(1, 4_321), kill(2, 9_876), kill(1, 12_345), kill(0, 15_001)])
    const attempts: Attempt[] = []
    const run = async (one: Plan) => failsIfKilled(one, 1, 2)
    const options = { plan, violation: VIOLATION, run, progress: (attempt: Attempt) => attempts.push(attempt) }
    const shrunk = await shrink(options)
    expect(shrunk.isComplete).toBe(true)
    expect(shrunk.violation).toBe(VIOLATION)
    expect(shrunk.plan.faults).toHaveLength(2)
    expect(shrunk.plan.faults.map((fault) => 'forMs' in fault && fault.forMs)).toEqual([1, 1])
    expect(shrunk.plan).toMatchObject({ zones: 3, network: {}, store: {}, cachePages: 4096, workload: { clients: 1 } })
    expect(shrunk.plan.clocks).toEqual(Array(3).fill({ skewMs: 0, driftPpm: 0 }))
    expect(shrunk.plan.durationMs).toBeLessThan(plan.durationMs)
    expect(attempts).toHaveLength(shrunk.runs)
    expect((await shrink(options)).plan).toEqual(shrunk.plan)
  })

  test.each([
    ['writes', (workload: WorkloadPlan) => workload.clients > (workload.readers ?? 0), { clients: 1, readers: 0 }],
    ['reads by who never writes', isReadAndWritten, { clients: 2, readers: 1 }],
    ['two writers', (workload: WorkloadPlan) => workload.clients - (workload.readers ?? 0) > 1, { clients: 2 }],
  ])('finds the fewest clients for what needs %s', async (_, isNeeded, fewest) => {
    const plan = planOf([kill(1, 4_321)])
    const busy = { ...plan.workload, clients: 7, readers: 2, burst: { atMs: 3_000, forMs: 500 }, thinkMeanMs: 100 }
    const run = async (one: Plan) => (isNeeded(one.workload) ? failsIfKilled(one, 1) : HOLDS)
    const shrunk = await shrink({ plan: { ...plan, workload: busy }, violation: VIOLATION, run })
    expect(shrunk).toMatchObject({ isComplete: true, plan: { workload: { ...fewest, thinkMeanMs: 5_000 } } })
    expect(shrunk.plan.workload).not.toHaveProperty('burst')
  })

  test('comes to an end though a length may be rounded up to one that failed before', async () => {
    const run = async ({ faults }: Plan): Promise<RunOutcome> =>
      faults.some((fault) => fault.kind === 'kill-zone' && fault.forMs >= 400) ? FAILS : HOLDS
    const shrunk = await shrink({ plan: planOf([kill(1, 4_321)]), violation: VIOLATION, run })
    expect(shrunk.isComplete).toBe(true)
    expect(shrunk.plan.faults).toEqual([{ kind: 'kill-zone', zone: 1, atMs: 4_000, forMs: 500 }])
  })

  test('leaves out edits that are not needed, and then the field', async () => {
    const edits: readonly Edit[] = ['x', 'y', 'z'].map((id) => ({ kind: 'drop', actor: 'nobody@zone-1', id }))
    const needs = (id: string) => async (one: Plan) =>
      one.edits?.some((edit) => 'id' in edit && edit.id === id) ? FAILS : HOLDS
    const plan = { ...planOf([]), edits }
    expect((await shrink({ plan, violation: VIOLATION, run: needs('y') })).plan.edits).toEqual([edits[1]])
    const unneeded = await shrink({ plan: { ...plan, edits }, violation: VIOLATION, run: async () => FAILS })
    expect(unneeded.plan).not.toHaveProperty('edits')
  })

  test('another violation is another error', async () => {
    const plan = planOf([kill(1, 4_000)])
    const run = async (one: Plan): Promise<RunOutcome> =>
      one.zones < 5 ? { violation: 'Error: 1.0 s fork: other', simulatedMs: 1 } : failsIfKilled(one, 1)
    const shrunk = await shrink({ plan, violation: VIOLATION, run })
    expect(shrunk.plan.zones).toBe(5)
  })

  test('ends when its budget does', async () => {
    const plan = planOf([kill(1, 4_000), kill(2, 5_000)])
    const run = async (one: Plan) => failsIfKilled(one, 1, 2)
    const byRuns = await shrink({ plan, violation: VIOLATION, run, budget: { runsMax: 7 } })
    expect(byRuns).toMatchObject({ runs: 7, isComplete: false })
    const byTime = await shrink({ plan, violation: VIOLATION, run, budget: { simulatedMsMax: 5_000 } })
    expect(byTime).toMatchObject({ runs: 5, isComplete: false })
    expect((await run(byTime.plan)).violation).toBe(VIOLATION)
  })

  test('a real run, of a Postgres that acknowledges before it has synced', async () => {
    const plan: Plan = { ...generatePlan(1), faults: MANY_FAULTS, durationMs: 12_000 }
    const mistaken: Plan = { ...plan, postgres: { ...plan.postgres, mistakes: ['acknowledge-before-fsync'] } }
    const { violation } = await runPlan(mistaken)
    expect(violation).toBeDefined()
    const budget = { runsMax: 15 }
    const shrunk = await shrink({ plan: mistaken, violation: violation!, run: runPlan, budget })
    expect(shrunk.plan.faults.length).toBeLessThan(MANY_FAULTS.length)
    const again = await runPlan(shrunk.plan)
    expect(violationKind(again.violation!)).toBe(violationKind(violation!))
    // Without the mistake nothing of it is wrong.
    expect((await runPlan({ ...shrunk.plan, postgres: plan.postgres })).violation).toBeUndefined()
  })
})

const MANY_FAULTS: readonly Fault[] = [
  { kind: 'set-clock', atMs: 2_500, zone: 1, byMs: 500 },
  { kind: 'kill-postgres', atMs: 3_000 },
  { kind: 'store-outage', atMs: 3_500, forMs: 1_500 },
  { kind: 'lose-everything', atMs: 4_600, forMs: 1_000, disks: false },
  { kind: 'pause-zone', atMs: 6_000, zone: 2, forMs: 300 },
  { kind: 'store-outage', atMs: 8_000, forMs: 2_000 },
  { kind: 'lose-everything', atMs: 9_500, forMs: 1_000, disks: true },
]

describe('findCause', () => {
  const faults = [kill(0, 1_000), kill(1, 2_000), kill(0, 3_000), kill(2, 4_000), kill(0, 5_000), kill(0, 6_000)]
  const plan: Plan = { ...planOf([]), faults, durationMs: 10_000 }
  const outcome = (violation: string | undefined): RunOutcome => ({ violation, simulatedMs: 150_000 })
  const outage: Fault = { kind: 'store-outage', atMs: 2_000, forMs: 6_000 }
  const outagePlan: Plan = { ...plan, faults: [outage] }
  /** Fails if the store was away for longer than somebody could bear. */
  const failsAfter =
    (bornMs: number) =>
    async (one: Plan): Promise<RunOutcome> =>
      outcome(one.faults.some((fault) => 'forMs' in fault && fault.forMs > bornMs) ? VIOLATION : undefined)

  test('is the fault after which healing comes too late', async () => {
    const run = async (one: Plan) => outcome(failsIfKilled(one, 1, 2).violation)
    const cause = await findCause({ plan, violation: VIOLATION, run })
    expect(cause).toMatchObject({ healedAtMs: 4_000, faults: faults.slice(0, 4), isLast: true })
    expect((cause as Cause).tooLateAtMs).toBeLessThanOrEqual(4_010)
  })

  test('is within a fault that lasts, where it had lasted too long', async () => {
    const cause = await findCause({ plan: outagePlan, violation: VIOLATION, run: failsAfter(1_234) })
    expect(cause).toMatchObject({ faults: [outage], isLast: true })
    const { healedAtMs, tooLateAtMs } = cause as Cause
    expect(healedAtMs).toBeLessThanOrEqual(3_234)
    expect(tooLateAtMs).toBeGreaterThan(3_234)
    expect(tooLateAtMs - healedAtMs).toBeLessThanOrEqual(10)
  })

  test('is looked for up to the failure and not after it', async () => {
    const tried: number[] = []
    const run = async (one: Plan): Promise<RunOutcome> => {
      tried.push(one.durationMs)
      return one.durationMs >= 7_000 ? { violation: VIOLATION, simulatedMs: 7_000 } : HOLDS
    }
    const cause = await findCause({ plan: outagePlan, violation: VIOLATION, run })
    expect(cause).toMatchObject({ faults: [outage], tooLateAtMs: 7_000 })
    expect((cause as Cause).healedAtMs).toBeGreaterThanOrEqual(6_990)
    expect(tried.slice(1).every((atMs) => atMs < 7_000)).toBe(true)
  })

  test('a run that fails in another way is not saved', async () => {
    const other = '7.0 s fork: two histories'
    const run = async (one: Plan) => {
      const { violation } = await failsAfter(1_000)(one)
      return outcome(violation ?? (one.durationMs > 2_500 ? other : undefined))
    }
    const cause = (await findCause({ plan: outagePlan, violation: VIOLATION, run })) as Cause
    expect(cause.healedAtMs).toBeLessThanOrEqual(2_500)
    expect(cause.tooLateAtMs).toBeGreaterThan(2_500)
    // A fork that is healed before its edit does not come to it any more.
    const missed = async (one: Plan) => outcome(one.faults.length === 0 ? 'the run has not come to an edit' : VIOLATION)
    expect(await findCause({ plan: outagePlan, violation: VIOLATION, run: missed })).toBe('never-saved')
  })

  test('is the last such moment, also if an earlier healing fails', async () => {
    // A run that is healed at 3 s fails, too: not all that is worse is later.
    const run = async (one: Plan) => outcome(one.durationMs === 3_000 ? VIOLATION : failsIfKilled(one, 1, 2).violation)
    expect(await findCause({ plan, violation: VIOLATION, run })).toMatchObject({ healedAtMs: 4_000, isLast: true })
    const few = await findCause({ plan, violation: VIOLATION, run, runsMax: 3 })
    expect(few).toMatchObject({ isLast: false, runs: 3 })
  })

  test('is none if no fault is needed', async () => {
    expect(await findCause({ plan, violation: VIOLATION, run: async () => FAILS })).toBe('no-fault-needed')
    const late = async () => outcome(VIOLATION)
    expect(await findCause({ plan: { ...plan, faults: [] }, violation: VIOLATION, run: late })).toBe('no-fault-needed')
  })

  test('is not looked for where edits make faults strike', async () => {
    const edits: readonly Edit[] = [{ kind: 'strike', actor: 'a@b', id: 'x', fault: kill(0, 0) }]
    const run = async () => FAILS
    expect(await findCause({ plan: { ...plan, faults: [], edits }, violation: VIOLATION, run })).toBe('unknown')
    // Healed before it, a run does not come to its edit, and counts as failed in another way.
    const missed = async (one: Plan) => outcome(one.durationMs < 6_000 ? 'has not come to an edit' : VIOLATION)
    expect(await findCause({ plan: { ...plan, edits }, violation: VIOLATION, run: missed })).toBe('unknown')
  })

  test('healing ends what lasts', () => {
    const told: Fault = { kind: 'presume-down', zone: 1, atMs: 1_000, forMs: 5_000 }
    expect(healedAt({ ...plan, faults: [told, kill(0, 6_000)] }, 2_000)).toMatchObject({
      durationMs: 2_000,
      faults: [{ ...told, forMs: 1_000 }],
    })
  })
})
