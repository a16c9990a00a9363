/**
 * One file of a safekeeper's log and what is known of it: which frames it holds and where. The name is the position of
 * the first one. Zeros behind the last frame are room that was prepared for more. Reading only; disk-log.ts writes.
 */
import { join } from 'node:path'
import type { Place } from './control-file.ts'
import { furthestFlushed, RECORD_OVERHEAD_BYTES, readWholeRecord } from './log-record.ts'

const NAME_DIGITS = 16
const NAME = /^\d{16}\.log$/
/** Distance of the places remembered in a file: how much of it must be walked at most to find a position. */
const MARK_DISTANCE_BYTES = 64 * 1024

export class SegmentFile {
  readonly begin: number
  readonly path: string
  /** Bytes of whole records. */
  bytes = 0
  /** Position after the last frame. */
  end: number
  /** Some records' positions, ascending, and where in the file they begin. */
  readonly #positions: number[] = []
  readonly #offsets: number[] = []

  constructor(directory: string, begin: number) {
    this.begin = begin
    this.end = begin
    this.path = join(directory, segmentName(begin))
  }

  /** A record for [position, position + length) was added. */
  added(length: number): void {
    const last = this.#offsets[this.#offsets.length - 1]
    if (last === undefined || this.bytes - last >= MARK_DISTANCE_BYTES) {
      this.#positions.push(this.end)
      this.#offsets.push(this.bytes)
    }
    this.bytes += RECORD_OVERHEAD_BYTES + length
    this.end += length
  }

  /** Offset of a record that begins at or before `position`, and not far from it. */
  offsetBefore(position: number): number {
    let low = 0
    let high = this.#positions.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#positions[middle]! <= position) low = middle
      else high = middle - 1
    }
    return this.#offsets[low] ?? 0
  }

  /** Forgets what lies beyond `bytes`, a record's end, at `end`. */
  cut(bytes: number, end: number): void {
    this.bytes = bytes
    this.end = end
    while (this.#offsets.length > 0 && this.#offsets[this.#offsets.length - 1]! >= bytes) {
      this.#offsets.pop()
      this.#positions.pop()
    }
  }
}

export function segmentName(begin: number): string {
  return `${String(begin).padStart(NAME_DIGITS, '0')}.log`
}

export function isSegmentName(name: string): boolean {
  return NAME.test(name)
}

export interface Scanned {
  /** Chain before the first record, and the place after the last good one; undefined if there is no good record. */
  readonly first: Place | undefined
  readonly last: Place | undefined
  /**
   * `whole`: nothing but zeros behind the good records. `torn`: something, of which nothing was ever flushed as far as
   * can be told. `damaged`: something that was flushed.
   */
  readonly ending: 'whole' | 'torn' | 'damaged'
}

/**
 * Reads a file's content into `segment`, up to the first record that is not good or does not join. `chain`: that before
 * the first record, if it is known.
 */
export function scanSegment(segment: SegmentFile, content: Buffer, chain: number | undefined, salt: number): Scanned {
  let first: Place | undefined
  let last: Place | undefined
  let expected = chain
  for (;;) {
    const header = readWholeRecord(content, segment.bytes, salt)
    if (!header || header.begin !== segment.end || (expected !== undefined && header.chainBefore !== expected)) break
    first ??= { position: header.begin, chain: header.chainBefore }
    segment.added(header.length)
    expected = header.chainAfter
    last = { position: segment.end, chain: expected }
  }
  return { first, last, ending: endingOf(segment, content, salt) }
}

function endingOf(segment: SegmentFile, content: Buffer, salt: number): Scanned['ending'] {
  if (isZero(content, segment.bytes)) return 'whole'
  return furthestFlushed(content, segment.bytes, salt) > segment.end ? 'damaged' : 'torn'
}

function isZero(bytes: Buffer, from: number): boolean {
  for (let at = from; at < bytes.length; at++) if (bytes[at] !== 0) return false
  return true
}
