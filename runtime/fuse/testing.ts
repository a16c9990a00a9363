/**
 * A kernel made by hand, for tests of the server: builds requests byte by byte from include/uapi/linux/fuse.h, feeds
 * them to a server over the volume of testing/memory-volume.ts, and takes replies apart. It must not use structs.ts: a
 * wrong offset there would then be wrong on both sides and show nowhere. Never used by Loch itself.
 */

import { Opcode } from './protocol.ts'
import type { FuseDevice, ServerOptions, SlowPath } from './served-volume.ts'
import { FuseServer } from './server.ts'
import { MemoryVolume } from './testing/memory-volume.ts'

/** A reply as the kernel sees it: `error` is 0 or -errno. */
export interface Reply {
  readonly unique: bigint
  readonly error: number
  readonly payload: Buffer
}

export type Field = readonly ['u16' | 'u32' | 'u64' | 'i64', number] | string | Buffer

/** Fields one after the other: numbers of that width, zero-terminated text, raw bytes. */
export function pack(...fields: ReadonlyArray<Field>): Buffer {
  return Buffer.concat(fields.map(packField))
}

export const u32 = (value: number): Field => ['u32', value]
export const u64 = (value: number): Field => ['u64', value]
export const i64 = (value: number): Field => ['i64', value]

function packField(field: Field): Buffer {
  if (typeof field === 'string') return Buffer.from(`${field}\0`)
  if (Buffer.isBuffer(field)) return field
  const [kind, value] = field
  const bytes = Buffer.alloc(kind === 'u16' ? 2 : kind === 'u32' ? 4 : 8)
  if (kind === 'u16') bytes.writeUInt16LE(value)
  else if (kind === 'u32') bytes.writeUInt32LE(value)
  else bytes.writeBigInt64LE(BigInt(value))
  return bytes
}

/** A directory entry of READDIR, or of READDIRPLUS with the node number of its fuse_entry_out. */
export interface Entry {
  readonly name: string
  readonly ino: number
  readonly next: number
  readonly type: number
  readonly node: number | undefined
}

export class Bench {
  readonly volume = new MemoryVolume()
  readonly replies: Reply[] = []
  /** What the server asked of the slow path, in order. */
  readonly asked: Array<{ readonly what: 'bytes' | 'space' | 'sync'; readonly token: number; readonly ino: number }> =
    []
  /** Who answers an FSYNC: the server at once, or the test later. */
  syncIsSlow = false
  readonly server: FuseServer
  readonly device: FuseDevice
  private unique = 0x1_0000_0001n

  constructor(options: ServerOptions = {}) {
    this.volume.writes = []
    this.device = { read: () => 0, reply: (bytes, length) => this.take(bytes, length) }
    this.server = new FuseServer(this.device, this.volume, this.slowPath(), options)
  }

  private slowPath(): SlowPath {
    return {
      bytesWanted: (token, ino) => void this.asked.push({ what: 'bytes', token, ino }),
      spaceWanted: (token, ino) => void this.asked.push({ what: 'space', token, ino }),
      sync: (low, high, ino) => {
        // Both halves must come through: the test rebuilds the number that it sent.
        this.asked.push({ what: 'sync', token: high * 2 ** 32 + low, ino })
        return this.syncIsSlow
      },
    }
  }

  private take(bytes: Buffer, length: number): boolean {
    if (bytes.readUInt32LE(0) !== length) throw new Error('the header states another length than was sent')
    const payload = Buffer.from(bytes.subarray(16, length))
    this.replies.push({ unique: bytes.readBigUInt64LE(8), error: bytes.readInt32LE(4), payload })
    return true
  }

  /** Sends a request and returns nothing: what comes back stands in `replies`. Returns its unique number. */
  send(opcode: number, ino: number, body: Buffer = Buffer.alloc(0), uid = 1000, gid = 1000): bigint {
    const unique = this.unique++
    const header = Buffer.alloc(40)
    header.writeUInt32LE(40 + body.length, 0)
    header.writeUInt32LE(opcode, 4)
    header.writeBigUInt64LE(unique, 8)
    header.writeBigUInt64LE(BigInt(ino), 16)
    header.writeUInt32LE(uid, 24)
    header.writeUInt32LE(gid, 28)
    // The driver reuses one buffer that is larger than the request and full of the last one's bytes.
    const request = Buffer.concat([header, body, Buffer.alloc(64, 0x5a)])
    this.server.handle(request, 40 + body.length)
    request.fill(0xee)
    return unique
  }

  /** Sends a request and returns its reply, which must have come at once. */
  ask(opcode: number, ino: number, body?: Buffer, uid?: number, gid?: number): Reply {
    const before = this.replies.length
    const unique = this.send(opcode, ino, body, uid, gid)
    const [reply, more] = this.replies.slice(before)
    if (!reply || more) throw new Error(`expected one reply to opcode ${opcode}, got ${this.replies.length - before}`)
    if (reply.unique !== unique) throw new Error(`the reply names ${reply.unique}, the request was ${unique}`)
    return reply
  }

  /** The errno (positive) of a request that must fail without payload; 0 if it succeeded. */
  errno(opcode: number, ino: number, body?: Buffer): number {
    const { error, payload } = this.ask(opcode, ino, body)
    if (error !== 0 && payload.length > 0) throw new Error('an error carries a payload')
    return -error || 0
  }

  lookup(parent: number, name: string): Reply {
    return this.ask(Opcode.lookup, parent, pack(name))
  }

  /** Creates a regular file that is known to the kernel by one lookup; returns its inode. */
  file(name: string, content = '', parent = 1): number {
    const { payload } = this.ask(Opcode.create, parent, pack(u32(2), u32(0o100600), u32(0o22), u32(0), name))
    const ino = Number(payload.readBigUInt64LE(0))
    if (content !== '') this.write(ino, 0, Buffer.from(content))
    return ino
  }

  directory(name: string, mode = 0o755, parent = 1): number {
    const { payload } = this.ask(Opcode.mkdir, parent, pack(u32(mode), u32(0o22), name))
    return Number(payload.readBigUInt64LE(0))
  }

  write(ino: number, offset: number, data: Buffer): Reply {
    return this.ask(Opcode.write, ino, writeBody(offset, data))
  }

  read(ino: number, offset: number, size: number): Reply {
    return this.ask(Opcode.read, ino, readBody(0, offset, size))
  }

  forget(ino: number, lookups: number): void {
    this.send(Opcode.forget, ino, pack(u64(lookups)))
  }

  opendir(ino: number): number {
    return Number(this.ask(Opcode.opendir, ino, pack(u32(0), u32(0))).payload.readBigUInt64LE(0))
  }

  /** One READDIR or READDIRPLUS from `offset`. */
  list(ino: number, handle: number, offset = 0, size = 4096, plus = false): Entry[] {
    const opcode = plus ? Opcode.readdirplus : Opcode.readdir
    const { payload } = this.ask(opcode, ino, readBody(handle, offset, size))
    if (payload.length > size) throw new Error(`${payload.length} bytes of entries for a buffer of ${size}`)
    return parseEntries(payload, plus)
  }
}

export function writeBody(offset: number, data: Buffer): Buffer {
  return pack(u64(0), u64(offset), u32(data.length), u32(0), u64(0), u32(0), u32(0), data)
}

export function readBody(handle: number, offset: number, size: number): Buffer {
  return pack(u64(handle), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0))
}

function parseEntries(payload: Buffer, plus: boolean): Entry[] {
  const entries: Entry[] = []
  for (let at = 0; at < payload.length; ) {
    const node = plus ? Number(payload.readBigUInt64LE(at)) : undefined
    const entry = at + (plus ? 128 : 0)
    const nameBytes = payload.readUInt32LE(entry + 16)
    entries.push({
      ino: Number(payload.readBigUInt64LE(entry)),
      next: Number(payload.readBigUInt64LE(entry + 8)),
      type: payload.readUInt32LE(entry + 20),
      name: payload.toString('utf8', entry + 24, entry + 24 + nameBytes),
      node,
    })
    at = entry + Math.ceil((24 + nameBytes) / 8) * 8
  }
  return entries
}

/** struct fuse_attr at `at` of a payload. */
export function readAttr(payload: Buffer, at: number) {
  const seconds = (offset: number) => Number(payload.readBigInt64LE(at + offset))
  return {
    ino: Number(payload.readBigUInt64LE(at)),
    size: Number(payload.readBigUInt64LE(at + 8)),
    blocks: Number(payload.readBigUInt64LE(at + 16)),
    mtimeMs: seconds(32) * 1000 + payload.readUInt32LE(at + 52) / 1e6,
    ctimeMs: seconds(40) * 1000 + payload.readUInt32LE(at + 56) / 1e6,
    mode: payload.readUInt32LE(at + 60),
    nlink: payload.readUInt32LE(at + 64),
    uid: payload.readUInt32LE(at + 68),
    gid: payload.readUInt32LE(at + 72),
    blockBytes: payload.readUInt32LE(at + 80),
  }
}

/** struct fuse_entry_out at the start of a payload. */
export function readEntry(payload: Buffer) {
  return {
    node: Number(payload.readBigUInt64LE(0)),
    generation: Number(payload.readBigUInt64LE(8)),
    entryValidSeconds: Number(payload.readBigUInt64LE(16)),
    attrValidSeconds: Number(payload.readBigUInt64LE(24)),
    attr: readAttr(payload, 40),
  }
}
