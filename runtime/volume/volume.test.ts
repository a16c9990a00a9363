/** The life of a volume in one go: created, served, lost, folded, served again. The parts have tests of their own. */
import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { FileClass } from './file-class.ts'
import { Driver, filled } from './testing.ts'

test('what was synced outlives its volume, and what was not is gone', () => {
  const first = Driver.serving()
  first.makeDirectories('base', 'base/5', 'pg_wal')
  const wal = first.make('pg_wal/000000010000000000000001')
  const relation = first.make('base/5/16384')
  const lock = first.make('postmaster.pid')
  first.write(wal, 0, filled(1))
  first.write(relation, 0, filled(2))
  first.write(lock, 0, filled(3, 10))
  expect(first.volume.fileClass(wal)).toBe(FileClass.logged)
  expect(first.volume.fileClass(relation)).toBe(FileClass.paged)
  expect(first.volume.fileClass(lock)).toBe(FileClass.local)
  expect([wal, relation, lock].map((ino) => first.volume.isClean(ino))).toEqual([true, false, true])
  first.sealAll()
  const table = first.snapshot()
  first.write(wal, 100, filled(4, 50))
  first.write(relation, PAGE_BYTES, filled(5))

  const second = Driver.folded(first.objects, first.log.entries, table)
  second.log.end = first.log.end
  second.serve()
  expect(second.ino('postmaster.pid')).toBe(0)
  expect(second.content(wal).equals(first.content(wal))).toBe(true)
  expect(second.content(relation).equals(filled(2))).toBe(true)
  second.write(relation, 0, filled(6))
  second.sealAll()
  expect(second.volume.lastPosition(relation)).toBeGreaterThan(first.log.end)
  const third = Driver.folded(first.objects, [...first.log.entries, ...second.log.entries])
  expect(third.image()).toEqual(second.image())
})
