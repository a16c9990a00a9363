import { describe, expect, test } from 'vitest'
import { chainOver, chainSeed, FRAME_HEADER_BYTES, writeFrameHeader } from '../../events/frame.ts'
import { logKey } from '../../runtime/log/keys.ts'
import { BucketView } from './bucket-view.ts'
import { CommittedLog } from './committed-log.ts'
import {
  checkArchiveAlone,
  checkArchivedObjects,
  checkMajority,
  checkSafekeeper,
  findArchivedEnd,
} from './log-copies.ts'

const TIMELINE = 'main'
const SEED = chainSeed(TIMELINE)
/** Term 1 writes the first 60 bytes, term 3 the other 40. */
const BYTES: Buffer = Buffer.from(Array.from({ length: 100 }, (_, at) => at))
const chainAt = (position: number, bytes = BYTES) => chainOver(bytes.subarray(0, position), SEED)

function committed() {
  const log = new CommittedLog({ nowMs: () => 0, violated: (words) => expect.unreachable(words) })
  const first = { term: 1, begin: 0 }
  log.opened({ term: 1, compute: 'a', history: [first], lastTerm: 0, position: 0, chain: SEED, fromSnapshot: false })
  for (const position of [10, 30, 50]) log.durable(1, position, chainAt(position))
  const history = [first, { term: 3, begin: 60 }]
  log.opened({ term: 3, compute: 'b', history, lastTerm: 1, position: 60, chain: chainAt(60), fromSnapshot: false })
  for (const position of [70, 100]) log.durable(3, position, chainAt(position))
  return log
}

function frame(term: number, begin: number, end: number, bytes = BYTES): Buffer {
  const payload = bytes.subarray(begin, end)
  const target = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  target.set(payload, FRAME_HEADER_BYTES)
  const chains = { chainBefore: chainAt(begin, bytes), chainAfter: chainAt(end, bytes) }
  writeFrameHeader(
    target,
    0,
    { term, begin, length: payload.length, ...chains, flags: 0, archived: 0 },
    Buffer.alloc(16),
  )
  return target
}

type Stretch = readonly [term: number, begin: number, end: number, bytes?: Buffer]

function bucket(...objects: readonly Stretch[]) {
  return new BucketView(new Map(objects.map((one) => [logKey(TIMELINE, one[0], one[1]), frame(...one)])))
}

const frames = (...stretches: readonly Stretch[]) => Buffer.concat(stretches.map((one) => frame(...one)))

/** As BYTES, but for the byte at `position`. */
function otherAt(position: number): Buffer {
  const other = Buffer.from(BYTES)
  other[position] = 255
  return other
}

describe('the archive', () => {
  const whole: readonly Stretch[] = [
    [1, 0, 40],
    [1, 30, 60],
    [3, 60, 100],
  ]

  test('holds the committed log, in any cut, beside what came to nothing', async () => {
    const store = bucket(...whole, [1, 60, 80, otherAt(65)], [2, 60, 90, otherAt(62)])
    expect(await checkArchivedObjects(committed(), store, TIMELINE)).toEqual([])
    expect(await checkArchiveAlone(committed(), store, TIMELINE)).toEqual([])
    expect(await findArchivedEnd(committed(), store, TIMELINE)).toBe(100)
  })

  test('of a term that was succeeded ends where its successor began, who may not have archived yet', async () => {
    const store = bucket([1, 0, 40], [1, 40, 60], [1, 60, 80, otherAt(65)])
    expect(await findArchivedEnd(committed(), store, TIMELINE)).toBe(60)
  })

  test('must not hold other bytes of a term that counts', async () => {
    const store = bucket([1, 0, 40, otherAt(20)])
    expect(await checkArchivedObjects(committed(), store, TIMELINE)).toEqual([
      expect.stringMatching(/00000001-.* holds other bytes up to 30 than were durable in term 1/),
    ])
  })

  test('must not hold what is no frame', async () => {
    const torn = new BucketView(new Map([[logKey(TIMELINE, 1, 0), frame(1, 0, 40).subarray(0, 80)]]))
    expect(await checkArchivedObjects(committed(), torn, TIMELINE)).toEqual([
      expect.stringContaining('not a whole frame'),
    ])
  })

  test('alone must reach to the end, without a hole, over the same bytes', async () => {
    const log = committed()
    expect(await checkArchiveAlone(log, bucket(), TIMELINE)).toEqual([expect.stringContaining('ends at 0')])
    expect(await checkArchiveAlone(log, bucket([1, 0, 60], [3, 60, 99]), TIMELINE)).toEqual([
      'the archive ends at 99 of term 3, though 100 was durable',
    ])
    expect(await checkArchiveAlone(log, bucket([1, 0, 30], [3, 60, 100]), TIMELINE)).toEqual([
      'the archive ends at 30 of term 1, though 100 was durable',
    ])
    const other = otherAt(20)
    expect(await checkArchiveAlone(log, bucket([1, 0, 60, other], [3, 60, 100, other]), TIMELINE)).toEqual([
      'the archive holds other bytes up to 30 than were durable in term 1',
    ])
  })
})

describe('a safekeeper', () => {
  const held = (lastTerm: number, ...stretches: readonly Stretch[]) => ({
    zone: 'zone-2',
    lastTerm,
    frames: frames(...stretches),
  })

  test('may have begun late, end early, end with what was never durable, or follow a term that came to nothing', () => {
    const log = committed()
    expect(checkSafekeeper(log, held(3, [3, 20, 75], [3, 75, 90]))).toEqual([])
    expect(checkSafekeeper(log, held(1, [1, 0, 60], [1, 60, 80, otherAt(61)]))).toEqual([])
    expect(checkSafekeeper(log, held(2, [1, 0, 40, otherAt(5)]))).toEqual([])
    expect(checkSafekeeper(log, held(3))).toEqual([])
  })

  test('must not hold other bytes of a log that counts', () => {
    const log = committed()
    expect(checkSafekeeper(log, held(3, [3, 0, 40, otherAt(35)], [3, 40, 100, otherAt(35)]))).toEqual([
      'the log of zone-2, last written in term 3, holds other bytes up to 50 than were durable in term 1',
    ])
    expect(checkSafekeeper(log, held(3, [3, 60, 100, otherAt(99)]))).toEqual([
      expect.stringContaining('other bytes up to 100'),
    ])
    // Where it begins the bytes before are known by their chain alone.
    expect(checkSafekeeper(log, held(1, [1, 30, 40, otherAt(3)]))).toEqual([expect.stringContaining('up to 30')])
  })
})

test('what has become durable is on a majority', () => {
  const flushed = new Map([
    ['zone-1', 100],
    ['zone-2', 120],
    ['zone-3', 0],
  ])
  expect(checkMajority(100, 'archived', flushed, 3)).toEqual([])
  expect(checkMajority(101, 'archived', flushed, 3)).toEqual([
    '101 was durable (archived), but of 3 safekeepers only 1 hold it: zone-1 100, zone-2 120, zone-3 0',
  ])
})
