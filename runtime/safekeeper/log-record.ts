/**
 * How a frame rests in a safekeeper's file: the frame as it was received, and 16 bytes before it. They say how far the
 * log was on disk when the frame was written, and that alone tells two things apart which look the same after a crash:
 * frames that were never flushed, of which the disk may have kept any (the log ends there, nothing was promised), and
 * bytes that were flushed and acknowledged and are bad now (the disk lost what it promised).
 *
 *   0 u32 magic   4 u32 crc of bytes 8..16, salted   8 u64 flushed   16 frame
 *
 * The salt is the disk's own, so that no client of the database can write bytes that look like a record of this log.
 */
import { checksum } from '../../events/checksum.ts'
import {
  checkPayload,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrameHeader,
  readPosition,
  writePosition,
} from '../../events/frame.ts'

const RECORD_HEAD_BYTES = 16
/** Bytes of a record before its payload. */
export const RECORD_OVERHEAD_BYTES = RECORD_HEAD_BYTES + FRAME_HEADER_BYTES

const MAGIC = 0x4352_464c // "LFRC" read as little endian
const MAGIC_BYTES = Buffer.from('LFRC', 'latin1')

/** Fills `head`, which `newRecordHead` made. */
export function writeRecordHead(head: Buffer, flushed: number, salt: number): void {
  head.writeUInt32LE(MAGIC, 0)
  writePosition(head, 8, flushed)
  head.writeUInt32LE(checksum(head.subarray(8, RECORD_HEAD_BYTES), salt), 4)
}

export const newRecordHead = () => Buffer.alloc(RECORD_HEAD_BYTES)

/** The frame's header if a record with an intact head begins at `at`; its payload is not looked at. */
export function readRecord(source: Buffer, at: number, salt: number): FrameHeader | undefined {
  if (!isRecordHead(source, at, salt)) return undefined
  const header = readFrameHeader(source, at + RECORD_HEAD_BYTES)
  return typeof header === 'string' ? undefined : header
}

/** Like `readRecord`, and the payload has been checked. */
export function readWholeRecord(source: Buffer, at: number, salt: number): FrameHeader | undefined {
  const header = readRecord(source, at, salt)
  if (header === undefined) return undefined
  const from = at + RECORD_OVERHEAD_BYTES
  return checkPayload(header, source.subarray(from, from + header.length)) ? header : undefined
}

/** The furthest position that any record head from `at` on says was flushed; 0 if there is none. */
export function furthestFlushed(source: Buffer, at: number, salt: number): number {
  let furthest = 0
  for (let found = source.indexOf(MAGIC_BYTES, at); found >= 0; found = source.indexOf(MAGIC_BYTES, found + 1)) {
    if (isRecordHead(source, found, salt)) furthest = Math.max(furthest, readPosition(source, found + 8))
  }
  return furthest
}

function isRecordHead(source: Buffer, at: number, salt: number): boolean {
  if (source.length - at < RECORD_HEAD_BYTES || source.readUInt32LE(at) !== MAGIC) return false
  return source.readUInt32LE(at + 4) === checksum(source.subarray(at + 8, at + RECORD_HEAD_BYTES), salt)
}
