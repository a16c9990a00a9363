/** Snapshots: exact at their position, at any moment, and cheap to go on from. */
import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Damaged, FormatTooNew } from '../errors.ts'
import { referencedIndexKeys } from './file-table.ts'
import { SNAPSHOT_LOGGED_PAGES_MAX } from './snapshot.ts'
import { Driver, filled } from './testing.ts'
import { WANTS_BYTES } from './types.ts'

function database(slotCount = 64): Driver {
  const driver = Driver.serving({ slotCount })
  driver.makeDirectories('base', 'base/5', 'pg_wal')
  driver.make('base/5/1')
  driver.make('pg_wal/1')
  return driver
}

const kinds = (objects: ReturnType<Driver['takeSnapshot']>): string[] => objects.map(({ kind }) => kind)

test('it takes along what only the log has, and leaves out what not even the log has', () => {
  const d = database()
  const [relation, wal] = [d.ino('base/5/1'), d.ino('pg_wal/1')]
  d.write(relation, 0, filled(1))
  d.sealAll()
  d.write(relation, 0, filled(2))
  d.write(relation, PAGE_BYTES, filled(2))
  d.write(wal, 0, filled(3, 100))
  const image = Driver.folded(d.objects, d.log.entries).image()
  const objects = d.takeSnapshot()
  expect(kinds(objects)).toEqual(['segment', 'index', 'files'])
  const restored = Driver.folded(d.objects, [], objects.at(-1)!.bytes)
  expect(restored.image()).toEqual(image)
  expect(restored.volume.node(relation)?.size).toBe(PAGE_BYTES)
  expect(restored.content(wal)[99]).toBe(3)
})

test('writes and seals go on while it is stored', () => {
  const d = database()
  const [relation, wal] = [d.ino('base/5/1'), d.ino('pg_wal/1')]
  d.write(relation, 0, filled(1))
  const flying = d.capture()!
  d.write(wal, 0, filled(3, 100))
  const table = d.takeSnapshot().at(-1)!.bytes
  expect(d.volume.canSnapshot).toBe(false)
  d.complete(flying)
  d.write(wal, 50, filled(4, 100))
  d.write(relation, PAGE_BYTES, filled(2))
  d.volume.snapshotStored(true)
  d.sealAll(true)
  expect(Driver.folded(d.objects, d.log.entries, table).image()).toEqual(d.image())
  // What changed while the first was stored belongs into the second.
  expect(Driver.folded(d.objects, [], d.snapshot()).image()).toEqual(d.image())
})

test('the next one states only what changed, and refers to objects of earlier ones for the rest', () => {
  const d = database()
  d.write(d.ino('base/5/1'), 0, filled(1))
  d.sealAll()
  const first = d.snapshot()
  const other = d.make('base/5/2')
  d.write(other, 0, filled(2))
  d.sealAll()
  const objects = d.takeSnapshot()
  d.volume.snapshotStored(true)
  expect(kinds(objects)).toEqual(['index', 'files'])
  const table = objects.at(-1)!.bytes
  expect(referencedIndexKeys(table)).toEqual([...referencedIndexKeys(first), objects[0]!.key])
  expect(Driver.folded(d.objects, [], table).image()).toEqual(d.image())
  expect(kinds(d.takeSnapshot())).toEqual(['files'])
})

test('one that could not be stored is forgotten', () => {
  const d = database()
  d.write(d.ino('base/5/1'), 0, filled(1))
  d.write(d.ino('pg_wal/1'), 0, filled(1))
  d.sealAll()
  const lost = d.volume.takeSnapshot(d.log.end, d.names)
  expect(kinds(lost)).toEqual(['segment', 'index', 'files'])
  d.volume.snapshotStored(false)
  const again = d.takeSnapshot()
  expect(kinds(again)).toEqual(['segment', 'index', 'files'])
  expect(Driver.folded(d.objects, [], again.at(-1)!.bytes).image()).toEqual(d.image())
})

test('a page table that is not loaded is loaded before it is written anew', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  for (let block = 0; block < 3; block++) d.write(ino, block * PAGE_BYTES, filled(block + 1))
  d.sealAll()
  const c = Driver.folded(d.objects, [], d.snapshot())
  c.serve()
  c.write(ino, PAGE_BYTES, filled(9))
  c.sealAll()
  expect(c.volume.canSnapshot).toBe(false)
  expect(c.volume.prepareSnapshot()).toBe(WANTS_BYTES)
  expect(c.volume.wanted.map(({ kind }) => kind)).toEqual(['index'])
  const image = Driver.folded(c.objects, [], c.snapshot()).image()
  expect(image).toEqual(c.image())
})

test('so is the page table of a page that only the log has', () => {
  const d = database()
  const ino = d.ino('pg_wal/1')
  d.write(ino, 0, filled(1, 3 * PAGE_BYTES))
  d.sealAll(true)
  const c = Driver.folded(d.objects, [], d.snapshot())
  c.serve()
  c.write(ino, PAGE_BYTES, filled(9))
  expect(c.volume.canSnapshot).toBe(false)
  expect(Driver.folded(c.objects, [], c.snapshot()).image()).toEqual(c.image())
})

test('a cut page table keeps what was cut off out of sight, loaded or not', () => {
  const d = database()
  const ino = d.ino('base/5/1')
  for (let block = 0; block < 4; block++) d.write(ino, block * PAGE_BYTES, filled(block + 1))
  d.sealAll()
  const c = Driver.folded(d.objects, [], d.snapshot())
  c.serve()
  c.truncate(ino, 2 * PAGE_BYTES)
  c.truncate(ino, 4 * PAGE_BYTES)
  const content = c.content(ino)
  expect([0, 1, 2, 3].map((block) => content[block * PAGE_BYTES])).toEqual([1, 2, 0, 0])
  expect(Driver.folded(c.objects, [], c.snapshot()).image()).toEqual(c.image())
})

test('with too much that only the log has, it must wait for seals', () => {
  const d = database(SNAPSHOT_LOGGED_PAGES_MAX + 128)
  const ino = d.ino('pg_wal/1')
  const data = filled(1, 64 * PAGE_BYTES)
  for (let block = 0; block <= SNAPSHOT_LOGGED_PAGES_MAX; block += 64) d.write(ino, block * PAGE_BYTES, data)
  expect(d.volume.canSnapshot).toBe(false)
  expect(() => d.volume.takeSnapshot(d.log.end, d.names)).toThrow('not prepared')
  d.sealAll(true)
  expect(d.volume.canSnapshot).toBe(true)
})

test('many pages of the log become several segments', () => {
  const d = database(2048)
  const ino = d.ino('pg_wal/1')
  for (let block = 0; block < 1024 + 64; block += 64) d.write(ino, block * PAGE_BYTES, filled(block, 64 * PAGE_BYTES))
  const objects = d.takeSnapshot()
  expect(kinds(objects)).toEqual(['segment', 'segment', 'segment', 'index', 'files'])
  expect(Driver.folded(d.objects, [], objects.at(-1)!.bytes).image()).toEqual(d.image())
})

test('files without a name and local files are not in it', () => {
  const d = database()
  const ino = d.ino('pg_wal/1')
  d.write(ino, 0, filled(1))
  d.sealAll(true)
  d.volume.retain(ino)
  d.volume.unlink(d.ino('pg_wal'), '1')
  d.make('postmaster.pid')
  const restored = Driver.folded(d.objects, [], d.snapshot())
  expect(restored.ino('postmaster.pid')).toBe(0)
  expect(restored.volume.node(ino)).toBeUndefined()
  expect(restored.image()).toEqual(Driver.folded(d.objects, d.log.entries).image())
})

test('damage and formats of the future are told apart, and nothing is made of either', () => {
  const d = database()
  const table = d.snapshot()
  const flipped = Uint8Array.from(table)
  flipped[flipped.length - 1]! ^= 1
  expect(() => new Driver().volume.restore(flipped)).toThrow(Damaged)
  expect(() => new Driver().volume.restore(table.subarray(0, 20))).toThrow(Damaged)
  const newer = Uint8Array.from(table)
  newer[4] = 2
  expect(() => new Driver().volume.restore(newer)).toThrow(FormatTooNew)
})

test('a snapshot of a restored volume says the same again', () => {
  const d = database()
  d.write(d.ino('base/5/1'), 0, filled(1))
  d.sealAll()
  const c = Driver.folded(d.objects, [], d.snapshot())
  const again = c.snapshot()
  expect(referencedIndexKeys(again).length).toBe(1)
  expect(Driver.folded(c.objects, [], again).image()).toEqual(d.image())
})

test('a restored volume knows where the log goes on', () => {
  const d = database()
  const { end } = d.log
  expect(new Driver({ objects: d.objects }).volume.restore(d.snapshot())).toBe(end)
})
