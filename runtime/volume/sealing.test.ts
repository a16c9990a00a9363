/** What may and what must not be published when a seal lands, whatever happened while it flew. */
import { expect, test } from 'vitest'
import { PAGE_BYTES, type SealedEntry } from '../../events/log-entry.ts'
import { ROOT_INO } from './node.ts'
import { Driver, filled } from './testing.ts'
import { NEEDS_SEAL } from './types.ts'

function database(): Driver {
  const driver = Driver.serving()
  driver.makeDirectories('base', 'base/5')
  driver.make('base/5/1')
  driver.make('base/5/2')
  driver.make('small')
  return driver
}

/** The volume as a crash now would leave it. */
const crashed = (driver: Driver): Driver => Driver.folded(driver.objects, driver.log.entries)

function lastSealed(driver: Driver): SealedEntry {
  const entry = driver.log.entries.findLast((each) => each.entry.type === 'sealed')?.entry
  if (entry?.type !== 'sealed') throw new Error('nothing was sealed')
  return entry
}

test('pages stand in the segment by file and block, and the entry names them', () => {
  const d = database()
  const [one, two] = [d.ino('base/5/1'), d.ino('base/5/2')]
  d.write(two, 0, filled(4))
  d.write(one, PAGE_BYTES, filled(2))
  d.write(one, 0, filled(1))
  expect(d.volume.dirtyPageCount).toBe(3)
  const captured = d.capture()!
  expect(captured.seal.pageCount).toBe(3)
  expect([0, 1, 2].map((page) => captured.bytes[page * PAGE_BYTES])).toEqual([1, 2, 4])
  expect(d.volume.dirtyPageCount).toBe(0)
  expect(d.volume.isClean(one)).toBe(false)
  const position = d.complete(captured)
  expect(position).toBe(d.log.end)
  expect(d.volume.isClean(one)).toBe(true)
  expect(d.volume.lastPosition(one)).toBe(position)
  const { pages, sizes } = lastSealed(d)
  expect([...pages].filter((_, at) => at % 4 !== 3)).toEqual([one, 0, 0, one, 1, 1, two, 0, 2])
  expect(sizes).toEqual([
    [one, 2 * PAGE_BYTES],
    [two, PAGE_BYTES],
  ])
})

test('a seal takes no more pages than asked for, and the rest later', () => {
  const d = database()
  for (let block = 0; block < 5; block++) d.write(d.ino('base/5/1'), block * PAGE_BYTES, filled(block))
  expect(d.capture(false, 3)?.seal.pageCount).toBe(3)
  expect(d.capture(false, 3)?.seal.pageCount).toBe(2)
  expect(d.capture(false, 3)).toBeUndefined()
})

test('a page rewritten in flight is published as captured and stays dirty', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  d.write(ino, 0, filled(1))
  const captured = d.capture()!
  d.write(ino, 0, filled(2))
  d.complete(captured)
  expect(d.volume.isClean(ino)).toBe(false)
  expect(d.volume.dirtyPageCount).toBe(1)
  expect(d.content(ino)[0]).toBe(2)
  expect(crashed(d).content(ino)[0]).toBe(1)
  d.sealAll()
  expect(crashed(d).content(ino)[0]).toBe(2)
})

test('an older capture does not undo a newer one, even while the page is dirty again', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  d.write(ino, 0, filled(1))
  const older = d.capture()!
  d.write(ino, 0, filled(2))
  const newer = d.capture()!
  d.complete(newer)
  d.write(ino, 0, filled(3))
  d.complete(older)
  expect(crashed(d).content(ino)[0]).toBe(2)
  d.sealAll()
  expect(crashed(d).content(ino)[0]).toBe(3)
})

test('an older capture lands after the page was cleaned by a newer one', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  d.write(ino, 0, filled(1))
  const older = d.capture()!
  d.write(ino, 0, filled(2))
  d.complete(d.capture()!)
  expect(d.volume.isClean(ino)).toBe(true)
  const end = d.log.end
  expect(d.complete(older)).toBe(end)
  expect(crashed(d).content(ino)[0]).toBe(2)
})

test('pages cut off in flight are not published, even if the file grows over them again', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  for (let block = 0; block < 3; block++) d.write(ino, block * PAGE_BYTES, filled(7))
  const captured = d.capture()!
  d.truncate(ino, PAGE_BYTES)
  d.truncate(ino, 3 * PAGE_BYTES)
  d.complete(captured)
  expect(lastSealed(d).pages.length).toBe(4)
  const content = crashed(d).content(ino)
  expect([content.length, content[0], content[PAGE_BYTES], content[2 * PAGE_BYTES]]).toEqual([3 * PAGE_BYTES, 7, 0, 0])
})

test('pages written anew after a cut are not confused with those captured before it', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  d.write(ino, 0, filled(1))
  const captured = d.capture()!
  d.truncate(ino, 0)
  d.write(ino, 0, filled(2))
  expect(d.complete(captured)).toBe(d.log.end)
  expect(d.log.entries.some(({ entry }) => entry.type === 'sealed')).toBe(false)
  expect(d.volume.isClean(ino)).toBe(false)
})

test('pages of a file deleted in flight are not published', () => {
  const d = database()
  const one = d.ino('base/5/1')
  d.write(one, 0, filled(1))
  d.write(d.ino('base/5/2'), 0, filled(2))
  const captured = d.capture()!
  d.volume.unlink(d.ino('base/5'), '1')
  d.complete(captured)
  expect([...lastSealed(d).pages.filter((_, at) => at % 4 === 0)]).toEqual([d.ino('base/5/2')])
  expect(crashed(d).ino('base/5/1')).toBe(0)
})

test('nor those of a file that was replaced or is still in use without a name', () => {
  const d = database()
  const [one, two] = [d.ino('base/5/1'), d.ino('base/5/2')]
  d.volume.retain(one)
  d.write(one, 0, filled(1))
  const captured = d.capture()!
  d.volume.rename(d.ino('base/5'), '2', d.ino('base/5'), '1', false)
  expect(d.complete(captured)).toBe(d.log.end)
  expect(d.content(one)[0]).toBe(1)
  expect(d.volume.isClean(one)).toBe(true)
  expect(crashed(d).ino('base/5/1')).toBe(two)
  d.volume.release(one)
  expect(d.volume.node(one)).toBeUndefined()
})

test('a cut through a dirty page waits for the seal, and then is the log’s', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  d.write(ino, 0, filled(1))
  const captured = d.capture()!
  expect(d.volume.truncate(ino, 100)).toBe(NEEDS_SEAL)
  expect(d.volume.node(ino)?.size).toBe(PAGE_BYTES)
  d.complete(captured)
  expect(d.volume.truncate(ino, 100)).toBe(0)
  expect(d.volume.isClean(ino)).toBe(true)
  d.truncate(ino, PAGE_BYTES)
  const content = crashed(d).content(ino)
  expect([content[99], content[100]]).toEqual([1, 0])
})

test('a page that a cut went through is sealed before it is written again', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  d.write(ino, 0, filled(1))
  d.sealAll()
  d.truncate(ino, 100)
  expect(d.volume.write(ino, 0, filled(2, 50), 0, 50)).toBe(NEEDS_SEAL)
  // Else a snapshot could not say what the log says of this page: neither the segment nor the cache has it.
  d.write(ino, 0, filled(2, 50))
  d.truncate(ino, PAGE_BYTES)
  const restored = Driver.folded(d.objects, [], d.snapshot())
  const content = restored.content(ino)
  expect([content[0], content[50], content[100]]).toEqual([1, 1, 0])
  expect(restored.image()).toEqual(crashed(d).image())
})

test('logged pages are sealed when asked for, and then may leave the cache', () => {
  const d = Driver.serving({ slotCount: 8 })
  const ino = d.make('small')
  for (let block = 0; block < 6; block++) d.write(ino, block * PAGE_BYTES, filled(block + 1))
  expect(d.capture(false)).toBeUndefined()
  d.complete(d.capture(true)!)
  expect(lastSealed(d).sizes).toEqual([])
  const other = d.make('other')
  for (let block = 0; block < 8; block++) d.write(other, block * PAGE_BYTES, filled(9))
  expect([...d.content(ino)].filter((_, at) => at % PAGE_BYTES === 0)).toEqual([1, 2, 3, 4, 5, 6])
  expect(crashed(d).image()).toEqual(d.image())
})

test('a logged page rewritten in flight is not published: its segment is not what the log says', () => {
  const d = database()
  const ino = d.ino('small')
  d.write(ino, 0, filled(1))
  const captured = d.capture(true)!
  d.write(ino, 5, filled(2, 5))
  expect(d.complete(captured)).toBe(d.log.end)
  expect(d.log.entries.some(({ entry }) => entry.type === 'sealed')).toBe(false)
  expect(crashed(d).content(ino).equals(d.content(ino))).toBe(true)
  expect(d.capture(true)?.seal.pageCount).toBe(1)
})

test('what an abandoned seal captured is sealed by the next', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  d.write(ino, 0, filled(1))
  d.write(ino, PAGE_BYTES, filled(1))
  const captured = d.capture()!
  d.write(ino, 0, filled(2))
  d.volume.abandonSeal(captured.seal)
  expect(d.volume.dirtyPageCount).toBe(2)
  expect(d.capture()?.seal.pageCount).toBe(2)
  expect(() => d.volume.abandonSeal(captured.seal)).toThrow('ends twice')
})

test('a seal that was never read cannot be completed', () => {
  const d = database()
  d.write(d.ino('base/5/1'), 0, filled(1))
  const seal = d.volume.beginSeal(1, { includeLogged: false })!
  expect(() => d.volume.completeSeal(seal, 1, 1)).toThrow('never read')
})

test('local files are never sealed', () => {
  const d = database()
  d.write(d.make('base/5/t1_5'), 0, filled(1))
  d.write(d.make('postmaster.pid'), 0, filled(1))
  expect(d.capture(true)).toBeUndefined()
  expect(d.volume.isClean(d.ino('base/5/t1_5'))).toBe(true)
  expect(d.volume.lookup(ROOT_INO, 'postmaster.pid')).toBeGreaterThan(0)
})
