/**
 * The acknowledgement of appends. A safekeeper sends one for every flush and a compute reads three for every commit, so
 * it is binary and has nothing in it that is not read. Little endian, 24 bytes and the zone's name:
 *   0 u16 magic   2 u8 status   3 u8 length of the name   4 u32 term   8 u64 flushed   16 u64 archived   24 name, ASCII
 */
import { readPosition, writePosition } from './frame.ts'

/**
 * `fenced`: a higher term exists, named in the acknowledgement. `gap`: frames before this one are missing, send from
 * `flushed` on. `not-elected`: this safekeeper has not heard of the term's election. `failed`: nothing can be appended.
 */
export type AckStatus = 'ok' | 'fenced' | 'gap' | 'not-elected' | 'failed'

export interface AppendAck {
  readonly zone: string
  /** The safekeeper's term. */
  readonly term: number
  /** Durable on this disk as part of the log of `term`; 0 while that term's election has not been heard of. */
  readonly flushed: number
  /** In the object store as far as this safekeeper made sure of it itself under `term`, else 0. */
  readonly archived: number
  readonly status: AckStatus
}

const ACK_MAGIC = 0x4b4c // "LK" read as little endian
const ACK_HEAD_BYTES = 24
const statuses: readonly AckStatus[] = ['ok', 'fenced', 'gap', 'not-elected', 'failed']

export function encodeAck({ zone, term, flushed, archived, status }: AppendAck): Uint8Array {
  const bytes = Buffer.allocUnsafe(ACK_HEAD_BYTES + zone.length)
  bytes.writeUInt16LE(ACK_MAGIC, 0)
  bytes.writeUInt8(statuses.indexOf(status), 2)
  bytes.writeUInt8(zone.length, 3)
  bytes.writeUInt32LE(term, 4)
  writePosition(bytes, 8, flushed)
  writePosition(bytes, 16, archived)
  bytes.write(zone, ACK_HEAD_BYTES, 'latin1')
  return bytes
}

/** Undefined if `data` is not an acknowledgement: on this path there is nobody to complain to. */
export function decodeAck(data: Uint8Array): AppendAck | undefined {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  if (bytes.length < ACK_HEAD_BYTES || bytes.readUInt16LE(0) !== ACK_MAGIC) return undefined
  const status = statuses[bytes.readUInt8(2)]
  if (status === undefined || bytes.length !== ACK_HEAD_BYTES + bytes.readUInt8(3)) return undefined
  return {
    zone: bytes.toString('latin1', ACK_HEAD_BYTES),
    term: bytes.readUInt32LE(4),
    flushed: readPosition(bytes, 8),
    archived: readPosition(bytes, 16),
    status,
  }
}
