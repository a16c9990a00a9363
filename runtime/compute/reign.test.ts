import * as Effect from 'effect/Effect'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isElected } from '../../actors/safekeeper/acceptor.ts'
import { chainOver } from '../../events/frame.ts'
import type { Position, Term } from '../../events/identifiers.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import type { IndexSnapshot } from '../../events/timeline.ts'
import { Fenced, QuorumLost, StoreUnavailable } from '../errors.ts'
import { LEASE_MS_MAX } from './predecessors.ts'
import { establishReign, orderFor } from './reign.ts'
import { type Disk, entriesOf, type FakeSafekeeper, ReignWorld, SEED, settle, ZONES } from './testing.ts'

/** What term 1 wrote, and two ways to go on from its middle. */
const first = entriesOf(40, 1_000, 1)
const SPLIT = 20_000
const second = Buffer.concat([first.subarray(0, SPLIT), entriesOf(10, 1_000, 2)])
const OF_FIRST: TermHistory = [{ term: 1, begin: 0 }]
const OF_SECOND: TermHistory = [...OF_FIRST, { term: 2, begin: SPLIT }]
const chainAt = (bytes: Buffer, position = bytes.length) => chainOver(bytes.subarray(0, position), SEED)
const diskOf = (term: number, history: TermHistory, bytes: Buffer, fresh = false): Disk => ({
  term,
  history,
  bytes,
  fresh,
})
const oldDisk = diskOf(1, OF_FIRST, first)
const newDisk = diskOf(2, OF_SECOND, second)

let world: ReignWorld
let safekeepers: readonly FakeSafekeeper[] = []

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  world = new ReignWorld()
})
afterEach(() => vi.useRealTimers())

/** Zones without a disk do not run. */
function open(...disks: ReadonlyArray<Disk | undefined>): void {
  safekeepers = world.open(...disks)
  for (const [at, disk] of disks.entries()) if (disk === undefined) safekeepers[at]!.stop()
}

/** As of a cluster that has been created, so that everybody may have acknowledged something. */
const snapshot: IndexSnapshot = { term: 1 as Term, position: 0 as Position, chain: SEED, key: 'k' }
const reignOf = (term: number, durability: 'archived' | 'quorum' = 'archived') =>
  establishReign(world.ports, world.grant(term, durability, snapshot))

/** All that were elected hold the same log, whole and flushed. */
function expectLogs(bytes: Buffer, zones: readonly string[], history: TermHistory): void {
  for (const { zone, state, bytes: log } of safekeepers) {
    if (!zones.includes(zone)) continue
    expect(log.equals(bytes.subarray(state.begin))).toBe(true)
    expect(state).toMatchObject({ flushed: bytes.length, chain: chainAt(bytes), history })
    expect(isElected(state)).toBe(true)
  }
}

describe('a first reign', () => {
  test('begins an empty log at position 0 with the chain of the timeline', async () => {
    open({ term: 0, history: [], bytes: Buffer.alloc(0) }, { term: 0, history: [], bytes: Buffer.alloc(0) }, undefined)
    const reign = await establishReign(world.ports, world.grant(1))
    expect(reign).toMatchObject({
      term: 1,
      tail: { lastTerm: 0, position: 0, chain: SEED },
      history: [{ term: 1, begin: 0 }],
      base: { term: 0, position: 0, chain: SEED },
      archived: { position: 0, chain: SEED },
      dutyZone: 'zone-2',
    })
    expectLogs(Buffer.alloc(0), ['zone-1', 'zone-2'], [{ term: 1, begin: 0 }])
  })

  test('may begin on disks that are new', async () => {
    const empty = diskOf(0, [], Buffer.alloc(0))
    open(empty, empty, empty)
    expect((await establishReign(world.ports, world.grant(1, 'quorum'))).tail.position).toBe(0)
  })

  test('does not count a disk that may have forgotten, though the cluster is only being created', async () => {
    const fresh = diskOf(0, [], Buffer.alloc(0), true)
    open(diskOf(0, [], Buffer.alloc(0)), fresh, undefined)
    await expect(establishReign(world.ports, world.grant(1, 'quorum'))).rejects.toThrow(QuorumLost)
  })
})

describe('the tail', () => {
  test('is the one of the highest term, not the longest log; the other is cut where they part', async () => {
    open(oldDisk, newDisk, newDisk)
    const reign = await reignOf(3)
    await settle()
    expect(reign.tail).toMatchObject({ lastTerm: 2, position: second.length, chain: chainAt(second) })
    expect(reign.history).toEqual([...OF_SECOND, { term: 3, begin: second.length }])
    expect([...reign.holders].sort()).toEqual(['zone-2', 'zone-3'])
    expect(safekeepers[0]!.elections).toMatchObject([{ truncateTo: SPLIT, start: SPLIT }])
    expectLogs(second, ZONES, reign.history)
  })

  test('is the longest of one term, and a majority is brought up to it', async () => {
    open(diskOf(1, OF_FIRST, first.subarray(0, 5_000)), oldDisk, diskOf(1, OF_FIRST, first.subarray(0, 31_000)))
    const reign = await reignOf(2)
    await settle()
    expect(reign.tail).toMatchObject({ source: 'zone-2', lastTerm: 1, position: first.length })
    expect(reign.holders).toEqual(['zone-2'])
    expectLogs(first, ZONES, reign.history)
  })

  test('is chosen from a majority alone', async () => {
    open(oldDisk, undefined, newDisk)
    const reign = await reignOf(3)
    expect(reign.tail.position).toBe(second.length)
    expectLogs(second, ['zone-1', 'zone-3'], reign.history)
  })

  test('is the archived log if that has the highest term or all disks were lost', async () => {
    const lost = diskOf(0, [], Buffer.alloc(0), true)
    open(lost, lost, undefined)
    world.archive(first.subarray(0, SPLIT), 1, 0, SEED, 9_000)
    world.archive(second.subarray(SPLIT), 2, SPLIT, chainAt(first, SPLIT), 9_000)
    const reign = await reignOf(3)
    expect(reign.tail).toMatchObject({ source: 'archive', lastTerm: 2, position: second.length })
    expect(reign.archived).toEqual({ position: second.length, chain: chainAt(second) })
    expect(reign.holders).toEqual([])
    expectLogs(second, ['zone-1', 'zone-2'], reign.history)
  })

  test('is not the archived log if that has rotted, unless the disks know the end by themselves', async () => {
    const lost = diskOf(0, [], Buffer.alloc(0), true)
    world.archive(first, 1, 0, SEED, 9_000)
    const rotten = world.store.objects.get([...world.store.objects.keys()].sort().at(-1)!)!
    rotten[rotten.length - 1]! ^= 1
    open(oldDisk, lost, undefined)
    await expect(reignOf(2)).rejects.toMatchObject({ _tag: 'Damaged', component: 'archived log' })
    expect(safekeepers.flatMap(({ elections }) => elections)).toEqual([])
    for (const safekeeper of safekeepers) safekeeper.stop()
    open(oldDisk, lost, oldDisk)
    expect((await reignOf(3)).tail).toMatchObject({ lastTerm: 1, position: first.length })
    for (const safekeeper of safekeepers) safekeeper.stop()
    // One that promises nothing may take more of the former log after its vote: it does not know the end.
    open(oldDisk, lost, oldDisk)
    safekeepers[2]!.isFull = true
    await expect(reignOf(4)).rejects.toMatchObject({ _tag: 'Damaged' })
  })

  test('is found from the snapshot on', async () => {
    open(newDisk, newDisk, undefined)
    const at = { term: 1 as Term, position: 10_000 as Position, chain: chainAt(first, 10_000), key: 'k' }
    world.archive(first.subarray(10_000, 15_000), 1, 10_000, at.chain)
    const reign = await establishReign(world.ports, world.grant(3, 'archived', at))
    expect(reign.base).toMatchObject({ position: 10_000, chain: at.chain })
    expect(reign.archived).toEqual({ position: 15_000, chain: chainAt(first, 15_000) })
  })

  test('is refused if two hold different bytes up to it', async () => {
    const other = Buffer.concat([second.subarray(0, 29_000), entriesOf(1, 1_000, 7)])
    open(newDisk, diskOf(2, OF_SECOND, other), undefined)
    await expect(reignOf(3)).rejects.toMatchObject({ problem: expect.stringContaining('different bytes') })
    expect(safekeepers.flatMap(({ elections }) => elections)).toEqual([])
  })
})

describe('a disk that may have forgotten', () => {
  const fresh = diskOf(0, [], Buffer.alloc(0), true)

  test('counts under archived durability, since the archive holds what it acknowledged', async () => {
    open(oldDisk, fresh, undefined)
    expect((await reignOf(2)).tail.position).toBe(first.length)
  })

  test('is not trusted with the end before a former writer has lost its lease, if a zone promised nothing', async () => {
    open(diskOf(1, OF_FIRST, first.subarray(0, SPLIT)), fresh, undefined)
    for (const safekeeper of safekeepers) safekeeper.silentMs = 1_000
    world.archive(first.subarray(0, SPLIT), 1, 0, SEED, 9_000)
    const reigning = reignOf(2)
    await vi.advanceTimersByTimeAsync(LEASE_MS_MAX - 1_100)
    // The zone that promised nothing archives, and the former writer counts what the lost disk had flushed.
    world.archive(first.subarray(SPLIT), 1, SPLIT, chainAt(first, SPLIT), 9_000)
    await vi.advanceTimersByTimeAsync(200)
    expect((await reigning).tail).toMatchObject({ source: 'archive', position: first.length })
  })

  test('is not trusted with it either if it says nothing, but no writer has heard it since it was opened', async () => {
    const opened = { ...diskOf(1, OF_FIRST, first.subarray(0, SPLIT)), confirmed: false }
    open(opened, oldDisk, undefined)
    for (const safekeeper of safekeepers) safekeeper.silentMs = 1_000
    let isElected = false
    const reigning = reignOf(2).then(() => (isElected = true))
    await vi.advanceTimersByTimeAsync(LEASE_MS_MAX - 1_100)
    expect(isElected).toBe(false)
    await vi.advanceTimersByTimeAsync(200)
    await reigning
  })

  test('is trusted as soon as all zones have promised, whose last one starts late', async () => {
    const opened = { ...oldDisk, confirmed: false }
    open(opened, opened, opened)
    for (const safekeeper of safekeepers) safekeeper.silentMs = 0
    let isUp = false
    safekeepers[2]!.before = (verb) => (verb === 'vote' && !isUp ? 'silent' : undefined)
    let isElected = false
    const reigning = reignOf(2).then(() => (isElected = true))
    await vi.advanceTimersByTimeAsync(500)
    expect(isElected).toBe(false)
    isUp = true
    // Until the request that it did not answer is given up, and it is asked again.
    await vi.advanceTimersByTimeAsync(LEASE_MS_MAX - 700)
    await reigning
    expect(safekeepers[2]!.elections).toHaveLength(1)
  })

  test('is asked nothing of the former writer if all zones promised, or the others are a majority', async () => {
    open(oldDisk, fresh, fresh)
    for (const safekeeper of safekeepers) safekeeper.silentMs = 0
    expect((await reignOf(2)).tail.position).toBe(first.length)
    for (const safekeeper of safekeepers) safekeeper.stop()
    open(oldDisk, oldDisk, undefined)
    for (const safekeeper of safekeepers) safekeeper.silentMs = 0
    expect((await reignOf(3)).tail.position).toBe(first.length)
  })

  test('does not count under quorum durability', async () => {
    open(oldDisk, fresh, undefined)
    await expect(reignOf(2, 'quorum')).rejects.toMatchObject({ problem: expect.stringContaining('the disk in zone-2') })
    await expect(reignOf(3, 'quorum')).rejects.toThrow(QuorumLost)
  })
})

describe('the reign stands', () => {
  test('only when a majority has flushed the whole tail', async () => {
    open(oldDisk, diskOf(1, OF_FIRST, first.subarray(0, 5_000)), undefined)
    safekeepers[1]!.flushes = false
    let stands = false
    const established = reignOf(2).then((reign) => {
      stands = true
      return reign
    })
    await settle()
    expect(safekeepers[1]!.state).toMatchObject({ end: first.length, flushed: 5_000 })
    expect(stands).toBe(false)
    safekeepers[1]!.flush()
    expect((await established).tail.position).toBe(first.length)
  })

  test('without waiting for the last zone, which goes on in the background', async () => {
    open(oldDisk, oldDisk, diskOf(1, OF_FIRST, first.subarray(0, 5_000)))
    safekeepers[2]!.flushes = false
    await reignOf(2)
    await settle()
    safekeepers[2]!.flush()
    expect(safekeepers[2]!.state.flushed).toBe(first.length)
    await settle()
    expect(world.bus.subscribed.filter((subject) => subject.includes('repair'))).toEqual([])
  })

  test('not if too few hold it in time', async () => {
    open(oldDisk, diskOf(1, OF_FIRST, first.subarray(0, 5_000)), undefined)
    safekeepers[1]!.flushes = false
    const established = reignOf(2)
    established.catch(() => {})
    await settle()
    await vi.advanceTimersByTimeAsync(10_000)
    await expect(established).rejects.toThrow(QuorumLost)
    await expect(established).rejects.toMatchObject({
      problem: expect.stringMatching(/^1 of 2 safekeepers .*zone-2.*has not flushed/),
    })
  })

  test('not if too few vote, and then nothing was told to anybody', async () => {
    open(oldDisk, undefined, undefined)
    await expect(reignOf(2)).rejects.toThrow(QuorumLost)
    expect(safekeepers[0]!.elections).toEqual([])
  })

  test('not if too few hear of the election', async () => {
    open(oldDisk, oldDisk, undefined)
    safekeepers[1]!.before = (verb) => {
      if (verb === 'vote') setImmediate(() => safekeepers[1]!.stop())
      return undefined
    }
    world.store.list = slowly(world.store.list)
    await expect(reignOf(2)).rejects.toThrow(QuorumLost)
  })

  test('not if the object store cannot be read', async () => {
    open(oldDisk, oldDisk, oldDisk)
    world.store.down = true
    await expect(reignOf(2)).rejects.toThrow(StoreUnavailable)
    expect(safekeepers.flatMap(({ elections }) => elections)).toEqual([])
  })
})

/** Lets everything else happen before the store answers. */
function slowly<Arguments extends unknown[], Answer>(work: (...given: Arguments) => Answer) {
  return ((...given: Arguments) => Effect.andThen(Effect.promise(settle), work(...given) as never)) as never as (
    ...given: Arguments
  ) => Answer
}

describe('a higher term', () => {
  test('among the votes is Fenced', async () => {
    open(oldDisk, diskOf(5, OF_FIRST, first), oldDisk)
    await expect(reignOf(2)).rejects.toThrow(Fenced)
    await expect(reignOf(3)).rejects.toMatchObject({ value: 'term 3', problem: 'term 5 has been promised' })
    expect(safekeepers.flatMap(({ elections }) => elections)).toEqual([])
  })

  test('that a majority has promised itself to before it hears of the election is Fenced', async () => {
    open(oldDisk, oldDisk, oldDisk)
    for (const safekeeper of safekeepers.slice(1)) {
      safekeeper.before = (verb) => {
        if (verb === 'elected') safekeeper.promise(9)
        return undefined
      }
    }
    await expect(reignOf(2)).rejects.toThrow(Fenced)
  })

  test('that comes while the tail is being repaired is Fenced', async () => {
    open(oldDisk, diskOf(1, OF_FIRST, first.subarray(0, 5_000)), undefined)
    safekeepers[1]!.before = (verb) => {
      if (verb === 'append') safekeepers[1]!.promise(9)
      return undefined
    }
    await expect(reignOf(2)).rejects.toThrow(Fenced)
  })

  test('of one zone does no harm to a reign that a majority holds', async () => {
    open(oldDisk, oldDisk, oldDisk)
    safekeepers[2]!.before = (verb) => {
      if (verb === 'elected') safekeepers[2]!.promise(9)
      return undefined
    }
    expect((await reignOf(2)).tail.position).toBe(first.length)
  })
})

describe('a safekeeper far behind', () => {
  const long = entriesOf(90, 64 * 1024, 3)
  const ARCHIVED = 80 * 64 * 1024

  test('begins anew where the archive ends, and gets the rest', async () => {
    open(diskOf(1, OF_FIRST, long), diskOf(1, OF_FIRST, long), { term: 0, history: [], bytes: Buffer.alloc(0) })
    world.archive(long.subarray(0, ARCHIVED), 1, 0, SEED, 512 * 1024)
    const reign = await reignOf(2)
    await settle()
    expect(reign.archived).toEqual({ position: ARCHIVED, chain: chainAt(long, ARCHIVED) })
    const place = { truncateTo: 0, start: ARCHIVED, startChain: chainAt(long, ARCHIVED), archivedFrom: ARCHIVED }
    expect(safekeepers[2]!.elections).toMatchObject([place])
    expect(safekeepers[2]!.state.begin).toBe(ARCHIVED)
    expectLogs(long, ZONES, reign.history)
  })

  test('gets all of it if that is not archived', async () => {
    open(diskOf(1, OF_FIRST, long), diskOf(1, OF_FIRST, long.subarray(0, 64 * 1024)), undefined)
    const reign = await reignOf(2)
    expect(safekeepers[1]!.elections).toMatchObject([{ truncateTo: 64 * 1024, start: 64 * 1024 }])
    expectLogs(long, ['zone-1', 'zone-2'], reign.history)
  })
})

test('the leases of predecessors are judged by promises: whoever gave none may go on answering them', async () => {
  open(oldDisk, oldDisk, oldDisk)
  const silences = [2_000, 4_000, 9_000]
  for (const [at, safekeeper] of safekeepers.entries()) safekeeper.silentMs = silences[at]!
  safekeepers[2]!.isFull = true
  expect((await reignOf(2)).predecessorsEndAtMs).toBe(world.nowMs - 2_000 + LEASE_MS_MAX)
})

describe('what is archived', () => {
  test('counts only as far as it is on the chosen tail', async () => {
    open(newDisk, newDisk, undefined)
    // Term 1 was archived beyond where term 2 took over: nobody continued that.
    world.archive(first, 1, 0, SEED, 10_000)
    const reign = await reignOf(3)
    expect(reign.tail.position).toBe(second.length)
    expect(reign.archived).toEqual({ position: SPLIT, chain: chainAt(second, SPLIT) })
  })

  test('may be all of the tail', async () => {
    open(oldDisk, oldDisk, undefined)
    world.archive(first, 1, 0, SEED, 10_000)
    const reign = await reignOf(2)
    expect(reign.tail.source).toBe('archive')
    expect(reign.archived).toEqual({ position: first.length, chain: chainAt(first) })
    expect([...reign.holders].sort()).toEqual(['zone-1', 'zone-2'])
  })
})

describe('archive duty', () => {
  test("goes to the fullest log in another zone than the compute's", async () => {
    open(oldDisk, diskOf(1, OF_FIRST, first.subarray(0, 5_000)), oldDisk)
    const reign = await reignOf(2)
    expect(reign.dutyZone).toBe('zone-3')
    await settle()
    for (const { elections } of safekeepers) expect(elections).toMatchObject([{ dutyZone: 'zone-3' }])
  })

  test('does not go to a disk that is too full to promise the term', async () => {
    open(oldDisk, diskOf(1, OF_FIRST, first.subarray(0, 5_000)), oldDisk)
    safekeepers[2]!.isFull = true
    expect((await reignOf(2)).dutyZone).toBe('zone-2')
  })

  test('stays in the own zone if there is no other', async () => {
    open(oldDisk, undefined, undefined)
    const ports = { ...world.ports, zones: ['zone-1'] }
    const grant = { ...world.grant(2, 'archived', snapshot), zones: world.grant(2).zones.slice(0, 1) }
    expect((await establishReign(ports, grant)).dutyZone).toBe('zone-1')
  })
})

test('a safekeeper that answers late is told the same as in the election', async () => {
  open(oldDisk, oldDisk, undefined)
  const reign = await reignOf(2)
  const vote = { zone: 'zone-3', granted: true, term: 2, lastTerm: 1, flushed: 7_000, chain: 1, history: OF_FIRST }
  const order = orderFor(
    reign,
    { ...vote, diskId: 'd', incarnation: 'i', fresh: false, confirmed: true, silentMs: 0 },
    'zone-1',
    9_000,
  )
  const place = { truncateTo: 7_000, start: 7_000, startChain: undefined, archivedFrom: 0 }
  expect(order).toEqual({ incarnation: 'i', ...place, dutyZone: 'zone-1', written: 9_000 })
})
