import { describe, expect, test } from 'vitest'
import { Opcode } from './protocol.ts'
import { BORN_MS } from './testing/memory-volume.ts'
import { Bench, pack, readEntry, u32, u64 } from './testing.ts'

const ENOENT = 2
const EEXIST = 17
const EPERM = 1
const EINVAL = 22
const ENAMETOOLONG = 36
const EILSEQ = 84
const ESTALE = 116
const EBADNAME = Buffer.from([0x61, 0xff, 0x00])

describe('LOOKUP', () => {
  test('answers the node with all its attributes, valid for a day', () => {
    const bench = new Bench()
    const ino = bench.file('pg_control', 'x'.repeat(1000))
    const { error, payload } = bench.lookup(1, 'pg_control')
    expect([error, payload.length]).toEqual([0, 128])
    expect(readEntry(payload)).toEqual({
      node: ino,
      generation: 0,
      entryValidSeconds: 86_400,
      attrValidSeconds: 86_400,
      attr: {
        ino,
        size: 1000,
        blocks: 2,
        mtimeMs: BORN_MS,
        ctimeMs: BORN_MS,
        mode: 0o100600,
        nlink: 1,
        uid: 1000,
        gid: 1000,
        blockBytes: 4096,
      },
    })
  })

  test('of an absent name is an entry without a node, which the kernel remembers', () => {
    const bench = new Bench({ validSeconds: 600 })
    // Bytes of the reply before must not shine through.
    bench.file('there')
    const { error, payload } = bench.lookup(1, 'absent')
    expect([error, payload.length]).toEqual([0, 128])
    expect(readEntry(payload)).toMatchObject({ node: 0, generation: 0, entryValidSeconds: 600 })
    expect(payload.subarray(32).every((byte) => byte === 0)).toBe(true)
  })

  test('of an absent name is ENOENT where nothing may be remembered', () => {
    const bench = new Bench({ validSeconds: 0 })
    expect(bench.errno(Opcode.lookup, 1, pack('absent'))).toBe(ENOENT)
    bench.file('there')
    expect(readEntry(bench.lookup(1, 'there').payload)).toMatchObject({ entryValidSeconds: 0, attrValidSeconds: 0 })
  })

  test('takes names as UTF-8, up to 255 bytes', () => {
    const bench = new Bench()
    const ino = bench.file('ümläut-€')
    expect(bench.volume.lookup(1, 'ümläut-€')).toBe(ino)
    expect(readEntry(bench.lookup(1, 'ümläut-€').payload).node).toBe(ino)
    expect(bench.lookup(1, 'a'.repeat(255)).error).toBe(0)
    expect(bench.errno(Opcode.lookup, 1, pack('a'.repeat(256)))).toBe(ENAMETOOLONG)
    expect(bench.errno(Opcode.lookup, 1, EBADNAME)).toBe(EILSEQ)
  })
})

test('a name without its terminator ends with the request, not in what the buffer held before', () => {
  const bench = new Bench()
  const ino = bench.file('abc')
  expect(readEntry(bench.ask(Opcode.lookup, 1, Buffer.from('abc')).payload).node).toBe(ino)
})

describe('making', () => {
  test('a file by MKNOD, owned by the caller', () => {
    const bench = new Bench()
    const body = pack(u32(0o100640), u32(0), u32(0o22), u32(0), 'new')
    const { attr } = readEntry(bench.ask(Opcode.mknod, 1, body, 70, 71).payload)
    expect(attr).toMatchObject({ mode: 0o100640, uid: 70, gid: 71, nlink: 1 })
    expect(bench.errno(Opcode.mknod, 1, body)).toBe(EEXIST)
  })

  test('pipes, sockets and devices are refused', () => {
    const bench = new Bench()
    for (const type of [0o010000, 0o140000, 0o060000, 0o020000]) {
      expect(bench.errno(Opcode.mknod, 1, pack(u32(type | 0o600), u32(0), u32(0), u32(0), 'special'))).toBe(EPERM)
    }
    expect(bench.volume.lookup(1, 'special')).toBe(0)
  })

  test('in a set-group-ID directory takes over its group, and a directory the bit as well', () => {
    const bench = new Bench()
    const shared = bench.directory('shared', 0o2770)
    bench.volume.setAttributes(shared, 0o2770, 0, 500, 0)
    const below = readEntry(bench.ask(Opcode.mkdir, shared, pack(u32(0o755), u32(0), 'below')).payload)
    expect(below.attr).toMatchObject({ gid: 500, mode: 0o042755 })
    const file = readEntry(bench.ask(Opcode.mknod, shared, pack(u32(0o100644), u32(0), u32(0), u32(0), 'f')).payload)
    expect(file.attr).toMatchObject({ gid: 500, mode: 0o100644 })
    expect(bench.volume.node(bench.directory('plain'))).toMatchObject({ gid: 1000, mode: 0o040755 })
  })

  test('below a directory that is gone is ESTALE', () => {
    const bench = new Bench()
    expect(bench.errno(Opcode.mkdir, 99, pack(u32(0o755), u32(0), 'x'))).toBe(ESTALE)
  })
})

describe('symbolic links', () => {
  test('keep their target, and READLINK returns it without a terminator', () => {
    const bench = new Bench()
    const { payload } = bench.ask(Opcode.symlink, 1, pack('16384', '/other/plätze'))
    const { node, attr } = readEntry(payload)
    expect(attr).toMatchObject({ mode: 0o120777, size: Buffer.byteLength('/other/plätze') })
    expect(bench.volume.lookup(1, '16384')).toBe(node)
    expect(bench.ask(Opcode.readlink, node).payload.toString()).toBe('/other/plätze')
  })

  test('may have a target of 4096 bytes, and no more', () => {
    const bench = new Bench()
    const { node } = readEntry(bench.ask(Opcode.symlink, 1, pack('long', 'x'.repeat(4096))).payload)
    expect(bench.ask(Opcode.readlink, node).payload.length).toBe(4096)
    expect(bench.errno(Opcode.symlink, 1, pack('longer', 'x'.repeat(4097)))).toBe(ENAMETOOLONG)
    expect(bench.volume.lookup(1, 'longer')).toBe(0)
  })

  test('READLINK of anything else is EINVAL', () => {
    const bench = new Bench()
    expect(bench.errno(Opcode.readlink, bench.file('plain'))).toBe(EINVAL)
    expect(bench.errno(Opcode.readlink, 77)).toBe(ESTALE)
  })
})

describe('LINK', () => {
  test('gives the inode a second name and answers with it', () => {
    const bench = new Bench()
    const ino = bench.file('one', 'text')
    const { node, attr } = readEntry(bench.ask(Opcode.link, 1, pack(u64(ino), 'two')).payload)
    expect([node, attr.nlink, attr.size]).toEqual([ino, 2, 4])
    expect(bench.errno(Opcode.unlink, 1, pack('one'))).toBe(0)
    expect(bench.read(ino, 0, 10).payload.toString()).toBe('text')
    expect(bench.errno(Opcode.link, 1, pack(u64(ino), 'two'))).toBe(EEXIST)
    expect(bench.errno(Opcode.link, 1, pack(u64(4711), 'three'))).toBe(ENOENT)
  })
})

describe('removing', () => {
  test('UNLINK and RMDIR answer without payload, and with the errors of the volume', () => {
    const bench = new Bench()
    bench.file('f')
    const directory = bench.directory('d')
    bench.file('inside', '', directory)
    expect(bench.ask(Opcode.unlink, 1, pack('f'))).toMatchObject({ error: 0, payload: Buffer.alloc(0) })
    expect(bench.errno(Opcode.unlink, 1, pack('f'))).toBe(ENOENT)
    expect(bench.errno(Opcode.unlink, 1, pack('d'))).toBe(21)
    expect(bench.errno(Opcode.rmdir, 1, pack('d'))).toBe(39)
    expect(bench.errno(Opcode.unlink, directory, pack('inside'))).toBe(0)
    expect(bench.errno(Opcode.rmdir, 1, pack('d'))).toBe(0)
    expect(bench.volume.lookup(1, 'd')).toBe(0)
  })
})

describe('RENAME', () => {
  const rename = (parent: number, from: string, to: string) => pack(u64(parent), from, to)
  const rename2 = (parent: number, flags: number, from: string, to: string) =>
    pack(u64(parent), u32(flags), u32(0), from, to)

  test('moves between directories and replaces', () => {
    const bench = new Bench()
    const directory = bench.directory('d')
    const kept = bench.file('a', 'new')
    const replaced = bench.file('b', 'old', directory)
    expect(bench.errno(Opcode.rename, 1, rename(directory, 'a', 'b'))).toBe(0)
    expect([bench.volume.lookup(1, 'a'), bench.volume.lookup(directory, 'b')]).toEqual([0, kept])
    // The replaced file is open for all we know: it lives until it is forgotten.
    expect(bench.read(replaced, 0, 3).payload.toString()).toBe('old')
    expect(bench.errno(Opcode.rename, 1, rename(1, 'absent', 'x'))).toBe(ENOENT)
  })

  test('with NOREPLACE fails on a name that exists and changes nothing', () => {
    const bench = new Bench()
    const [a, b] = [bench.file('a'), bench.file('b')]
    expect(bench.errno(Opcode.rename2, 1, rename2(1, 1, 'a', 'b'))).toBe(EEXIST)
    expect([bench.volume.lookup(1, 'a'), bench.volume.lookup(1, 'b')]).toEqual([a, b])
    expect(bench.errno(Opcode.rename2, 1, rename2(1, 1, 'a', 'c'))).toBe(0)
    expect(bench.errno(Opcode.rename2, 1, rename2(1, 0, 'c', 'b'))).toBe(0)
    expect(bench.volume.lookup(1, 'b')).toBe(a)
  })

  test.each([2, 4, 3, 8])('with flags %i (EXCHANGE, WHITEOUT, unknown) is refused and changes nothing', (flags) => {
    const bench = new Bench()
    const [a, b] = [bench.file('a'), bench.file('b')]
    expect(bench.errno(Opcode.rename2, 1, rename2(1, flags, 'a', 'b'))).toBe(EINVAL)
    expect([bench.volume.lookup(1, 'a'), bench.volume.lookup(1, 'b')]).toEqual([a, b])
  })

  test('refuses a name that the volume could not keep, on either side', () => {
    const bench = new Bench()
    bench.file('a')
    const long = 'n'.repeat(256)
    expect(bench.errno(Opcode.rename, 1, rename(1, long, 'b'))).toBe(ENAMETOOLONG)
    expect(bench.errno(Opcode.rename, 1, rename(1, 'a', long))).toBe(ENAMETOOLONG)
    expect(bench.errno(Opcode.rename, 1, Buffer.concat([pack(u64(1), 'a'), EBADNAME]))).toBe(EILSEQ)
    expect(bench.volume.lookup(1, 'a')).toBeGreaterThan(0)
  })
})
