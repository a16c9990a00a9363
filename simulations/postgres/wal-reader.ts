/**
 * Reads the WAL from a point on, up to the first record that is not whole. That is where the log ends: what a crash has left
 * behind it was never acknowledged. It cannot tell a log that lost its end from one that ended there; recovery and the
 * oracles have to.
 */
import type { SimMount } from './mount.ts'
import { PAGE_BYTES } from './page.ts'
import type { WalRecord } from './wal-format.ts'
import {
  BLOCK_HEADER_BYTES,
  BLOCK_ROOM_BYTES,
  BLOCKS_PER_SEGMENT,
  blockOf,
  decodeRecord,
  emptyBlock,
  isBlock,
  isWhole,
  NO_LINK,
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  SEGMENT_BYTES,
  segmentOfBlock,
  storedChecksum,
  storedLink,
} from './wal-format.ts'
import type { WalSegments } from './wal-segments.ts'
import type { WalEnd } from './wal-writer.ts'

export interface ReadRecord {
  readonly record: WalRecord
  readonly startLsn: number
  readonly endLsn: number
}

export class WalReader {
  readonly #mount: SimMount
  readonly #segments: WalSegments
  #lsn: number
  /** Checksum of the record before; undefined where reading began. */
  #link: number | undefined
  #segment = -1
  #bytes: Buffer = Buffer.alloc(0)

  constructor(mount: SimMount, segments: WalSegments, fromLsn: number) {
    this.#mount = mount
    this.#segments = segments
    this.#lsn = fromLsn
  }

  /** Where the next record would begin. */
  get lsn(): number {
    return this.#lsn
  }

  /** Undefined at the end of the log. */
  async next(): Promise<ReadRecord | undefined> {
    const header = await this.#take(this.#lsn, RECORD_HEADER_BYTES)
    const length = header?.readUInt32LE(0) ?? 0
    if (length < RECORD_HEADER_BYTES || length > RECORD_BYTES_MAX) return undefined
    const bytes = await this.#take(this.#lsn, length)
    if (bytes === undefined || !isWhole(bytes)) return undefined
    if (this.#link !== undefined && storedLink(bytes) !== this.#link) return undefined
    const startLsn = this.#lsn
    this.#lsn += length
    this.#link = storedChecksum(bytes)
    return { record: decodeRecord(bytes), startLsn, endLsn: this.#lsn }
  }

  /** To be asked for when there is no next record, but at least one was there. */
  async end(): Promise<WalEnd> {
    const number = blockOf(this.#lsn)
    const used = this.#lsn - number * BLOCK_ROOM_BYTES
    if (used === 0) return { lsn: this.#lsn, link: this.#link ?? NO_LINK, tail: undefined }
    const tail = emptyBlock(number)
    const bytes = (await this.#block(number))!
    bytes.copy(tail, BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + used)
    return { lsn: this.#lsn, link: this.#link ?? NO_LINK, tail }
  }

  /** Bytes of the stream, undefined if it does not reach so far. */
  async #take(lsn: number, length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = []
    for (let at = lsn; at < lsn + length; ) {
      const number = blockOf(at)
      const block = await this.#block(number)
      if (block === undefined) return undefined
      const within = at - number * BLOCK_ROOM_BYTES
      const count = Math.min(lsn + length - at, BLOCK_ROOM_BYTES - within)
      parts.push(block.subarray(BLOCK_HEADER_BYTES + within, BLOCK_HEADER_BYTES + within + count))
      at += count
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }

  async #block(number: number): Promise<Buffer | undefined> {
    await this.#load(segmentOfBlock(number))
    const at = (number % BLOCKS_PER_SEGMENT) * PAGE_BYTES
    const block = this.#bytes.subarray(at, at + PAGE_BYTES)
    return isBlock(block, number) ? block : undefined
  }

  async #load(segment: number): Promise<void> {
    if (segment === this.#segment) return
    const ino = await this.#segments.find(segment)
    this.#bytes = ino === 0 ? Buffer.alloc(0) : await this.#mount.read(ino, 0, SEGMENT_BYTES)
    this.#segment = segment
  }
}
