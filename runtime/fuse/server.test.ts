import { describe, expect, test } from 'vitest'
import { Opcode } from './protocol.ts'
import { Bench, pack, readAttr, readBody, readEntry, u32, u64, writeBody } from './testing.ts'
import { WAKE_FILE_NAME, WAKE_INO } from './wake-file.ts'

const EPERM = 1
const EIO = 5
const EEXIST = 17
const ENOSYS = 38

/** A file whose bytes are not here, and what it takes to read it. */
function lackingFile(bench: Bench) {
  const ino = bench.file('f', 'text')
  bench.volume.lacking.add(ino)
  return ino
}

describe('a request of an unknown kind', () => {
  test.each([
    ['FLUSH', 25],
    ['GETXATTR', 22],
    ['ACCESS', 34],
    ['IOCTL', 39],
    ['LSEEK', 46],
    ['COPY_FILE_RANGE', 47],
    ['STATX', 52],
    ['INTERRUPT', 36],
    ['one of the future', 4711],
  ])('%s is answered ENOSYS', (_, opcode) => {
    const bench = new Bench()
    expect(bench.errno(opcode, 1, Buffer.alloc(64))).toBe(ENOSYS)
  })
})

describe('a request that lacks bytes', () => {
  test('is kept, copied, and answered when it is repeated', () => {
    const bench = new Bench()
    const ino = lackingFile(bench)
    const before = bench.replies.length
    const unique = bench.send(Opcode.read, ino, readBody(0, 1, 2))
    expect(bench.replies.length).toBe(before)
    expect(bench.asked).toEqual([{ what: 'bytes', token: 1, ino }])
    expect(bench.server.parkedCount).toBe(1)
    // Others are served meanwhile, from the same buffers.
    expect(bench.read(bench.file('g', 'other'), 0, 9).payload.toString()).toBe('other')
    bench.volume.lacking.clear()
    bench.server.retry(1)
    expect(bench.replies.at(-1)).toEqual({ unique, error: 0, payload: Buffer.from('ex') })
    expect(bench.server.parkedCount).toBe(0)
  })

  test('may turn out to lack more, and then asks again under its token', () => {
    const bench = new Bench()
    const ino = lackingFile(bench)
    bench.send(Opcode.read, ino, readBody(0, 0, 4))
    bench.server.retry(1)
    bench.server.retry(1)
    expect(bench.asked.map(({ what, token }) => [what, token])).toEqual([
      ['bytes', 1],
      ['bytes', 1],
      ['bytes', 1],
    ])
    expect(bench.server.parkedCount).toBe(1)
    bench.volume.lacking.clear()
    bench.server.retry(1)
    expect(bench.replies.at(-1)!.payload.toString()).toBe('text')
  })

  test('is given up with an error once', () => {
    const bench = new Bench()
    const unique = bench.send(Opcode.read, lackingFile(bench), readBody(0, 0, 4))
    bench.server.abandon(1, EIO)
    expect(bench.replies.at(-1)).toEqual({ unique, error: -EIO, payload: Buffer.alloc(0) })
    expect(bench.server.parkedCount).toBe(0)
    expect(() => bench.server.abandon(1, EIO)).toThrow('no request waits under token 1')
    expect(() => bench.server.retry(1)).toThrow('no request waits under token 1')
  })

  test('may be repeated from within the question for its bytes', () => {
    const bench = new Bench()
    const ino = lackingFile(bench)
    bench.asked.push = (asked) => {
      bench.volume.lacking.clear()
      bench.server.retry(asked.token)
      return 0
    }
    expect(bench.ask(Opcode.read, ino, readBody(0, 0, 4)).payload.toString()).toBe('text')
    expect(bench.server.parkedCount).toBe(0)
  })
})

describe('a write that finds no room', () => {
  test('changes nothing until there is some, then is applied once and as a whole', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    bench.volume.full = true
    const data = Buffer.alloc(8192, 'w')
    const unique = bench.send(Opcode.write, ino, writeBody(0, data))
    expect(bench.asked).toEqual([{ what: 'space', token: 1, ino }])
    expect(bench.volume.writes).toEqual([])
    bench.volume.full = false
    bench.server.retry(1)
    expect(bench.volume.writes).toEqual([{ ino, offset: 0, bytes: data }])
    expect(bench.replies.at(-1)).toMatchObject({ unique, error: 0, payload: pack(u32(8192), u32(0)) })
  })

  test('waits under a token of its own', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    bench.volume.full = true
    for (const at of [0, 1, 2]) bench.send(Opcode.write, ino, writeBody(at, Buffer.from(String(at))))
    bench.volume.full = false
    for (const { token } of [...bench.asked].reverse()) bench.server.retry(token)
    expect(bench.volume.writes!.map(({ bytes }) => bytes.toString())).toEqual(['2', '1', '0'])
    expect(bench.read(ino, 0, 9).payload.toString()).toBe('012')
  })
})

describe('a volume that throws', () => {
  test('costs its caller EIO, and the driver hears of it', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    bench.volume.read = () => {
      throw new Error('a defect')
    }
    expect(() => bench.read(ino, 0, 1)).toThrow('a defect')
    expect(bench.replies.at(-1)).toMatchObject({ error: -EIO })
    bench.volume.full = true
    bench.send(Opcode.write, ino, writeBody(0, Buffer.from('x')))
    bench.volume.write = () => {
      throw new Error('another')
    }
    expect(() => bench.server.retry(1)).toThrow('another')
    expect([bench.replies.at(-1)!.error, bench.server.parkedCount]).toEqual([-EIO, 0])
  })
})

describe('when the log has failed', () => {
  const setattr = Buffer.alloc(88)
  const name = pack('new')
  const changes: ReadonlyArray<readonly [string, number, Buffer]> = [
    ['SETATTR', Opcode.setattr, setattr],
    ['SYMLINK', Opcode.symlink, pack('new', 'target')],
    ['MKNOD', Opcode.mknod, pack(u32(0o100600), u32(0), u32(0), u32(0), 'new')],
    ['MKDIR', Opcode.mkdir, pack(u32(0o755), u32(0), 'new')],
    ['UNLINK', Opcode.unlink, pack('f')],
    ['RMDIR', Opcode.rmdir, name],
    ['RENAME', Opcode.rename, pack(u64(1), 'f', 'new')],
    ['RENAME2', Opcode.rename2, pack(u64(1), u32(0), u32(0), 'f', 'new')],
    ['LINK', Opcode.link, pack(u64(2), 'new')],
    ['CREATE', Opcode.create, pack(u32(2), u32(0o100600), u32(0), u32(0), 'new')],
    ['WRITE', Opcode.write, writeBody(0, Buffer.from('x'))],
    ['FALLOCATE', Opcode.fallocate, pack(u64(0), u64(0), u64(9), u32(0), u32(0))],
    ['FSYNC', Opcode.fsync, pack(u64(0), u32(0), u32(0))],
    ['FSYNCDIR', Opcode.fsyncdir, pack(u64(0), u32(0), u32(0))],
    ['OPEN with O_TRUNC', Opcode.open, pack(u32(0o1002), u32(0))],
  ]

  test.each(changes)('%s is refused and changes nothing', (_, opcode, body) => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    const state = () => JSON.stringify([[...bench.volume.nodes.entries()], [...bench.volume.node(1)!.children!]])
    const [before, writes] = [state(), bench.volume.writes!.length]
    bench.server.refuseChanges(EIO)
    const aboutNames = [Opcode.write, Opcode.setattr, Opcode.fallocate, Opcode.open].every((other) => other !== opcode)
    expect(bench.errno(opcode, aboutNames ? 1 : ino, body)).toBe(EIO)
    expect(state()).toBe(before)
    expect(bench.volume.writes!.length).toBe(writes)
    expect(bench.asked).toEqual([])
  })

  test('what was read stays readable, so that Postgres can say why it stops', () => {
    const bench = new Bench()
    const ino = bench.file('f', 'text')
    bench.server.refuseChanges(EIO)
    expect(bench.read(ino, 0, 4).payload.toString()).toBe('text')
    expect(bench.lookup(1, 'f').error).toBe(0)
    expect(bench.errno(Opcode.open, ino, pack(u32(0), u32(0)))).toBe(0)
    expect(bench.list(1, bench.opendir(1)).length).toBe(3)
    expect(bench.errno(Opcode.statfs, 1)).toBe(0)
  })

  test('a kept write is refused too, when its room has come', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    bench.volume.full = true
    bench.send(Opcode.write, ino, writeBody(0, Buffer.from('x')))
    bench.server.refuseChanges(EIO)
    bench.volume.full = false
    bench.server.retry(1)
    expect([bench.replies.at(-1)!.error, bench.volume.writes!.length, bench.server.parkedCount]).toEqual([-EIO, 0, 0])
  })
})

describe('the wake file', () => {
  test('is found by name but not listed, and its node is beyond all others', () => {
    const bench = new Bench()
    const { node, attr } = readEntry(bench.lookup(1, WAKE_FILE_NAME).payload)
    expect([node, attr.ino, attr.mode, attr.size]).toEqual([WAKE_INO, WAKE_INO, 0o100600, 0])
    expect(readAttr(bench.ask(Opcode.getattr, WAKE_INO, Buffer.alloc(16)).payload, 16)).toEqual(attr)
    expect(bench.list(1, bench.opendir(1)).map(({ name }) => name)).toEqual(['.', '..'])
    // Elsewhere the name is a name like any other.
    const directory = bench.directory('d')
    expect(readEntry(bench.lookup(directory, WAKE_FILE_NAME).payload).node).toBe(0)
  })

  test('cannot be opened, changed, made, removed or replaced', () => {
    const bench = new Bench()
    const ino = bench.file('f')
    const create = (flags: number) => pack(u32(flags), u32(0o100600), u32(0), u32(0), WAKE_FILE_NAME)
    const attempts: ReadonlyArray<readonly [number, number, Buffer, number]> = [
      [Opcode.open, WAKE_INO, pack(u32(0), u32(0)), EPERM],
      [Opcode.setattr, WAKE_INO, Buffer.alloc(88), EPERM],
      [Opcode.write, WAKE_INO, writeBody(0, Buffer.from('x')), EPERM],
      [Opcode.create, 1, create(2), EEXIST],
      [Opcode.create, 1, create(2 | 0o1000), EEXIST],
      [Opcode.mkdir, 1, pack(u32(0o755), u32(0), WAKE_FILE_NAME), EEXIST],
      [Opcode.symlink, 1, pack(WAKE_FILE_NAME, 'f'), EEXIST],
      [Opcode.link, 1, pack(u64(ino), WAKE_FILE_NAME), EEXIST],
      [Opcode.unlink, 1, pack(WAKE_FILE_NAME), EPERM],
      [Opcode.rmdir, 1, pack(WAKE_FILE_NAME), 20],
      [Opcode.rename, 1, pack(u64(1), 'f', WAKE_FILE_NAME), EPERM],
      [Opcode.rename, 1, pack(u64(1), WAKE_FILE_NAME, 'g'), EPERM],
    ]
    for (const [opcode, of, body, errno] of attempts)
      expect([opcode, bench.errno(opcode, of, body)]).toEqual([opcode, errno])
    expect([...bench.volume.node(1)!.children!.keys()]).toEqual(['f'])
  })

  test('turns a reply to a notification into a wake, and answers nothing', () => {
    const bench = new Bench()
    bench.lookup(1, WAKE_FILE_NAME)
    const before = bench.replies.length
    bench.send(Opcode.notifyReply, WAKE_INO, Buffer.alloc(40))
    bench.send(Opcode.notifyReply, WAKE_INO, Buffer.alloc(40))
    bench.send(Opcode.forget, WAKE_INO, pack(u64(1)))
    expect([bench.server.wakes, bench.replies.length]).toEqual([2, before])
    expect(bench.server.kernelState.inodes).toBe(0)
  })
})
