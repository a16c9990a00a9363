import { describe, expect, test } from 'vitest'
import { Opcode } from './protocol.ts'
import { Bench, type Entry, pack, readBody, u64 } from './testing.ts'

const names = (entries: readonly Entry[]) => entries.map((entry) => entry.name)

/** Reads a directory to its end in steps of `size` bytes, as readdir(3) does; `between` runs after each step. */
function listAll(bench: Bench, ino: number, size: number, plus: boolean, between: (seen: Entry[]) => void = () => {}) {
  const handle = bench.opendir(ino)
  const seen: Entry[] = []
  for (let offset = 0; ; offset = seen.at(-1)!.next) {
    const step = bench.list(ino, handle, offset, size, plus)
    if (step.length === 0) return seen
    seen.push(...step)
    between(seen)
  }
}

describe('READDIR', () => {
  test('lists the dots, files, directories and links with their types', () => {
    const bench = new Bench()
    const [file, directory] = [bench.file('f'), bench.directory('d')]
    bench.ask(Opcode.symlink, 1, pack('täg', 'f'))
    const link = bench.volume.lookup(1, 'täg')
    const known = bench.server.kernelState.inodes
    expect(bench.list(1, bench.opendir(1))).toEqual([
      { name: '.', ino: 1, next: 1, type: 4, node: undefined },
      { name: '..', ino: 1, next: 2, type: 4, node: undefined },
      { name: 'f', ino: file, next: 3, type: 8, node: undefined },
      { name: 'd', ino: directory, next: 4, type: 4, node: undefined },
      { name: 'täg', ino: link, next: 5, type: 10, node: undefined },
    ])
    // Names alone do not make the kernel hold an inode.
    expect(bench.server.kernelState.inodes).toBe(known)
  })

  test.each([
    ['READDIR', false, 80],
    ['READDIRPLUS', true, 340],
  ])('%s fills buffers of any size, and goes on where it stopped', (_, plus, size) => {
    const bench = new Bench()
    const expected = Array.from({ length: 100 }, (_, index) => `${'n'.repeat(index % 23)}${index}`)
    for (const name of expected) bench.volume.create(1, name, 0o100600, 0, 0)
    let steps = 0
    const seen = listAll(bench, 1, size, plus, () => steps++)
    expect(names(seen)).toEqual(['.', '..', ...expected])
    expect(steps).toBeGreaterThan(30)
  })

  test.each([
    ['READDIR', false],
    ['READDIRPLUS', true],
  ])('%s misses and repeats nothing when files are unlinked while it goes on', (_, plus) => {
    const bench = new Bench()
    const all = Array.from({ length: 50 }, (_, index) => `file-${index}`)
    for (const name of all) bench.volume.create(1, name, 0o100600, 0, 0)
    // As Postgres empties a directory: each file goes as soon as it was read.
    const seen = listAll(bench, 1, plus ? 400 : 120, plus, (entries) => {
      for (const { name } of entries) if (bench.volume.lookup(1, name) > 0) bench.volume.unlink(1, name)
    })
    expect(names(seen)).toEqual(['.', '..', ...all])
    expect(bench.volume.node(1)!.children!.size).toBe(0)
  })

  test('skips what has gone since, and shows what has come since only from the start', () => {
    const bench = new Bench()
    for (const name of ['a', 'b', 'c']) bench.volume.create(1, name, 0o100600, 0, 0)
    const handle = bench.opendir(1)
    // Room for the dots and one name.
    expect(names(bench.list(1, handle, 0, 96))).toEqual(['.', '..', 'a'])
    bench.volume.unlink(1, 'b')
    bench.volume.create(1, 'd', 0o100600, 0, 0)
    expect(names(bench.list(1, handle, 3))).toEqual(['c'])
    expect(names(bench.list(1, handle, 0))).toEqual(['.', '..', 'a', 'c', 'd'])
  })

  test('reads a directory that was removed as empty', () => {
    const bench = new Bench()
    const directory = bench.directory('d')
    const handle = bench.opendir(directory)
    bench.volume.rmdir(1, 'd')
    expect(names(bench.list(directory, handle, 2))).toEqual([])
  })

  test('is refused without a handle, and after RELEASEDIR', () => {
    const bench = new Bench()
    const handle = bench.opendir(1)
    bench.list(1, handle)
    expect(bench.server.kernelState.directories).toBe(1)
    expect(bench.errno(Opcode.releasedir, 1, pack(u64(handle), Buffer.alloc(16)))).toBe(0)
    expect(bench.server.kernelState.directories).toBe(0)
    expect(bench.errno(Opcode.readdir, 1, readBody(handle, 1, 4096))).toBe(22)
  })

  test('OPENDIR of a file is ENOTDIR, of nothing ESTALE', () => {
    const bench = new Bench()
    expect(bench.errno(Opcode.opendir, bench.file('f'), pack(u64(0)))).toBe(20)
    expect(bench.errno(Opcode.opendir, 99, pack(u64(0)))).toBe(116)
  })
})

describe('READDIRPLUS', () => {
  test('names the node of each entry but the dots, and counts a lookup for each', () => {
    const bench = new Bench()
    const [a, b] = ['a', 'b'].map((name) => bench.volume.create(1, name, 0o100600, 0, 0))
    const entries = bench.list(1, bench.opendir(1), 0, 4096, true)
    expect(entries.map(({ name, node }) => [name, node])).toEqual([
      ['.', 0],
      ['..', 0],
      ['a', a],
      ['b', b],
    ])
    expect(bench.server.kernelState.inodes).toBe(2)
    bench.forget(a!, 1)
    expect([bench.volume.retained(a!), bench.volume.retained(b!)]).toEqual([0, 1])
  })

  test('counts no lookup of an entry that did not fit', () => {
    const bench = new Bench()
    for (const name of ['a', 'b']) bench.volume.create(1, name, 0o100600, 0, 0)
    // The dots and one entry of 160 bytes each.
    expect(names(bench.list(1, bench.opendir(1), 0, 3 * 160 + 159, true))).toEqual(['.', '..', 'a'])
    expect(bench.server.kernelState.inodes).toBe(1)
  })
})
