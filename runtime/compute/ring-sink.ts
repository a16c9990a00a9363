/**
 * The worker's end of the log: entries go into the ring, frames go out on the socket. It runs on the FUSE thread for
 * every logged write, so it copies once (from the request into the ring), allocates nothing per entry, and never waits
 * except for room in the ring, which is how a slow log slows its writer down.
 */

import { checksum } from '../../events/checksum.ts'
import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, writeFrameHeader } from '../../events/frame.ts'
import { encodeEntry, type LogEntry, WRITE_ENTRY_HEAD_BYTES, writeWriteEntryHead } from '../../events/log-entry.ts'
import type { LogSink } from '../volume/types.ts'
import type { SharedLog } from './shared-log.ts'

/** Sends the frame of the log from `begin` on: `parts` are its header and payload. False while there is no connection. */
export type FrameOut = (parts: readonly Uint8Array[], bytes: number, begin: number) => boolean

/** A quiet log gathers this much before it sends unasked. */
const QUIET_BYTES = 256 * 1024

export class RingSink implements LogSink {
  nowMs = 0
  private readonly log: SharedLog
  private readonly term: number
  private readonly writer: Uint8Array
  private readonly out: FrameOut
  private readonly head = Buffer.alloc(WRITE_ENTRY_HEAD_BYTES)
  private readonly header = Buffer.alloc(FRAME_HEADER_BYTES)
  /** Chain over everything sent so far. */
  chain: number

  constructor(log: SharedLog, term: number, writer: Uint8Array, out: FrameOut) {
    this.log = log
    this.term = term
    this.writer = writer
    this.out = out
    this.chain = log.baseChain
  }

  get end(): number {
    return this.log.end
  }

  appendWrite(ino: number, offset: number, source: Uint8Array, from: number, length: number): number {
    writeWriteEntryHead(this.head, 0, ino, offset, length, this.nowMs)
    const begin = this.log.end
    this.put(begin, this.head, 0, WRITE_ENTRY_HEAD_BYTES)
    this.put(begin + WRITE_ENTRY_HEAD_BYTES, source, from, length)
    return this.finish(begin + WRITE_ENTRY_HEAD_BYTES + length)
  }

  append(entry: LogEntry): number {
    const bytes = encodeEntry(entry)
    const begin = this.log.end
    this.put(begin, bytes, 0, bytes.length)
    return this.finish(begin + bytes.length)
  }

  /** Waits until the next operation's entries fit; false if the log failed meanwhile. */
  reserve(): boolean {
    if (this.log.ringFree < this.log.reserveBytes) {
      this.send()
      this.log.awaitRing(this.log.reserveBytes)
    }
    return this.log.failure === 0
  }

  /** Sends all that was appended and not yet sent, unless the log is quiet and there is little of it. */
  sendEagerly(): void {
    if (this.log.quiet && this.log.end - this.log.sent < QUIET_BYTES) return
    this.send()
  }

  /** Sends all that was appended and not yet sent. What cannot be sent now is resent from the ring by the main thread. */
  send(): void {
    while (this.log.sent < this.log.end) {
      const begin = this.log.sent
      const length = this.frameLength(begin)
      // Before it goes out: whoever hears that it could not must find it among what was sent.
      this.log.sent = begin + length
      this.sendFrame(begin, length)
    }
  }

  /** Frames hold whole entries, so that every acknowledged position is one at which the log may end. */
  private frameLength(begin: number): number {
    const all = this.log.end - begin
    if (all <= FRAME_PAYLOAD_BYTES_MAX) return all
    let length = 0
    for (;;) {
      const size = this.sizeAt(begin + length)
      if (length > 0 && length + size > FRAME_PAYLOAD_BYTES_MAX) return length
      length += size
    }
  }

  private sizeAt(position: number): number {
    this.log.copyOut(position, position + 4, this.head, 0)
    return this.head.readUInt32LE(0)
  }

  private sendFrame(begin: number, length: number): void {
    const { ring, ringBytes } = this.log
    const start = begin % ringBytes
    const first = ring.subarray(start, Math.min(start + length, ringBytes))
    const second = ring.subarray(0, length - first.length)
    const chainBefore = this.chain
    this.log.markFrame(begin, chainBefore)
    this.chain = checksum(first, chainBefore)
    if (second.length > 0) this.chain = checksum(second, this.chain)
    // What safekeepers may take for settled: archived, and on a majority.
    const archived = Math.min(this.log.archived, this.log.durable)
    writeFrameHeader(
      this.header,
      0,
      { term: this.term, begin, length, chainBefore, chainAfter: this.chain, flags: this.log.frameFlags, archived },
      this.writer,
    )
    const parts = second.length > 0 ? [this.header, first, second] : [this.header, first]
    this.out(parts, FRAME_HEADER_BYTES + length, begin)
  }

  private put(position: number, source: Uint8Array, from: number, length: number): void {
    const { ring, ringBytes } = this.log
    const start = position % ringBytes
    const first = Math.min(length, ringBytes - start)
    ring.set(source.subarray(from, from + first), start)
    if (first < length) ring.set(source.subarray(from + first, from + length), 0)
  }

  private finish(end: number): number {
    this.log.end = end
    return end
  }
}
