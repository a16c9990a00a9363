/**
 * The end of the WAL: records are inserted into blocks in memory, and a flush writes the blocks that changed, the last one
 * whole again each time, and fsyncs once for all who wait. That is group commit, and it needs no timer. What a record means
 * is not known here.
 */
import type { SimMount } from './mount.ts'
import { PAGE_BYTES } from './page.ts'
import type { Mistake } from './settings.ts'
import {
  BLOCK_HEADER_BYTES,
  BLOCK_ROOM_BYTES,
  BLOCKS_PER_SEGMENT,
  blockOf,
  emptyBlock,
  encodeRecord,
  segmentOfBlock,
  storedChecksum,
  type WalRecord,
} from './wal-format.ts'
import type { WalSegments } from './wal-segments.ts'

/** Where a log that was read ends, and what a writer needs to go on from there. */
export interface WalEnd {
  readonly lsn: number
  /** Checksum of the last record. */
  readonly link: number
  /** The last block, with nothing behind `lsn`; undefined if a block ends there. */
  readonly tail: Buffer | undefined
}

export interface Inserted {
  readonly startLsn: number
  readonly endLsn: number
}

export interface WalWriterOptions {
  readonly mount: SimMount
  readonly segments: WalSegments
  readonly end: WalEnd
  readonly mistakes: readonly Mistake[]
  /** A write or fsync failed: the server ends at once. */
  readonly panic: (error: unknown) => Promise<never>
}

export class WalWriter {
  readonly #options: WalWriterOptions
  readonly #blocks = new Map<number, Buffer>()
  #insertLsn: number
  #flushedLsn: number
  #link: number
  #flushing: Promise<void> | undefined

  constructor(options: WalWriterOptions) {
    const { lsn, link, tail } = options.end
    this.#options = options
    this.#insertLsn = lsn
    this.#flushedLsn = lsn
    this.#link = link
    if (tail !== undefined) this.#blocks.set(blockOf(lsn), tail)
  }

  get insertLsn(): number {
    return this.#insertLsn
  }

  get flushedLsn(): number {
    return this.#flushedLsn
  }

  insert(record: WalRecord): Inserted {
    const bytes = encodeRecord(record, this.#link)
    const startLsn = this.#insertLsn
    for (let from = 0; from < bytes.length; ) from += this.#append(bytes.subarray(from))
    this.#link = storedChecksum(bytes)
    return { startLsn, endLsn: this.#insertLsn }
  }

  /** Resolves when everything before `lsn` is durable. */
  async flush(lsn: number): Promise<void> {
    while (this.#flushedLsn < lsn) {
      this.#flushing ??= this.#flushInserted().finally(() => {
        this.#flushing = undefined
      })
      await this.#flushing
    }
  }

  /** Fills the last block; returns how many bytes had room in it. */
  #append(bytes: Buffer): number {
    const number = blockOf(this.#insertLsn)
    const within = this.#insertLsn - number * BLOCK_ROOM_BYTES
    let block = this.#blocks.get(number)
    if (block === undefined) {
      block = emptyBlock(number)
      this.#blocks.set(number, block)
    }
    const count = Math.min(bytes.length, BLOCK_ROOM_BYTES - within)
    bytes.copy(block, BLOCK_HEADER_BYTES + within, 0, count)
    this.#insertLsn += count
    return count
  }

  async #flushInserted(): Promise<void> {
    const end = this.#insertLsn
    const blocks = [...this.#blocks].map(([number, block]) => ({ number, bytes: Buffer.from(block) }))
    try {
      await this.#write(blocks)
    } catch (error) {
      return this.#options.panic(error)
    }
    this.#flushedLsn = end
    for (const { number } of blocks) if (number < blockOf(end)) this.#blocks.delete(number)
  }

  async #write(blocks: ReadonlyArray<{ number: number; bytes: Buffer }>): Promise<void> {
    const { mount, segments } = this.#options
    for (const [index, { number, bytes }] of blocks.entries()) {
      const segment = segmentOfBlock(number)
      const ino = await segments.findOrMake(segment)
      await mount.write(ino, (number % BLOCKS_PER_SEGMENT) * PAGE_BYTES, bytes)
      const next = blocks[index + 1]
      if (next === undefined || segmentOfBlock(next.number) !== segment) await this.#sync(ino)
    }
  }

  #sync(ino: number): Promise<void> {
    const synced = this.#options.mount.fsync(ino)
    if (!this.#options.mistakes.includes('acknowledge-before-fsync')) return synced
    synced.catch(this.#options.panic)
    return Promise.resolve()
  }
}
