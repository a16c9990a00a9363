/** Names as POSIX has them, and what of them reaches the log. */
import { expect, test } from 'vitest'
import { Errno } from './errno.ts'
import { ROOT_INO } from './node.ts'
import { Driver, filled } from './testing.ts'

const DIRECTORY = 0o040700
const LINK = 0o120777

function tree(): Driver {
  const driver = Driver.serving()
  driver.makeDirectories('a', 'a/b', 'c', 'base', 'base/5', 'pg_tblspc', 'pg_stat_tmp')
  for (const path of ['f', 'a/g', 'base/5/1', 'pg_stat_tmp/t', 'postmaster.pid']) driver.make(path)
  return driver
}

/** Number of entries that the operation appended. */
function logged(driver: Driver, operation: () => void): number {
  const before = driver.log.entries.length
  operation()
  return driver.log.entries.length - before
}

test('creation refuses what exists, what has no directory, and links in pg_tblspc', () => {
  const d = tree()
  const { volume } = d
  expect(volume.create(ROOT_INO, 'f', 0o100600, 0, 0)).toBe(-Errno.EEXIST)
  expect(volume.create(d.ino('f'), 'x', 0o100600, 0, 0)).toBe(-Errno.ENOTDIR)
  expect(volume.create(999, 'x', 0o100600, 0, 0)).toBe(-Errno.ENOENT)
  expect(volume.create(d.ino('pg_tblspc'), '16385', LINK, 0, 0, '/elsewhere')).toBe(-Errno.EPERM)
  const link = volume.create(ROOT_INO, 'link', LINK, 0, 0, 'a/bä')
  expect(volume.node(link)).toMatchObject({ target: 'a/bä', size: 5, nlink: 1 })
})

test('lookup says 0 for no such name, and refuses what is no directory', () => {
  const d = tree()
  expect(d.volume.lookup(ROOT_INO, 'nothing')).toBe(0)
  expect(d.volume.lookup(d.ino('f'), 'x')).toBe(-Errno.ENOTDIR)
  expect(d.volume.lookup(999, 'x')).toBe(-Errno.ENOENT)
})

test('unlink and rmdir take only their own kind, and only what is empty', () => {
  const d = tree()
  const { volume } = d
  expect(volume.unlink(ROOT_INO, 'a')).toBe(-Errno.EISDIR)
  expect(volume.rmdir(ROOT_INO, 'f')).toBe(-Errno.ENOTDIR)
  expect(volume.rmdir(ROOT_INO, 'a')).toBe(-Errno.ENOTEMPTY)
  expect(volume.rmdir(ROOT_INO, 'x')).toBe(-Errno.ENOENT)
  expect(volume.unlink(ROOT_INO, 'x')).toBe(-Errno.ENOENT)
  expect(volume.rmdir(d.ino('a'), 'b')).toBe(0)
  expect(volume.rmdir(ROOT_INO, 'pg_stat_tmp')).toBe(-Errno.ENOTEMPTY)
})

test('a removed directory in use takes no new names', () => {
  const d = tree()
  const c = d.ino('c')
  d.volume.retain(c)
  expect(d.volume.rmdir(ROOT_INO, 'c')).toBe(0)
  expect(d.volume.create(c, 'x', 0o100600, 0, 0)).toBe(-Errno.ENOENT)
  expect(d.volume.rename(ROOT_INO, 'f', c, 'f', false)).toBe(-Errno.ENOENT)
  expect(d.volume.node(c)?.nlink).toBe(0)
  d.volume.release(c)
  expect(d.volume.node(c)).toBeUndefined()
})

test('links are counted', () => {
  const d = tree()
  const { volume } = d
  const f = d.ino('f')
  expect(volume.link(f, d.ino('a'), 'h')).toBe(0)
  expect(volume.node(f)?.nlink).toBe(2)
  expect(volume.link(d.ino('a'), ROOT_INO, 'x')).toBe(-Errno.EPERM)
  expect(volume.link(f, ROOT_INO, 'f')).toBe(-Errno.EEXIST)
  expect(volume.link(999, ROOT_INO, 'x')).toBe(-Errno.ENOENT)
  expect(volume.unlink(ROOT_INO, 'f')).toBe(0)
  expect(volume.node(f)?.nlink).toBe(1)
  d.write(f, 0, filled(1, 10))
  expect(Driver.folded(d.objects, d.log.entries).image()).toEqual(d.image())
  expect(volume.unlink(d.ino('a'), 'h')).toBe(0)
  expect(volume.node(f)).toBeUndefined()
})

test('directories count their directories', () => {
  const d = tree()
  const root = () => d.volume.node(ROOT_INO)!.nlink
  const before = root()
  expect(d.volume.node(d.ino('a'))?.nlink).toBe(3)
  d.volume.rename(d.ino('a'), 'b', ROOT_INO, 'b', false)
  expect(d.volume.node(d.ino('a'))?.nlink).toBe(2)
  expect(root()).toBe(before + 1)
  d.volume.rmdir(ROOT_INO, 'b')
  expect(root()).toBe(before)
})

test('rename refuses what rename(2) refuses', () => {
  const d = tree()
  const { volume } = d
  const a = d.ino('a')
  expect(volume.rename(ROOT_INO, 'x', ROOT_INO, 'y', false)).toBe(-Errno.ENOENT)
  expect(volume.rename(ROOT_INO, 'f', a, 'g', true)).toBe(-Errno.EEXIST)
  expect(volume.rename(ROOT_INO, 'f', ROOT_INO, 'c', false)).toBe(-Errno.EISDIR)
  expect(volume.rename(ROOT_INO, 'c', ROOT_INO, 'f', false)).toBe(-Errno.ENOTDIR)
  expect(volume.rename(ROOT_INO, 'c', ROOT_INO, 'a', false)).toBe(-Errno.ENOTEMPTY)
  expect(volume.rename(ROOT_INO, 'a', d.ino('a/b'), 'x', false)).toBe(-Errno.EINVAL)
  expect(volume.rename(ROOT_INO, 'a', a, 'x', false)).toBe(-Errno.EINVAL)
  expect(volume.rename(ROOT_INO, 'f', d.ino('a/g'), 'x', false)).toBe(-Errno.ENOTDIR)
  expect(volume.rename(ROOT_INO, 'c', a, 'b', false)).toBe(0)
  expect(volume.rename(ROOT_INO, 'f', a, 'g', false)).toBe(0)
  expect(d.ino('f')).toBe(0)
  expect(Driver.folded(d.objects, d.log.entries).image()).toEqual(d.image())
})

test('a rename onto another name of the same file changes nothing', () => {
  const d = tree()
  d.volume.link(d.ino('f'), ROOT_INO, 'f2')
  expect(logged(d, () => expect(d.volume.rename(ROOT_INO, 'f', ROOT_INO, 'f2', false)).toBe(0))).toBe(0)
  expect(d.ino('f')).toBe(d.ino('f2'))
})

test('what is local is not logged, and does not move to where it would be', () => {
  const d = tree()
  const { volume } = d
  const temporary = d.ino('pg_stat_tmp')
  expect(
    logged(d, () => {
      expect(d.make('pg_stat_tmp/new')).toBeGreaterThan(2 ** 31)
      d.write(d.ino('pg_stat_tmp/new'), 0, filled(1))
      expect(volume.rename(temporary, 'new', temporary, 'old', false)).toBe(0)
      expect(volume.setAttributes(d.ino('pg_stat_tmp/old'), 0o600, 1, 1, 1)).toBe(0)
      expect(volume.link(d.ino('pg_stat_tmp/old'), temporary, 'older')).toBe(0)
      d.truncate(d.ino('pg_stat_tmp/old'), 3)
      expect(volume.unlink(temporary, 'old')).toBe(0)
      expect(d.make('base/pgsql_tmp', DIRECTORY)).toBeGreaterThan(2 ** 31)
      expect(volume.rmdir(d.ino('base'), 'pgsql_tmp')).toBe(0)
    }),
  ).toBe(0)
  expect(volume.rename(temporary, 't', ROOT_INO, 't', false)).toBe(-Errno.EXDEV)
  expect(volume.rename(ROOT_INO, 'f', temporary, 'f', false)).toBe(-Errno.EXDEV)
  expect(volume.rename(ROOT_INO, 'f', ROOT_INO, 'postmaster.pid', false)).toBe(-Errno.EXDEV)
  expect(volume.link(d.ino('f'), temporary, 'f')).toBe(-Errno.EXDEV)
  expect(volume.link(d.ino('pg_stat_tmp/t'), ROOT_INO, 'x')).toBe(-Errno.EXDEV)
})

test('positions: who changes a name or attributes knows what to wait for', () => {
  const d = tree()
  const { volume, log } = d
  const [a, c] = [d.ino('a'), d.ino('c')]
  const g = d.ino('a/g')
  volume.rename(a, 'g', c, 'g', false)
  for (const ino of [a, c, g]) expect(volume.lastPosition(ino)).toBe(log.end)
  volume.link(g, a, 'again')
  expect(volume.lastPosition(a)).toBe(log.end)
  expect(volume.lastPosition(c)).toBeLessThan(log.end)
  volume.setAttributes(g, 0o640, 1, 2, 3)
  expect(volume.lastPosition(g)).toBe(log.end)
  expect(volume.node(g)).toMatchObject({ mode: 0o100640, uid: 1, gid: 2, mtimeMs: 3 })
  volume.unlink(c, 'g')
  expect(volume.lastPosition(c)).toBe(log.end)
  const fold = Driver.folded(d.objects, log.entries).volume
  for (const ino of [a, c, g]) expect(fold.lastPosition(ino)).toBe(volume.lastPosition(ino))
})

test('inodes are not used again, even if their entries come from a snapshot', () => {
  const d = tree()
  const last = d.make('last')
  d.volume.unlink(ROOT_INO, 'last')
  const restored = Driver.folded(d.objects, [], d.snapshot())
  restored.serve()
  expect(restored.make('next')).toBe(last + 1)
})

test('a volume without a log refuses changes', () => {
  const { volume } = new Driver()
  expect(volume.create(ROOT_INO, 'x', 0o100600, 0, 0)).toBe(-Errno.EROFS)
  expect(volume.write(2, 0, filled(1), 0, 1)).toBe(-Errno.EROFS)
  expect(volume.truncate(2, 0)).toBe(-Errno.EROFS)
})
