import { describe, expect, test } from 'vitest'
import { Opcode, TRANSFER_BYTES_MAX } from './protocol.ts'
import { BORN_MS } from './testing/memory-volume.ts'
import { Bench, i64, pack, readAttr, readEntry, u32, u64 } from './testing.ts'

const EEXIST = 17
const EINVAL = 22
const EOPNOTSUPP = 95
const ESTALE = 116
const O_RDWR = 2
const O_CREAT = 0o100
const O_EXCL = 0o200
const O_TRUNC = 0o1000
const O_DSYNC = 0o10000

const createBody = (name: string, flags: number, mode = 0o100644) =>
  pack(u32(flags), u32(mode), u32(0o22), u32(0), name)
const openFlags = (payload: Buffer, at = 0) => payload.readUInt32LE(at + 8)

describe('CREATE', () => {
  test('answers entry and open file in one reply, and counts one lookup', () => {
    const bench = new Bench()
    const { error, payload } = bench.ask(Opcode.create, 1, createBody('f', O_RDWR | O_CREAT), 70, 71)
    expect([error, payload.length]).toEqual([0, 144])
    const { node, attr } = readEntry(payload)
    expect(attr).toMatchObject({ ino: node, mode: 0o100644, uid: 70, gid: 71, size: 0 })
    expect(bench.volume.retained(node)).toBe(1)
    // DIRECT_IO and PARALLEL_DIRECT_WRITES.
    expect(openFlags(payload, 128)).toBe(1 | 64)
  })

  test('of a name that exists opens it, cut to nothing if asked, and fails if it had to be new', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    const opened = bench.ask(Opcode.create, 1, createBody('f', O_RDWR | O_CREAT))
    expect(readEntry(opened.payload)).toMatchObject({ node: ino, attr: { size: 4, mode: 0o100600 } })
    expect(bench.errno(Opcode.create, 1, createBody('f', O_RDWR | O_CREAT | O_EXCL))).toBe(EEXIST)
    expect(bench.volume.node(ino)!.size).toBe(4)
    const cut = bench.ask(Opcode.create, 1, createBody('f', O_RDWR | O_CREAT | O_TRUNC))
    expect(readEntry(cut.payload)).toMatchObject({ node: ino, attr: { size: 0 } })
  })

  test('takes the permission bits from the mode and the type from itself', () => {
    const bench = new Bench()
    const { payload } = bench.ask(Opcode.create, 1, createBody('f', O_RDWR, 0o040755))
    expect(readEntry(payload).attr.mode).toBe(0o100755)
  })

  test('waits for the bytes of a file that it cuts', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    bench.volume.lacking.add(ino)
    bench.send(Opcode.create, 1, createBody('f', O_RDWR | O_TRUNC))
    expect(bench.asked.map(({ what }) => what)).toEqual(['bytes'])
    bench.volume.lacking.clear()
    bench.server.retry(bench.asked[0]!.token)
    expect(readEntry(bench.replies.at(-1)!.payload)).toMatchObject({ node: ino, attr: { size: 0 } })
    expect(bench.volume.retained(ino)).toBe(1)
  })
})

describe('OPEN', () => {
  test('with O_TRUNC cuts the file, else leaves it alone', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    expect(bench.ask(Opcode.open, ino, pack(u32(O_RDWR), u32(0))).error).toBe(0)
    expect(bench.volume.node(ino)!.size).toBe(4)
    const { payload } = bench.ask(Opcode.open, ino, pack(u32(O_RDWR | O_TRUNC), u32(0)))
    expect([payload.length, bench.volume.node(ino)!.size]).toEqual([16, 0])
    expect(bench.errno(Opcode.open, 99, pack(u32(0), u32(0)))).toBe(ESTALE)
    expect(bench.errno(Opcode.release, ino, Buffer.alloc(24))).toBe(0)
  })

  test('lets the kernel cache the files that it may, and no other', () => {
    let cached = 0
    const bench = new Bench({ cacheData: (ino) => ino === cached })
    const [data, wal] = [bench.file('data'), bench.file('wal')]
    cached = data
    const flagsOf = (ino: number) => openFlags(bench.ask(Opcode.open, ino, pack(u32(0), u32(0))).payload)
    // KEEP_CACHE and NOFLUSH; DIRECT_IO and PARALLEL_DIRECT_WRITES.
    expect([flagsOf(data), flagsOf(wal)]).toEqual([2 | 32, 1 | 64])
  })
})

describe('READ and WRITE', () => {
  test.each([1, 511, 8192, 8193, TRANSFER_BYTES_MAX])(
    'move %i bytes unchanged, and one WRITE is one change',
    (length) => {
      const bench = new Bench()
      const ino = bench.file('f')
      const data = Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 255))
      const { payload } = bench.write(ino, 4096, data)
      expect([payload.readUInt32LE(0), payload.length]).toEqual([length, 8])
      expect(bench.volume.writes!.map((write) => [write.ino, write.offset, write.bytes.length])).toEqual([
        [ino, 4096, length],
      ])
      expect(bench.read(ino, 4096, length).payload.equals(data)).toBe(true)
      expect(bench.read(ino, 0, 4096).payload.equals(Buffer.alloc(4096))).toBe(true)
    },
  )

  test('end at the end of the file', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    expect(bench.read(ino, 2, 100).payload.toString()).toBe('xt')
    expect(bench.read(ino, 4, 100)).toMatchObject({ error: 0, payload: Buffer.alloc(0) })
    expect(bench.read(ino, 1000, 100).payload.length).toBe(0)
  })

  test('address a file beyond 4 GiB', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    const offsets: number[] = []
    bench.volume.read = (_, offset) => offsets.push(offset)
    bench.volume.write = (_, offset) => offsets.push(offset)
    bench.read(ino, 5 * 2 ** 32 + 8192, 8192)
    bench.write(ino, 2 ** 52 + 1, Buffer.from('x'))
    expect(offsets).toEqual([5 * 2 ** 32 + 8192, 2 ** 52 + 1])
  })

  test('of more than is agreed on never leave the reply buffer', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'x'.repeat(100))
    const asked: number[] = []
    bench.volume.read = (_, __, length) => asked.push(length)
    bench.read(ino, 0, 2 ** 31)
    expect(asked).toEqual([TRANSFER_BYTES_MAX])
  })

  test('pass on the error of the volume', () => {
    const bench = new Bench()
    bench.volume.write = () => -27
    expect(bench.write(bench.file('f'), 0, Buffer.from('x')).error).toBe(-27)
    expect(bench.read(99, 0, 10).error).toBe(-ESTALE)
  })
})

describe('O_DSYNC', () => {
  test('is refused, because a write is not durable when it returns', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    expect(bench.errno(Opcode.open, ino, pack(u32(O_RDWR | O_DSYNC), u32(0)))).toBe(EINVAL)
    expect(bench.errno(Opcode.create, 1, createBody('g', O_RDWR | O_CREAT | O_DSYNC))).toBe(EINVAL)
    // handle, offset, size, write_flags, lock_owner, flags (RWF_DSYNC sets it for one write), padding, data
    const write = (flags: number) => pack(u64(0), u64(0), u32(1), u32(0), u64(0), u32(flags), u32(0), Buffer.from('x'))
    expect(bench.errno(Opcode.write, ino, write(O_RDWR | O_DSYNC))).toBe(EINVAL)
    expect(bench.ask(Opcode.write, ino, write(O_RDWR))).toMatchObject({ error: 0 })
  })
})

describe('FSYNC', () => {
  test('is answered at once when there is nothing to wait for', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    expect(bench.ask(Opcode.fsync, ino, pack(u64(0), u32(1), u32(0)))).toMatchObject({ error: 0 })
    expect(bench.ask(Opcode.fsyncdir, 1, pack(u64(0), u32(0), u32(0)))).toMatchObject({ error: 0 })
    expect(bench.asked.map(({ what, ino: of }) => [what, of])).toEqual([
      ['sync', ino],
      ['sync', 1],
    ])
  })

  test('is otherwise answered by the slow path, in any order, with success or failure', () => {
    const bench = new Bench()
    bench.syncIsSlow = true
    const [a, b] = [bench.file('a'), bench.file('b')]
    const before = bench.replies.length
    const first = bench.send(Opcode.fsync, a, pack(u64(0), u32(0), u32(0)))
    const second = bench.send(Opcode.fsync, b, pack(u64(0), u32(0), u32(0)))
    expect(bench.replies.length).toBe(before)
    expect(bench.asked.map(({ token }) => BigInt(token))).toEqual([first, second])
    const [low, high] = [(unique: bigint) => Number(unique & 0xffff_ffffn), (unique: bigint) => Number(unique >> 32n)]
    bench.server.replyError(low(second), high(second), 5)
    bench.server.replyEmpty(low(first), high(first))
    expect(bench.replies.slice(before)).toEqual([
      { unique: second, error: -5, payload: Buffer.alloc(0) },
      { unique: first, error: 0, payload: Buffer.alloc(0) },
    ])
  })
})

describe('SETATTR', () => {
  interface Attributes {
    readonly size?: number
    readonly mtime?: readonly [seconds: number, nanoseconds: number]
    readonly mode?: number
    readonly uid?: number
    readonly gid?: number
  }
  const setattr = (valid: number, { size = 0, mtime = [0, 0], mode = 0, uid = 0, gid = 0 }: Attributes) =>
    // valid, padding, fh, size, lock_owner, atime, mtime, ctime, their nanoseconds, mode, unused, uid, gid, unused
    pack(
      ...[u32(valid), u32(0), u64(0), u64(size), u64(0), i64(7), i64(mtime[0]), i64(9)],
      ...[u32(7), u32(mtime[1]), u32(9), u32(mode), u32(0), u32(uid), u32(gid), u32(0)],
    )
  const [MODE, UID, GID, SIZE, MTIME, MTIME_NOW] = [1, 2, 4, 8, 32, 256]

  test('of the size cuts and grows, with zeros', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    const { payload } = bench.ask(Opcode.setattr, ino, setattr(SIZE, { size: 2, mode: 0o777, uid: 9 }))
    expect(payload.length).toBe(104)
    expect([Number(payload.readBigUInt64LE(0)), payload.readBigUInt64LE(8)]).toEqual([86_400, 0n])
    expect(readAttr(payload, 16)).toMatchObject({ ino, size: 2, mode: 0o100600, uid: 1000 })
    bench.ask(Opcode.setattr, ino, setattr(SIZE, { size: 4 }))
    expect(bench.read(ino, 0, 9).payload.toString('latin1')).toBe('te\0\0')
  })

  test('changes what it names and keeps the rest', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    const ask = (valid: number, values: Attributes) =>
      readAttr(bench.ask(Opcode.setattr, ino, setattr(valid, values)).payload, 16)
    const values = { mode: 0o104755, uid: 70, gid: 71, mtime: [1_600_000_000, 500_000_000] } as const
    expect(ask(MODE, values)).toMatchObject({ mode: 0o104755, uid: 1000, gid: 1000, mtimeMs: BORN_MS })
    expect(ask(UID, values)).toMatchObject({ mode: 0o104755, uid: 70, gid: 1000 })
    expect(ask(GID, values)).toMatchObject({ uid: 70, gid: 71, mtimeMs: BORN_MS })
    expect(ask(MTIME, { ...values, mode: 0 })).toMatchObject({ mode: 0o104755, mtimeMs: 1_600_000_000_500 })
    expect(ask(0, values)).toMatchObject({ mode: 0o104755, uid: 70, gid: 71, mtimeMs: 1_600_000_000_500 })
  })

  test('hands the volume a mode without the type of the file', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    const modes: number[] = []
    bench.volume.setAttributes = (_, mode) => modes.push(mode)
    bench.ask(Opcode.setattr, ino, setattr(MODE, { mode: 0o104755 }))
    bench.ask(Opcode.setattr, ino, setattr(UID, { uid: 70 }))
    expect(modes).toEqual([0o4755, 0o600])
  })

  test('takes times before 1970, and "now" from its own clock', () => {
    const bench = new Bench({ now: () => 1_800_000_000_123 })
    const ino = bench.file('f')
    const ask = (valid: number, mtime: readonly [number, number]) =>
      readAttr(bench.ask(Opcode.setattr, ino, setattr(valid, { mtime })).payload, 16).mtimeMs
    expect(ask(MTIME, [-1, 750_000_000])).toBe(-250)
    expect(ask(MTIME | MTIME_NOW, [5, 0])).toBe(1_800_000_000_123)
  })

  test('of a size that lacks bytes changes nothing until they are there', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    bench.volume.lacking.add(ino)
    const before = bench.replies.length
    bench.send(Opcode.setattr, ino, setattr(SIZE | MODE, { size: 1, mode: 0o100644 }))
    expect(bench.volume.node(ino)).toMatchObject({ size: 4, mode: 0o100600 })
    bench.volume.lacking.clear()
    bench.server.retry(bench.asked[0]!.token)
    expect(bench.replies.length).toBe(before + 1)
    expect(readAttr(bench.replies.at(-1)!.payload, 16)).toMatchObject({ size: 1, mode: 0o100644 })
  })

  test('of an inode that is gone is ESTALE', () => {
    expect(new Bench().errno(Opcode.setattr, 99, setattr(MODE, {}))).toBe(ESTALE)
    expect(new Bench().errno(Opcode.setattr, 99, setattr(0, {}))).toBe(ESTALE)
    expect(new Bench().errno(Opcode.getattr, 99, Buffer.alloc(16))).toBe(ESTALE)
  })
})

describe('FALLOCATE', () => {
  const fallocate = (offset: number, length: number, mode: number) =>
    pack(u64(0), u64(offset), u64(length), u32(mode), u32(0))

  test('grows the file, or keeps its size where that is asked, and knows no holes', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    expect(bench.errno(Opcode.fallocate, ino, fallocate(0, 2, 0))).toBe(0)
    expect(bench.volume.node(ino)!.size).toBe(4)
    expect(bench.errno(Opcode.fallocate, ino, fallocate(8192, 16_384, 1))).toBe(0)
    expect(bench.volume.node(ino)!.size).toBe(4)
    expect(bench.errno(Opcode.fallocate, ino, fallocate(8192, 16_384, 0))).toBe(0)
    expect(bench.volume.node(ino)!.size).toBe(24_576)
    // PUNCH_HOLE | KEEP_SIZE, COLLAPSE_RANGE, ZERO_RANGE
    for (const mode of [3, 8, 16]) {
      expect(bench.errno(Opcode.fallocate, ino, fallocate(0, 8192, mode))).toBe(EOPNOTSUPP)
    }
    expect(bench.errno(Opcode.fallocate, 99, fallocate(0, 1, 1))).toBe(ESTALE)
  })
})

describe('STATFS', () => {
  test('reports the size it was given, and a PiB otherwise', () => {
    const answer = (bench: Bench) => {
      const { payload } = bench.ask(Opcode.statfs, 1)
      expect(payload.length).toBe(80)
      const blocks = [0, 8, 16].map((at) => Number(payload.readBigUInt64LE(at)))
      return { blocks, block: payload.readUInt32LE(40), name: payload.readUInt32LE(44), unit: payload.readUInt32LE(48) }
    }
    const small = answer(new Bench({ capacityBytes: 81_920 }))
    expect(small).toEqual({ blocks: [10, 10, 10], block: 8192, name: 255, unit: 8192 })
    expect(answer(new Bench()).blocks[0]! * 8192).toBe(2 ** 50)
  })
})
