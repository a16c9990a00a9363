/** The fold where it cannot follow the mount: entries that contradict it, and a volume that only ever folds. */
import { expect, test } from 'vitest'
import type { LogEntry } from '../../events/log-entry.ts'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Damaged } from '../errors.ts'
import { ROOT_INO } from './node.ts'
import { Driver, filled, MemoryObjects } from './testing.ts'
import { WANTS_BYTES } from './types.ts'

const at = 1
const file = {
  type: 'created',
  at,
  ino: 2,
  parent: ROOT_INO,
  name: 'f',
  mode: 0o100600,
  uid: 0,
  gid: 0,
  target: '',
} as const
const directory = { ...file, ino: 3, name: 'd', mode: 0o040700 } as const

test.each<[string, LogEntry]>([
  ['a file that exists', file],
  ['a used inode', { ...file, name: 'g' }],
  ['no such directory', { ...file, ino: 9, parent: 99 }],
  ['a write to nothing', { type: 'write', at, ino: 99, offset: 0, data: filled(1, 5) }],
  ['a write to a directory', { type: 'write', at, ino: 3, offset: 0, data: filled(1, 5) }],
  ['a cut of nothing', { type: 'truncated', at, ino: 99, size: 0 }],
  ['a missing name', { type: 'unlinked', at, parent: ROOT_INO, name: 'x' }],
  ['a missing source', { type: 'renamed', at, parent: ROOT_INO, name: 'x', newParent: ROOT_INO, newName: 'y' }],
  ['attributes of nothing', { type: 'attributes', at, ino: 99, mode: 0, uid: 0, gid: 0, modifiedAt: 0 }],
  ['a link to nothing', { type: 'linked', at, ino: 99, parent: ROOT_INO, name: 'x' }],
  [
    'pages of nothing',
    { type: 'sealed', at, segmentTerm: 1, segmentNumber: 1, pages: Uint32Array.of(99, 0, 0, 0), sizes: [] },
  ],
])('refuses %s', (_, entry) => {
  const d = new Driver()
  d.apply(file, 10)
  d.apply(directory, 20)
  expect(() => d.apply(entry, 30)).toThrow(Damaged)
})

test('an entry that lacks bytes changes nothing until they came', () => {
  const live = Driver.serving()
  const ino = live.make('f')
  live.write(ino, 0, filled(1))
  live.sealAll(true)
  const table = live.snapshot()
  live.write(ino, 10, filled(2, 5))
  const { entry, end } = live.log.entries.at(-1)!
  const d = new Driver({ objects: live.objects })
  d.volume.restore(table)
  expect(d.volume.apply(entry, end)).toBe(WANTS_BYTES)
  expect(d.volume.lastPosition(ino)).toBe(0)
  d.apply(entry, end)
  expect(d.content(ino).equals(live.content(ino))).toBe(true)
})

test('a replica sees pages as they are sealed, whatever it has cached', () => {
  const live = Driver.serving()
  live.makeDirectories('base', 'base/5')
  const [ino, wal] = [live.make('base/5/1'), live.make('wal')]
  const replica = new Driver({ objects: live.objects })
  let seen = 0
  const follow = (): void => {
    for (const { entry, end } of live.log.entries.slice(seen)) replica.apply(entry, end)
    seen = live.log.entries.length
  }
  for (let round = 1; round <= 5; round++) {
    live.write(ino, 0, filled(round))
    live.write(wal, round, filled(round, 1))
    live.sealAll(round % 2 === 0)
    follow()
    expect(replica.content(ino)[0]).toBe(round)
    // What the log brought is kept when it is sealed: a standby that reads along fetches nothing.
    const { fetches } = replica.objects
    expect(replica.content(wal).equals(live.content(wal))).toBe(true)
    expect(replica.objects.fetches).toBe(fetches)
    expect(replica.image()).toEqual(live.image())
  }
  // A kernel that still uses a file keeps it, even if the log removes it.
  replica.volume.retain(ino)
  live.volume.unlink(live.ino('base/5'), '1')
  follow()
  expect(replica.ino('base/5/1')).toBe(0)
  expect(replica.content(ino)[0]).toBe(5)
  replica.volume.release(ino)
  expect(replica.volume.node(ino)).toBeUndefined()
})

test('a volume folds what it is given in a small cache, as long as the pages are sealed', () => {
  const live = Driver.serving()
  live.makeDirectories('base', 'base/5')
  const ino = live.make('base/5/1')
  for (let block = 0; block < 40; block++) {
    live.write(ino, block * PAGE_BYTES, filled(block))
    live.sealAll()
  }
  expect(Driver.folded(live.objects, live.log.entries, undefined, 4).image()).toEqual(live.image())
})

test('a volume that writes the log does not fold it', () => {
  const d = Driver.serving({ objects: new MemoryObjects() })
  expect(() => d.volume.apply(file, 10)).toThrow('defect')
})
