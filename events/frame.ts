/**
 * The frame: the one shape in which log bytes travel and rest. A writer sends frames over NATS, a safekeeper writes
 * the received bytes to its disk unchanged, and an archived log object is one frame under its final name. So there is
 * one header to check, one golden file, and no re-encoding between the FUSE write and object storage.
 *
 * `chain` is a running CRC-32 of all log bytes of the timeline from position 0, seeded with the timeline's name. A frame
 * carries it before and after its payload: the difference is the payload's checksum, and its start must equal what the
 * receiver has reached, so a gap, a fork of history or bytes of another timeline cannot be appended unnoticed. Two
 * writers that cut the same bytes differently still agree on it.
 *
 * Nothing here allocates on the append path: headers are written into a buffer of the caller.
 *
 * Header, little endian, 64 bytes:
 *   0 u32 magic   4 u32 crc of bytes 8..64   8 u32 version   12 u32 term   16 u64 begin   24 u32 payload length
 *   28 u32 chain before   32 u32 chain after   36 u32 flags   40 u64 archived (hint)   48 writer, 16 bytes
 */
import { checksum } from './checksum.ts'
import { TWO_32 } from './identifiers.ts'

export const FRAME_HEADER_BYTES = 64
export const FRAME_VERSION = 1
/** A NATS server refuses payloads over 1 MiB by default; a frame must fit with its header. */
export const FRAME_PAYLOAD_BYTES_MAX = 768 * 1024
/** A writer can send no more than this of its newest log again; whoever has missed more fetches it from the archive or a peer. */
export const RESENDABLE_BYTES_MAX = 8 * 1024 * 1024
export const WRITER_BYTES = 16

/** What a writer allows a safekeeper, in `flags`. A safekeeper that does not know one does all at once, which is always right. */
export const FrameFlag = {
  /** No commit waits for the archive: objects may gather for a while. */
  archiveLater: 1,
  /** The other zones are a majority: the holder of archive duty need not flush each of its frames by itself. */
  flushLater: 2,
} as const

const MAGIC = 0x4752_464c // "LFRG" read as little endian

export interface FrameHeader {
  readonly version: number
  readonly term: number
  /** Position of the first payload byte in the timeline's log. */
  readonly begin: number
  /** Payload bytes. */
  readonly length: number
  readonly chainBefore: number
  readonly chainAfter: number
  readonly flags: number
  /** The writer's knowledge of how far the log is archived; safekeepers may trim below it. */
  readonly archived: number
  /** Who wrote these bytes under this name (a lost answer is recognised by it). */
  readonly writer: string
}

/** The chain at position 0: bytes of one timeline never continue the log of another. */
export function chainSeed(timeline: string): number {
  return checksum(new TextEncoder().encode(timeline))
}

/** The chain after `bytes`, given the chain before them. */
export function chainOver(bytes: Uint8Array, before: number): number {
  return checksum(bytes, before)
}

/** Writes `header` to `target` at `at`; `writer` must be 16 bytes. */
export function writeFrameHeader(
  target: Buffer,
  at: number,
  header: Omit<FrameHeader, 'version' | 'writer'>,
  writer: Uint8Array,
): void {
  target.writeUInt32LE(MAGIC, at)
  target.writeUInt32LE(FRAME_VERSION, at + 8)
  target.writeUInt32LE(header.term, at + 12)
  writePosition(target, at + 16, header.begin)
  target.writeUInt32LE(header.length, at + 24)
  target.writeUInt32LE(header.chainBefore, at + 28)
  target.writeUInt32LE(header.chainAfter, at + 32)
  target.writeUInt32LE(header.flags, at + 36)
  writePosition(target, at + 40, header.archived)
  target.set(writer, at + 48)
  target.writeUInt32LE(checksum(target.subarray(at + 8, at + FRAME_HEADER_BYTES)), at + 4)
}

export type FrameFault = 'short' | 'magic' | 'header-checksum' | 'version' | 'length' | 'payload-checksum'

/** Reads and checks a header. Does not look at the payload: see `checkPayload`. */
export function readFrameHeader(source: Buffer, at: number): FrameHeader | FrameFault {
  if (source.length - at < FRAME_HEADER_BYTES) return 'short'
  if (source.readUInt32LE(at) !== MAGIC) return 'magic'
  if (source.readUInt32LE(at + 4) !== checksum(source.subarray(at + 8, at + FRAME_HEADER_BYTES)))
    return 'header-checksum'
  const version = source.readUInt32LE(at + 8)
  if (version > FRAME_VERSION) return 'version'
  return {
    version,
    term: source.readUInt32LE(at + 12),
    begin: readPosition(source, at + 16),
    length: source.readUInt32LE(at + 24),
    chainBefore: source.readUInt32LE(at + 28),
    chainAfter: source.readUInt32LE(at + 32),
    flags: source.readUInt32LE(at + 36),
    archived: readPosition(source, at + 40),
    writer: source.toString('latin1', at + 48, at + FRAME_HEADER_BYTES),
  }
}

/** True if `payload` is what the header says it is. */
export function checkPayload(header: FrameHeader, payload: Uint8Array): boolean {
  return payload.length === header.length && chainOver(payload, header.chainBefore) === header.chainAfter
}

/** Positions are plain numbers below 2^53, stored as u64. */
export function writePosition(target: Buffer, at: number, position: number): void {
  target.writeUInt32LE(position % TWO_32, at)
  target.writeUInt32LE(Math.floor(position / TWO_32), at + 4)
}

export function readPosition(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * TWO_32
}
