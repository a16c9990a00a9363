/**
 * The request at hand and the reply to it. One exchange object serves all requests of a server in turn, with one reply
 * buffer, so that the hot operations allocate nothing. It knows how requests are laid out and how results are answered;
 * what an operation means is in the *-operations files.
 */

import { TWO_32 } from '../../events/identifiers.ts'
import { Errno, NAME_BYTES_MAX, TRANSFER_BYTES_MAX } from './protocol.ts'
import type { FuseDevice } from './served-volume.ts'
import { InHeader, OUT, OutHeader, readI64, readU64 } from './structs.ts'

/**
 * What an operation returns when nothing must be sent: somebody else answers, or the protocol wants no answer. All
 * other results are the payload bytes written at OUT, -errno, WANTS_BYTES or NEEDS_SEAL.
 */
export const NO_REPLY = -200_000

/** Reply to an operation whose success says nothing more, whatever number the volume reports it with. */
export function withoutPayload(result: number): number {
  return Math.min(result, 0)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

export class Exchange {
  /** Reply: header, then the payload at OUT. Payloads are written here before `reply`. */
  readonly out = Buffer.alloc(OUT + TRANSFER_BYTES_MAX)
  request: Buffer = Buffer.alloc(0)
  opcode = 0
  uniqueLow = 0
  uniqueHigh = 0
  /** Node that the request is about. */
  ino = 0
  uid = 0
  gid = 0
  /** Result of the last successful `readName`. */
  name = ''
  /** Offset after the name's terminating zero. */
  nameEnd = 0
  private length = 0
  private readonly device: FuseDevice

  constructor(device: FuseDevice) {
    this.device = device
  }

  /** Makes request[0, length) the request at hand. */
  begin(request: Buffer, length: number): void {
    this.request = request
    this.length = length
    this.opcode = request.readUInt32LE(InHeader.opcode)
    this.uniqueLow = request.readUInt32LE(InHeader.uniqueLow)
    this.uniqueHigh = request.readUInt32LE(InHeader.uniqueHigh)
    const high = request.readUInt32LE(InHeader.nodeHigh)
    this.ino = request.readUInt32LE(InHeader.nodeLow) + (high === 0 ? 0 : high * TWO_32)
    this.uid = request.readUInt32LE(InHeader.uid)
    this.gid = request.readUInt32LE(InHeader.gid)
  }

  u32(at: number): number {
    return this.request.readUInt32LE(at)
  }

  u64(at: number): number {
    return readU64(this.request, at)
  }

  i64(at: number): number {
    return readI64(this.request, at)
  }

  /** Answers `payloadBytes` of payload if not negative, else -errno. False if nobody waits for it any more. */
  reply(result: number): boolean {
    const { out } = this
    const length = result < 0 ? OUT : OUT + result
    out.writeUInt32LE(length, OutHeader.length)
    out.writeInt32LE(Math.min(result, 0), OutHeader.error)
    out.writeUInt32LE(this.uniqueLow, OutHeader.uniqueLow)
    out.writeUInt32LE(this.uniqueHigh, OutHeader.uniqueHigh)
    return this.device.reply(out, length)
  }

  /**
   * Reads the zero-terminated name at `at` into `name`. Returns 0, or -errno for a name that the volume could not keep:
   * names are UTF-8 in the log, so one that is not would come back as another name.
   */
  readName(at: number, bytesMax = NAME_BYTES_MAX): number {
    const { request } = this
    let end = at
    let bits = 0
    while (end < this.length && request[end] !== 0) bits |= request[end++]!
    this.nameEnd = end + 1
    if (end - at > bytesMax) return -Errno.ENAMETOOLONG
    if (bits >= 0x80) return this.readUtf8(at, end)
    this.name = request.toString('latin1', at, end)
    return 0
  }

  private readUtf8(at: number, end: number): number {
    try {
      this.name = utf8.decode(this.request.subarray(at, end))
      return 0
    } catch {
      return -Errno.EILSEQ
    }
  }

  /** A copy of the request, to repeat it after the receive buffer has been used again. */
  copyRequest(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.length)
    this.request.copy(copy, 0, 0, this.length)
    return copy
  }
}
