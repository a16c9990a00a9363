import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { chainOver } from '../../events/frame.ts'
import { encodeDutyResponse } from '../../events/safekeeper-wire.ts'
import { Fenced, NoAnswer, QuorumLost } from '../errors.ts'
import { elect, moveDuty, requestFrames, requestStatus, requestVote, requestVotes } from './safekeeper-requests.ts'
import { type Disk, entriesOf, type FakeSafekeeper, ReignWorld, SEED, SUBJECTS, ZONES } from './testing.ts'

const HISTORY = [{ term: 1, begin: 0 }]
const log = entriesOf(6, 500)
const disk: Disk = { term: 1, history: HISTORY, bytes: log }

let world: ReignWorld
let safekeepers: readonly FakeSafekeeper[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  world = new ReignWorld()
  safekeepers = world.open(disk, disk, disk)
})
afterEach(() => vi.useRealTimers())

/** The promise's value if it has one by now. */
async function soon<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  await vi.advanceTimersByTimeAsync(0)
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  return Promise.race([promise, Promise.resolve('waiting' as const)])
}

const nonsense = (zone: string, verb: 'vote' | 'elected' | 'read' | 'duty' | 'status') => {
  safekeepers.find((one) => one.zone === zone)!.stop()
  world.bus.subscribe(SUBJECTS[verb](zone), ({ respond }) => respond(Buffer.from('nonsense')))
}

const end = log.length
const place = { truncateTo: end, start: end, startChain: undefined, archivedFrom: 0, dutyZone: 'zone-2', written: end }
const order = { incarnation: 'zone-1-1', ...place }
const reign = { term: 2, history: [...HISTORY, { term: 2, begin: log.length }] }

describe('a vote', () => {
  test('says what the safekeeper holds', async () => {
    expect(await requestVote(world.ports, 'zone-2', 2)).toMatchObject({
      zone: 'zone-2',
      granted: true,
      term: 2,
      lastTerm: 1,
      flushed: log.length,
      chain: chainOver(log, SEED),
      history: HISTORY,
    })
    expect(await requestVote(world.ports, 'zone-2', 2)).toMatchObject({ granted: false, term: 2 })
  })

  test('that cannot be read is no answer', async () => {
    nonsense('zone-2', 'vote')
    await expect(requestVote(world.ports, 'zone-2', 2)).rejects.toThrow(NoAnswer)
  })
})

describe('the votes of all zones', () => {
  test('are waited for no longer than the last of them takes', async () => {
    const votes = await soon(requestVotes(world.ports, 2))
    expect(votes).toMatchObject(ZONES.map((zone) => ({ zone })))
    expect(vi.getTimerCount()).toBe(0)
  })

  test('are those that came, once a majority has and the others had a moment', async () => {
    safekeepers[2]!.before = () => 'silent'
    const votes = requestVotes(world.ports, 2)
    expect(await soon(votes)).toBe('waiting')
    await vi.advanceTimersByTimeAsync(99)
    expect(await soon(votes)).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1)
    expect(await soon(votes)).toMatchObject([{ zone: 'zone-1' }, { zone: 'zone-2' }])
  })

  test('include one that came within that moment', async () => {
    let isLate = true
    world.bus.intercept = (subject, data) => {
      if (subject !== SUBJECTS.vote('zone-3') || !isLate) return data
      isLate = false
      setTimeout(() => world.bus.publish(subject, data, { reply: '_INBOX.3' }), 50)
      return undefined
    }
    const votes = requestVotes(world.ports, 2)
    expect(await soon(votes)).toBe('waiting')
    await vi.advanceTimersByTimeAsync(50)
    expect(await soon(votes)).toMatchObject(ZONES.map((zone) => ({ zone })))
  })

  test('are waited for as long as there is no majority', async () => {
    for (const at of [1, 2]) safekeepers[at]!.before = () => 'silent'
    const votes = requestVotes(world.ports, 2)
    await vi.advanceTimersByTimeAsync(4_900)
    expect(await soon(votes)).toBe('waiting')
    await vi.advanceTimersByTimeAsync(100)
    expect(await soon(votes)).toMatchObject([{ zone: 'zone-1' }])
    expect(world.reported).toEqual([
      expect.stringMatching(/^no vote of zone-2: .*no answer came/),
      expect.stringMatching(/^no vote of zone-3: .*no answer came/),
    ])
  })

  test('may be none', async () => {
    for (const safekeeper of safekeepers) safekeeper.stop()
    expect(await soon(requestVotes(world.ports, 2))).toEqual([])
  })
})

describe('an election', () => {
  test('is told with the history and how the log is to go on', async () => {
    await requestVote(world.ports, 'zone-1', 2)
    expect(await elect(world.ports, reign, 'zone-1', order)).toMatchObject({ ok: true, term: 2, flushed: log.length })
    expect(safekeepers[0]!.elections).toEqual([{ term: 2, compute: 'main-1', history: reign.history, ...order }])
  })

  test('that comes too late is Fenced', async () => {
    safekeepers[0]!.promise(7)
    const elected = elect(world.ports, reign, 'zone-1', order)
    await expect(elected).rejects.toThrow(Fenced)
    await expect(elected).rejects.toMatchObject({ problem: 'it has promised itself to term 7', value: 'term 2' })
  })

  test('that is refused is QuorumLost, with the reason', async () => {
    const elected = elect(world.ports, reign, 'zone-1', { ...order, truncateTo: 500, start: 500 })
    await expect(elected).rejects.toThrow(QuorumLost)
    await expect(elected).rejects.toMatchObject({ problem: expect.stringContaining('the logs part at') })
  })

  test('that is not answered, or with nonsense, is NoAnswer', async () => {
    nonsense('zone-2', 'elected')
    await expect(elect(world.ports, reign, 'zone-2', { ...order, incarnation: 'zone-2-1' })).rejects.toThrow(NoAnswer)
    safekeepers[0]!.before = () => 'silent'
    const elected = elect(world.ports, reign, 'zone-1', order)
    elected.catch(() => {})
    await vi.advanceTimersByTimeAsync(5_000)
    await expect(elected).rejects.toThrow(NoAnswer)
  })
})

describe('frames', () => {
  test('come as the safekeeper cut them', async () => {
    expect((await requestFrames(world.ports, 'zone-1', 500)).subarray(64, 64 + 500)).toEqual(log.subarray(500, 1_000))
  })

  test('that it does not hold are QuorumLost, with what it holds', async () => {
    const answer = requestFrames(world.ports, 'zone-1', log.length)
    await expect(answer).rejects.toThrow(QuorumLost)
    await expect(answer).rejects.toMatchObject({ problem: 'it holds [0, 3000)', value: 'position 3000' })
  })
})

describe('archive duty', () => {
  test('is told to every zone, so that the former holder stops', async () => {
    await moveDuty(world.ports, 2, 'zone-3', 700)
    const told = { term: 2, zone: 'zone-3', from: 700 }
    expect(safekeepers.map(({ duties }) => duties)).toEqual([[told], [told], [told]])
    expect(world.reported).toEqual([])
  })

  test('reaches the others though one does not answer', async () => {
    safekeepers[0]!.stop()
    nonsense('zone-2', 'duty')
    await moveDuty(world.ports, 2, 'zone-3', 700)
    expect(safekeepers[2]!.duties.length).toBe(1)
    expect(world.reported).toEqual([
      expect.stringMatching(/^archive duty at zone-1: .*nobody serves/),
      expect.stringMatching(/^archive duty at zone-2: .*cannot be read/),
    ])
  })

  test('that its new holder does not take is reported', async () => {
    await moveDuty(world.ports, 2, 'zone-9', 700)
    expect(world.reported).toEqual([])
    safekeepers[2]!.stop()
    const refuse = new ReignWorld()
    refuse.bus.subscribe(SUBJECTS.duty('zone-3'), ({ respond }) =>
      respond(encodeDutyResponse({ zone: 'zone-3', held: false, term: 2, archived: 0 })),
    )
    await moveDuty({ ...refuse.ports, zones: ['zone-3'] }, 2, 'zone-3', 700)
    expect(refuse.reported).toEqual(['zone-3 cannot archive from 700 on'])
  })
})

test('a status is what the safekeeper says of itself', async () => {
  expect(await requestStatus(world.ports, 'zone-2')).toMatchObject({ zone: 'zone-2', term: 1, flushed: log.length })
  nonsense('zone-2', 'status')
  await expect(requestStatus(world.ports, 'zone-2')).rejects.toThrow(NoAnswer)
})
