import { describe, expect, test } from 'vitest'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel } from '../kernel/kernel.ts'
import { MemoryMount } from './memory-mount.ts'
import { PAGE_BYTES } from './page.ts'
import { successorOf, UNWRITTEN } from './transaction.ts'
import {
  BLOCK_ROOM_BYTES,
  BLOCKS_PER_SEGMENT,
  FIRST_LSN,
  NO_LINK,
  parseSegmentName,
  segmentName,
  type WalRecord,
} from './wal-format.ts'
import { WalReader } from './wal-reader.ts'
import { WalSegments } from './wal-segments.ts'
import { type WalEnd, WalWriter } from './wal-writer.ts'

const START: WalEnd = { lsn: FIRST_LSN, link: NO_LINK, tail: undefined }

/** Runs `story` over a mount with an empty pg_wal. */
async function told<A>(story: (mount: MemoryMount, kernel: Kernel) => Promise<A>): Promise<A> {
  const kernel = new Kernel(new SeededDraws(1), 0)
  const mount = new MemoryMount(kernel)
  let result: A | undefined
  const done = mount
    .makeDirectory('pg_wal')
    .then(() => story(mount, kernel))
    .then((value) => {
      result = value
    })
  await kernel.run(1e9)
  await done
  return result as A
}

function writerOf(mount: MemoryMount, segments: WalSegments, end = START): WalWriter {
  return new WalWriter({ mount, segments, end, mistakes: [], panic: (error) => Promise.reject(error) })
}

function update(transactionId: number, keys: number): WalRecord {
  const changes = Array.from({ length: keys }, (_, key) => ({
    key,
    file: 16_384 + key,
    startsPage: key % 2 === 0,
    parent: UNWRITTEN,
    written: successorOf(UNWRITTEN, key, transactionId),
  }))
  return { kind: 'update', transactionId, changes }
}

async function readAll(mount: MemoryMount): Promise<{ records: WalRecord[]; end: WalEnd }> {
  const segments = new WalSegments(mount)
  await segments.scan()
  const reader = new WalReader(mount, segments, FIRST_LSN)
  const records: WalRecord[] = []
  for (let next = await reader.next(); next !== undefined; next = await reader.next()) records.push(next.record)
  return { records, end: await reader.end() }
}

/** Enough of these fill more than a segment, and they cross blocks. */
const MANY = Array.from({ length: 500 }, (_, index): WalRecord => {
  if (index % 50 === 1) return { kind: 'relation', relation: 2, file: 70_000 + index, oldFile: 16_384 }
  if (index % 50 === 2)
    return { kind: 'page', file: 70_000, block: 3, slots: [UNWRITTEN, successorOf(UNWRITTEN, 1, 2)] }
  return update(index + 1, 1 + (index % 7))
})

describe('the WAL', () => {
  test('reads back what was written, across blocks and segments, and goes on from there', async () => {
    const { first, second, segmentsUsed } = await told(async (mount) => {
      const writer = writerOf(mount, new WalSegments(mount))
      for (const [index, record] of MANY.entries()) {
        const { endLsn } = writer.insert(record)
        if (index % 50 === 0) await writer.flush(endLsn)
      }
      await writer.flush(writer.insertLsn)
      const first = await readAll(mount)
      const again = new WalSegments(mount)
      await again.scan()
      const next = writerOf(mount, again, first.end)
      await next.flush(next.insert({ kind: 'checkpoint', redoLsn: 77 }).endLsn)
      return { first: first.records, second: (await readAll(mount)).records, segmentsUsed: await mount.list('pg_wal') }
    })
    expect(first).toEqual(MANY)
    expect(second).toEqual([...MANY, { kind: 'checkpoint', redoLsn: 77 }])
    expect([...segmentsUsed].sort()).toEqual([segmentName(1), segmentName(2)])
  })

  test('ends before a record that lost its second half, whatever stands behind it', async () => {
    const lost = await told(async (mount) => {
      const segments = new WalSegments(mount)
      const writer = writerOf(mount, segments)
      const starts = MANY.map((record) => writer.insert(record).startLsn)
      await writer.flush(writer.insertLsn)
      const block = 3
      await mount.write(await segments.find(1), block * PAGE_BYTES, Buffer.alloc(PAGE_BYTES))
      const { records, end } = await readAll(mount)
      return { count: records.length, endLsn: end.lsn, starts, cutLsn: FIRST_LSN + block * BLOCK_ROOM_BYTES }
    })
    expect(lost.endLsn).toBeLessThanOrEqual(lost.cutLsn)
    expect(lost.endLsn).toBe(lost.starts[lost.count])
    expect(lost.starts[lost.count + 1]).toBeGreaterThan(lost.cutLsn)
  })

  test('does not take records of an abandoned end for a continuation of a new one', async () => {
    const { records } = await told(async (mount) => {
      const abandoned = writerOf(mount, new WalSegments(mount))
      for (const transactionId of [1, 2, 3]) abandoned.insert(update(transactionId, 1))
      await abandoned.flush(abandoned.insertLsn)
      const segments = new WalSegments(mount)
      await segments.scan()
      const old = await mount.read(await segments.find(1), 0, PAGE_BYTES)
      const writer = writerOf(mount, segments)
      const { endLsn } = writer.insert(update(9, 1))
      await writer.flush(endLsn)
      // The new record in front of the old ones, which have its length and so stand where they would follow.
      const mixed = await mount.read(await segments.find(1), 0, PAGE_BYTES)
      old.copy(mixed, 16 + endLsn - FIRST_LSN, 16 + endLsn - FIRST_LSN)
      await mount.write(await segments.find(1), 0, mixed)
      return readAll(mount)
    })
    expect(records).toEqual([update(9, 1)])
  })

  test('fsyncs once for all who wait', async () => {
    const fsyncs = await told(async (mount) => {
      const writer = writerOf(mount, new WalSegments(mount))
      await writer.flush(writer.insert(MANY[0]!).endLsn)
      let count = 0
      const fsync = mount.fsync.bind(mount)
      mount.fsync = (ino) => {
        count++
        return fsync(ino)
      }
      const first = writer.flush(writer.insert(MANY[1]!).endLsn)
      const others = [2, 3, 4, 5].map((index) => writer.flush(writer.insert(MANY[index]!).endLsn))
      await Promise.all([first, ...others])
      return count
    })
    expect(fsyncs).toBe(2)
  })

  test('is named as Postgres names it', () => {
    expect(segmentName(1)).toBe('000000010000000000000001')
    expect(segmentName(256 + 255)).toBe('0000000100000001000000FF')
    for (const segment of [1, 255, 256, 70_000]) expect(parseSegmentName(segmentName(segment))).toBe(segment)
    expect(parseSegmentName('xlogtemp.3')).toBeUndefined()
    expect(BLOCKS_PER_SEGMENT * PAGE_BYTES).toBe(65_536)
  })
})
