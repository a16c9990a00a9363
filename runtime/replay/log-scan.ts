/**
 * Walks over the records of a run log from its beginning to its end, verifying every checksum, and finds its way again behind
 * damage. It must never give up what can still be read, nor hide that something cannot. What records mean is not known here.
 */
import { checksum } from '../../events/checksum.ts'
import { FRAME_BYTES, KINDS, RECORD_BYTES_MAX } from '../../events/run-log.ts'
import type { ByteSource } from './byte-source.ts'

/** Bytes from `offset` to `end` that cannot be read. */
export interface Damage {
  readonly offset: number
  readonly end: number
  readonly problem: string
}

export interface Visitor {
  /** A whole record stands in `bytes` from `at` to `end`; it begins at `offset` in the log. */
  readonly record: (bytes: Buffer, at: number, end: number, offset: number) => void
  readonly damage: (damage: Damage) => void
}

const CHUNK_BYTES = 2 * RECORD_BYTES_MAX

export function scanRecords(source: ByteSource, visitor: Visitor): void {
  let offset = 0
  while (offset < source.size) {
    const chunk = source.read(offset, CHUNK_BYTES)
    const used = scanChunk(chunk, offset, visitor)
    offset += used
    if (used > 0) continue
    const rest = source.size - offset
    const isShort = rest < FRAME_BYTES || FRAME_BYTES + chunk.readUInt32LE(0) > rest
    const end = nextRecord(source, offset)
    const problem = isShort && end === source.size ? 'the log breaks off' : 'they do not match their checksum'
    visitor.damage({ offset, end, problem })
    offset = end
  }
}

/** How many bytes were whole records. */
function scanChunk(chunk: Buffer, offset: number, visitor: Visitor): number {
  let at = 0
  while (at + FRAME_BYTES < chunk.length) {
    const end = at + FRAME_BYTES + chunk.readUInt32LE(at)
    if (!isRecord(chunk, at, end)) break
    visitor.record(chunk, at, end, offset + at)
    at = end
  }
  return at
}

/** True if a whole record with a right checksum stands there. */
export function isRecord(chunk: Buffer, at: number, end: number): boolean {
  if (end > chunk.length || end - at <= FRAME_BYTES || chunk[at + FRAME_BYTES]! >= KINDS.length) return false
  return checksum(chunk.subarray(at + FRAME_BYTES, end)) === chunk.readUInt32LE(at + 4)
}

/** Where the next whole record begins after a bad one; the end of the log if there is none. */
function nextRecord(source: ByteSource, bad: number): number {
  let chunk = Buffer.alloc(0)
  let begin = bad + 1
  for (let offset = begin; offset + FRAME_BYTES < source.size; offset++) {
    if (offset + FRAME_BYTES + 1 > begin + chunk.length) {
      begin = offset
      chunk = Buffer.from(source.read(begin, CHUNK_BYTES))
    }
    const length = chunk.readUInt32LE(offset - begin)
    if (length === 0 || length > RECORD_BYTES_MAX || offset + FRAME_BYTES + length > source.size) continue
    if (chunk[offset - begin + FRAME_BYTES]! >= KINDS.length) continue
    if (isRecord(source.read(offset, FRAME_BYTES + length), 0, FRAME_BYTES + length)) return offset
  }
  return source.size
}
