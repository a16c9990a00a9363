/** The volume as its driver sees it: serve, fold, seal. The parts have tests of their own. */
import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Driver, filled } from './testing.ts'

function database(slotCount?: number): Driver {
  const driver = Driver.serving(slotCount === undefined ? {} : { slotCount })
  driver.makeDirectories('base', 'base/5', 'global', 'pg_wal', 'pg_stat_tmp')
  return driver
}

test('basic: logged, paged, fold, seal, snapshot', () => {
  const d = database()
  const wal = d.make('pg_wal/000000010000000000000001')
  const rel = d.make('base/5/1234')
  const pid = d.make('postmaster.pid')
  d.write(wal, 0, filled(1))
  d.write(wal, 100, filled(2, 50))
  d.write(rel, 0, filled(3))
  d.write(rel, 3 * PAGE_BYTES, filled(4))
  d.write(pid, 0, filled(9, 10))
  expect(d.volume.isClean(rel)).toBe(false)
  expect(d.volume.isClean(wal)).toBe(true)
  d.sealAll()
  expect(d.volume.isClean(rel)).toBe(true)
  const f = Driver.folded(d.objects, d.log.entries)
  expect(f.image()).toEqual(d.image())
  expect(f.ino('postmaster.pid')).toBe(0)
  const table = d.snapshot()
  d.write(wal, 120, filled(5, 5))
  d.write(rel, 4 * PAGE_BYTES, filled(6))
  d.sealAll()
  const g = Driver.folded(d.objects, d.log.entries, table)
  expect(g.image()).toEqual(d.image())
  d.truncate(rel, PAGE_BYTES + 10)
  d.truncate(wal, 10)
  expect(Driver.folded(d.objects, d.log.entries, table).image()).toEqual(d.image())
  expect(Driver.folded(d.objects, d.log.entries).image()).toEqual(d.image())
})
