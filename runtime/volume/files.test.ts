/** The bytes of files: what is logged of a write, what is fetched for it, and where pages go when room is short. */
import { expect, test } from 'vitest'
import { PAGE_BYTES, type WriteEntry } from '../../events/log-entry.ts'
import { DiskFailed } from '../errors.ts'
import { FILE_BYTES_MAX } from './content.ts'
import { Errno } from './errno.ts'
import { ROOT_INO } from './node.ts'
import { Driver, filled } from './testing.ts'
import { NEEDS_SEAL, WANTS_BYTES, type Wanted } from './types.ts'

function serving(slotCount = 64): Driver {
  const driver = Driver.serving({ slotCount })
  driver.makeDirectories('base', 'base/5', 'pg_wal')
  return driver
}

/** [offset, bytes] of the write entries appended by the operation. */
function writes(driver: Driver, operation: () => void): Array<readonly [number, number]> {
  const before = driver.log.entries.length
  operation()
  const entries = driver.log.entries.slice(before).map(({ entry }) => entry as WriteEntry)
  return entries.map(({ offset, data }) => [offset, data.length] as const)
}

/** A volume over the same objects that knows everything from a snapshot and has nothing in its cache. */
function cold(driver: Driver, slotCount = 64): Driver {
  driver.sealAll(true)
  const restored = Driver.folded(driver.objects, [], driver.snapshot(), slotCount)
  restored.serve()
  return restored
}

test('of a rewritten page only what changed is logged', () => {
  const d = serving()
  const wal = d.make('pg_wal/1')
  const page = filled(0)
  page.fill(1, 0, 1000)
  expect(writes(d, () => d.write(wal, 0, page))).toEqual([[0, PAGE_BYTES]])
  page.fill(2, 1000, 1100)
  expect(writes(d, () => d.write(wal, 0, page))).toEqual([[1000, 100]])
  expect(writes(d, () => d.write(wal, 0, page))).toEqual([])
  expect(d.log.entries.length).toBe(6)
  expect(Buffer.from(page).equals(d.content(wal))).toBe(true)
})

test('a write across pages is one entry, trimmed at both ends', () => {
  const d = serving()
  const wal = d.make('pg_wal/1')
  const data = filled(1, 3 * PAGE_BYTES)
  d.write(wal, 0, data)
  data[PAGE_BYTES - 10] = 2
  data[2 * PAGE_BYTES + 10] = 2
  expect(writes(d, () => d.write(wal, 0, data))).toEqual([[PAGE_BYTES - 10, PAGE_BYTES + 21]])
})

test('a page met as a hole is logged without the zeros around what it is given, and zeros alone not at all', () => {
  const d = serving()
  const ino = d.make('pg_wal/1')
  d.write(ino, 4 * PAGE_BYTES - 1, filled(0, 1))
  const page = filled(0)
  page.fill(7, 100, 300)
  expect(writes(d, () => d.write(ino, PAGE_BYTES, page))).toEqual([[PAGE_BYTES + 100, 200]])
  expect(writes(d, () => d.write(ino, 2 * PAGE_BYTES, filled(0)))).toEqual([])
  expect(Driver.folded(d.objects, d.log.entries).image()).toEqual(d.image())
})

test('a page whose place nobody has looked up yet is not taken for a hole', () => {
  const d = serving()
  const ino = d.make('pg_wal/1')
  d.write(ino, 0, filled(5, 2 * PAGE_BYTES))
  const again = cold(d)
  again.write(ino, 0, filled(0))
  expect(again.content(ino).subarray(0, PAGE_BYTES)).toEqual(Buffer.from(filled(0)))
})

test('what lengthens the file is logged to its end, be it zeros', () => {
  const d = serving()
  const wal = d.make('pg_wal/1')
  d.write(wal, 0, filled(1, 100))
  const longer = filled(0, 200)
  longer.fill(1, 0, 100)
  expect(writes(d, () => d.write(wal, 0, longer))).toEqual([[100, 100]])
  expect(writes(d, () => d.write(wal, 3 * PAGE_BYTES, filled(0, 1)))).toEqual([[3 * PAGE_BYTES, 1]])
  expect(d.volume.node(wal)?.size).toBe(3 * PAGE_BYTES + 1)
  expect(Driver.folded(d.objects, d.log.entries).image()).toEqual(d.image())
})

test('the log’s tail is compared in memory', () => {
  const d = serving()
  const wal = d.make('pg_wal/1')
  const page = filled(0)
  d.write(wal, 0, page)
  const { reads, writes: stored } = d.pages
  for (let commit = 0; commit < 50; commit++) {
    page.fill(commit, commit * 100, commit * 100 + 100)
    d.write(wal, 0, page)
  }
  expect([d.pages.reads, d.pages.writes]).toEqual([reads, stored])
  expect(Buffer.from(page).equals(d.content(wal))).toBe(true)
})

test('paged files are not logged', () => {
  const d = serving()
  const relation = d.make('base/5/1')
  expect(writes(d, () => d.write(relation, 0, filled(1)))).toEqual([])
})

test('a read wants all that it lacks at once, and then is done', () => {
  const d = serving()
  const ino = d.make('base/5/1')
  for (let block = 0; block < 4; block++) d.write(ino, block * PAGE_BYTES, filled(block + 1))
  const c = cold(d)
  const target = new Uint8Array(4 * PAGE_BYTES)
  const read = (): number => c.volume.read(ino, 0, target.length, target, 0)
  // The page table first: nobody knows yet what else.
  expect(read()).toBe(WANTS_BYTES)
  expect(c.volume.wanted.map(({ kind }) => kind)).toEqual(['index'])
  c.objects.deliver(c.volume)
  expect(read()).toBe(WANTS_BYTES)
  expect(c.volume.wanted.map((wanted) => wanted.kind === 'page' && wanted.block)).toEqual([0, 1, 2, 3])
  c.objects.deliver(c.volume)
  expect(read()).toBe(target.length)
  expect([0, 1, 2, 3].map((block) => target[block * PAGE_BYTES])).toEqual([1, 2, 3, 4])
})

test('a partial write fetches the page, a whole one and one past the end do not', () => {
  const d = serving()
  const ino = d.make('base/5/1')
  d.write(ino, 0, filled(1, 3 * PAGE_BYTES + 100))
  const c = cold(d)
  const write = (offset: number, length: number): number => c.volume.write(ino, offset, filled(2, length), 0, length)
  expect(write(0, PAGE_BYTES)).toBe(PAGE_BYTES)
  expect(write(3 * PAGE_BYTES, 100)).toBe(100)
  expect(write(5 * PAGE_BYTES + 1, 10)).toBe(10)
  expect(c.objects.fetches).toBe(0)
  expect(write(PAGE_BYTES + 1, PAGE_BYTES)).toBe(WANTS_BYTES)
  expect(c.volume.node(ino)?.size).toBe(5 * PAGE_BYTES + 11)
  expect(c.write(ino, PAGE_BYTES + 1, filled(2))).toBe(PAGE_BYTES)
  const content = c.content(ino)
  const marks = [
    0,
    PAGE_BYTES,
    PAGE_BYTES + 1,
    2 * PAGE_BYTES,
    2 * PAGE_BYTES + 1,
    3 * PAGE_BYTES,
    3 * PAGE_BYTES + 100,
  ]
  expect(marks.map((at) => content[at])).toEqual([2, 1, 2, 2, 1, 2, 0])
})

test('bytes that come late, twice or damaged do no harm', () => {
  const d = serving()
  const ino = d.make('base/5/1')
  d.write(ino, 0, filled(1))
  const c = cold(d)
  const target = new Uint8Array(10)
  const read = (): number => c.volume.read(ino, 0, 10, target, 0)
  const want = (): Wanted => {
    expect(read()).toBe(WANTS_BYTES)
    return c.volume.wanted[0]!
  }
  const index = want()
  const block = Buffer.from(c.objects.read(index))
  const flipped = Buffer.from(block)
  flipped[20]! ^= 1
  expect(c.volume.deliver(index, flipped)).toBe(false)
  want()
  expect(c.volume.deliver(index, block)).toBe(true)
  expect(c.volume.deliver(index, block)).toBe(true)
  const page = want()
  expect(c.volume.deliver(page, filled(9))).toBe(false)
  expect(c.volume.deliver(page, filled(1, 100))).toBe(false)
  want()
  // It is written meanwhile: what arrives is the page of before.
  c.write(ino, 0, filled(2))
  expect(c.volume.deliver(page, filled(1))).toBe(true)
  expect(read()).toBe(10)
  expect(target[0]).toBe(2)
  c.volume.unlink(c.ino('base/5'), '1')
  expect(c.volume.deliver(page, filled(1))).toBe(true)
})

test('a page that moved while it was fetched is not taken for the new one', () => {
  const d = serving()
  const ino = d.make('base/5/1')
  d.write(ino, 0, filled(1))
  const c = cold(d, 8)
  const read = (): number => c.volume.read(ino, 0, 10, new Uint8Array(10), 0)
  read()
  c.objects.deliver(c.volume)
  expect(read()).toBe(WANTS_BYTES)
  const older = c.volume.wanted[0]!
  c.write(ino, 0, filled(2))
  c.sealAll()
  // Other pages push it out of the cache again.
  const other = c.make('other')
  for (let block = 0; block < 8; block++) c.write(other, block * PAGE_BYTES, filled(9))
  c.sealAll(true)
  expect(read()).toBe(WANTS_BYTES)
  expect(c.volume.deliver(older, filled(1))).toBe(true)
  expect(read()).toBe(WANTS_BYTES)
  expect(c.content(ino)[0]).toBe(2)
})

test('sequential reads fetch ahead, others do not', () => {
  const d = serving(4096)
  const ino = d.make('base/5/1')
  for (let block = 0; block < 100; block++) d.write(ino, block * PAGE_BYTES, filled(block))
  const c = cold(d, 2048)
  const target = new Uint8Array(PAGE_BYTES)
  const wanted = (block: number): number => {
    const read = (): number => c.volume.read(ino, block * PAGE_BYTES, PAGE_BYTES, target, 0)
    if (read() !== WANTS_BYTES) return 0
    if (c.volume.wanted[0]?.kind === 'index') {
      c.objects.deliver(c.volume)
      read()
    }
    const { length } = c.volume.wanted
    c.objects.deliver(c.volume)
    return read() === PAGE_BYTES ? length : -1
  }
  expect(wanted(10)).toBe(1)
  expect(wanted(50)).toBe(1)
  expect(wanted(51)).toBe(33)
  expect(wanted(52)).toBe(0)
})

test('clean pages make room, dirty and logged ones ask for a seal', () => {
  const d = serving(4)
  const ino = d.make('base/5/1')
  const write = (block: number): number => d.volume.write(ino, block * PAGE_BYTES, filled(block + 1), 0, PAGE_BYTES)
  for (let block = 0; block < 4; block++) expect(write(block)).toBe(PAGE_BYTES)
  expect(write(4)).toBe(NEEDS_SEAL)
  expect(d.volume.node(ino)?.size).toBe(4 * PAGE_BYTES)
  d.sealAll()
  expect(write(4)).toBe(PAGE_BYTES)
  expect([...d.content(ino)].filter((_, at) => at % PAGE_BYTES === 0)).toEqual([1, 2, 3, 4, 5])
})

test('a request larger than the cache is refused, not repeated for ever', () => {
  const d = serving(4)
  const ino = d.make('base/5/1')
  expect(d.write(ino, 0, filled(1, 5 * PAGE_BYTES))).toBe(-Errno.ENOSPC)
  for (let block = 0; block < 6; block++) d.write(ino, block * PAGE_BYTES, filled(1))
  const c = cold(d, 4)
  expect(c.run(() => c.volume.read(ino, 0, 6 * PAGE_BYTES, new Uint8Array(6 * PAGE_BYTES), 0))).toBe(-Errno.ENOSPC)
})

test('a write does not evict the pages that it is about to change', () => {
  const d = serving(4)
  const [ino, other] = [d.make('base/5/1'), d.make('base/5/2')]
  d.write(ino, 0, filled(1))
  for (let block = 0; block < 3; block++) d.write(other, block * PAGE_BYTES, filled(9))
  d.sealAll()
  // All four slots are needed; the oldest holds the page that is there and stays in part as it is.
  expect(d.volume.write(ino, 100, filled(2, 4 * PAGE_BYTES - 100), 0, 4 * PAGE_BYTES - 100)).toBe(4 * PAGE_BYTES - 100)
  const content = d.content(ino)
  expect([content[0], content[99], content[100]]).toEqual([1, 1, 2])
})

test('an operation does not push out one of its pages to fetch another, for ever', () => {
  const d = serving()
  const [ino, other] = [d.make('base/5/1'), d.make('base/5/2')]
  d.write(ino, 0, filled(1, 2 * PAGE_BYTES))
  const c = cold(d, 4)
  c.read(ino, 0, 10)
  for (let block = 0; block < 3; block++) c.write(other, block * PAGE_BYTES, filled(9))
  // The only page that could make room for the second is the first.
  const target = new Uint8Array(PAGE_BYTES)
  expect(c.volume.read(ino, 100, PAGE_BYTES, target, 0)).toBe(NEEDS_SEAL)
  expect(c.volume.write(ino, 100, target, 0, PAGE_BYTES)).toBe(NEEDS_SEAL)
  expect(c.write(ino, 100, filled(2))).toBe(PAGE_BYTES)
  expect(c.content(ino)[PAGE_BYTES + 100]).toBe(1)
})

test('a page stays while a capture of it is in flight, though a newer one was published', () => {
  const d = serving(4)
  const [ino, other] = [d.make('base/5/1'), d.make('base/5/2')]
  d.write(ino, 0, filled(1))
  const older = d.capture()!
  d.write(ino, 0, filled(2))
  d.complete(d.capture()!)
  expect(d.volume.isClean(ino)).toBe(true)
  const write = (block: number): number => d.volume.write(other, block * PAGE_BYTES, filled(9), 0, PAGE_BYTES)
  for (let block = 0; block < 3; block++) expect(write(block)).toBe(PAGE_BYTES)
  expect(write(3)).toBe(NEEDS_SEAL)
  // Others that may go do.
  d.sealAll()
  for (let block = 3; block < 6; block++) expect(write(block)).toBe(PAGE_BYTES)
  expect(d.volume.read(other, 0, 10, new Uint8Array(10), 0)).toBe(NEEDS_SEAL)
  d.complete(older)
  expect(d.volume.read(other, 0, 10, new Uint8Array(10), 0)).toBe(WANTS_BYTES)
  expect(d.content(ino)[0]).toBe(2)
})

test('local files have a store of their own, whose slots are used again', () => {
  const d = serving(4)
  const ino = d.make('base/5/t1_1')
  for (let block = 0; block < 50; block++) d.write(ino, block * PAGE_BYTES, filled(block + 1))
  expect(d.local.used).toBe(50)
  expect([...d.content(ino)].filter((_, at) => at % PAGE_BYTES === 0)).toEqual(
    [...Array(50).keys()].map((at) => at + 1),
  )
  d.truncate(ino, 10)
  d.write(ino, 2 * PAGE_BYTES + 5, filled(9, 1))
  const content = d.content(ino)
  expect([content[9], content[10], content[2 * PAGE_BYTES], content[2 * PAGE_BYTES + 5]]).toEqual([1, 0, 0, 9])
  d.volume.unlink(d.ino('base/5'), 't1_1')
  const next = d.make('base/5/t1_2')
  for (let block = 0; block < 50; block++) d.write(next, block * PAGE_BYTES, filled(1))
  expect(d.local.used).toBe(50)
})

test('a full local disk fails the write of a local file, and nothing else', () => {
  const d = serving()
  const ino = d.make('base/5/t1_1')
  d.write(ino, 0, filled(1, 100))
  const write = d.local.write.bind(d.local)
  const complaint = { component: 'page cache', value: 'x', problem: 'full', remedy: 'Free space.' }
  d.local.write = (slot, ...rest) => {
    if (slot >= 2) throw new DiskFailed(complaint)
    write(slot, ...rest)
  }
  expect(d.write(ino, 100, filled(2, 3 * PAGE_BYTES))).toBe(-Errno.ENOSPC)
  expect(d.content(ino)).toEqual(Buffer.from(filled(1, 100)))
  d.local.write = write
  // What the failed write left is not there when the file grows past it, neither in its last page nor in the next.
  d.write(ino, 3 * PAGE_BYTES, filled(4))
  expect(d.content(ino).subarray(100, 3 * PAGE_BYTES)).toEqual(Buffer.alloc(3 * PAGE_BYTES - 100))
  expect(d.local.used).toBe(2)
})

test('a file without a name can be used, leaves the cache for others, and is not logged', () => {
  const d = serving(8)
  const ino = d.make('small')
  const relation = d.make('base/5/1')
  for (let block = 0; block < 4; block++) d.write(ino, block * PAGE_BYTES, filled(block + 1))
  d.sealAll(true)
  d.write(ino, 10, filled(9, 1))
  d.volume.retain(ino)
  d.volume.unlink(ROOT_INO, 'small')
  const { end } = d.log
  expect(d.write(ino, 4 * PAGE_BYTES, filled(5))).toBe(PAGE_BYTES)
  expect(d.write(ino, PAGE_BYTES + 1, filled(9, 1))).toBe(1)
  expect(d.volume.setAttributes(ino, 0o600, 1, 1, 1)).toBe(0)
  expect(d.capture(true)).toBeUndefined()
  for (let block = 0; block < 8; block++) {
    expect(d.volume.write(relation, block * PAGE_BYTES, filled(7), 0, PAGE_BYTES)).toBe(PAGE_BYTES)
  }
  d.sealAll()
  expect(d.log.entries.filter((each) => each.end > end).map(({ entry }) => entry.type)).toEqual(['sealed'])
  const content = d.content(ino)
  const marks = [0, 10, PAGE_BYTES, PAGE_BYTES + 1, 2 * PAGE_BYTES, 4 * PAGE_BYTES]
  expect(marks.map((at) => content[at])).toEqual([1, 9, 2, 9, 3, 5])
  d.truncate(ino, 5)
  expect(d.content(ino)).toEqual(Buffer.from([1, 1, 1, 1, 1]))
  d.volume.release(ino)
  expect(d.volume.node(ino)).toBeUndefined()
})

test('reads end at the end of the file, and only files are read', () => {
  const d = serving()
  const ino = d.make('small')
  d.write(ino, 0, filled(1, 10))
  expect(d.read(ino, 5, 100).length).toBe(5)
  expect(d.read(ino, 10, 100).length).toBe(0)
  expect(d.read(ino, 100, 100).length).toBe(0)
  expect(d.volume.read(ROOT_INO, 0, 1, new Uint8Array(1), 0)).toBe(-Errno.EISDIR)
  expect(d.volume.write(ROOT_INO, 0, filled(1), 0, 1)).toBe(-Errno.EISDIR)
  expect(d.volume.truncate(999, 0)).toBe(-Errno.ENOENT)
  const link = d.make('link', 0o120777, 'small')
  expect(d.volume.truncate(link, 0)).toBe(-Errno.EINVAL)
})

test('files have a largest size', () => {
  const d = serving()
  for (const path of ['small', 'base/5/1', 'base/5/t1_1']) {
    const ino = d.make(path)
    expect(d.write(ino, FILE_BYTES_MAX - 1, filled(1, 2))).toBe(-Errno.EFBIG)
    expect(d.truncate(ino, FILE_BYTES_MAX + 1)).toBe(-Errno.EFBIG)
    expect(d.truncate(ino, FILE_BYTES_MAX)).toBe(0)
  }
})

test('allocate only lengthens', () => {
  const d = serving()
  const ino = d.make('small')
  d.write(ino, 0, filled(1, 100))
  const entries = d.log.entries.length
  expect(d.volume.allocate(ino, 0, 50)).toBe(0)
  expect(d.log.entries.length).toBe(entries)
  expect(d.volume.allocate(ino, 100, 50)).toBe(0)
  expect(d.log.entries.at(-1)?.entry).toMatchObject({ type: 'truncated', ino, size: 150 })
  expect(d.volume.lastPosition(ino)).toBe(d.log.end)
})

test('a short file that is cut and grown again shows zeros', () => {
  const d = serving()
  for (const path of ['small', 'base/5/1', 'base/5/t1_1']) {
    const ino = d.make(path)
    d.write(ino, 0, filled(1, 2 * PAGE_BYTES))
    d.truncate(ino, PAGE_BYTES + 3)
    d.truncate(ino, 2 * PAGE_BYTES)
    const content = d.content(ino)
    expect([PAGE_BYTES + 2, PAGE_BYTES + 3].map((at) => content[at])).toEqual([1, 0])
  }
})
