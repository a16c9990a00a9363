/**
 * What an object of a journal looks like: a header, and either a batch of envelopes or a snapshot of their fold. The
 * bytes are read by later versions of Loch and by tools that share no code with it, so nothing here may change without
 * a new version, and a golden file per version is kept beside this file.
 *
 * A batch holds the envelopes it adds and before them a recap: those since the last multiple of 64 or so. Reading the
 * newest object therefore reads the whole tail of the journal, which is why opening one costs two GETs and not 64.
 * An envelope's sequence says which part it belongs to: the object's name is the sequence of the first new one.
 *
 * Header, little endian, 16 bytes:
 *   0 u32 magic   4 u32 crc of bytes 8..end   8 u16 version   10 u16 kind   12 u32 body length
 * Body: MessagePack, an array of envelopes or one map of a snapshot. Faults are values.
 */
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import { checksum } from './checksum.ts'
import { decode, encode } from './codec.ts'
import { Count, checkEnvelope, type Envelope, isFault } from './envelope.ts'

export const JOURNAL_HEADER_BYTES = 16
export const JOURNAL_VERSION = 1
/** Digits of a sequence in an object's name: names sort as numbers up to 10^12 events. */
export const SEQUENCE_DIGITS = 12

const MAGIC = 0x4c4e_4a4c // "LJNL" read as little endian
const Kind = { batch: 1, snapshot: 2 } as const

/** The fold of a journal's events 1..sequence, so that opening need not read them. Derived: may be deleted at any time. */
export const JournalSnapshot = Schema.Struct({
  actor: Schema.String,
  sequence: Count,
  state: Schema.String,
  remembered: Schema.Unknown,
})
export type JournalSnapshot = typeof JournalSnapshot.Type

export interface JournalFault {
  readonly fault: 'damaged' | 'newer'
  readonly problem: string
}

export function isJournalFault<T extends object>(value: T | JournalFault): value is JournalFault {
  return 'fault' in value
}

const damaged = (problem: string): JournalFault => ({ fault: 'damaged', problem })

function encodeObject(kind: number, content: unknown): Uint8Array {
  const body = encode(content)
  const bytes = Buffer.alloc(JOURNAL_HEADER_BYTES + body.length)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt16LE(JOURNAL_VERSION, 8)
  bytes.writeUInt16LE(kind, 10)
  bytes.writeUInt32LE(body.length, 12)
  bytes.set(body, JOURNAL_HEADER_BYTES)
  bytes.writeUInt32LE(checksum(bytes.subarray(8)), 4)
  return bytes
}

function decodeObject(bytes: Uint8Array, kind: number): { readonly content: unknown } | JournalFault {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (source.length < JOURNAL_HEADER_BYTES) return damaged(`${source.length} bytes are shorter than a header`)
  if (source.readUInt32LE(0) !== MAGIC) return damaged('not a journal object')
  if (source.readUInt32LE(4) !== checksum(source.subarray(8))) return damaged('checksum differs')
  const version = source.readUInt16LE(8)
  if (version > JOURNAL_VERSION) {
    return { fault: 'newer', problem: `journal format ${version}, this Loch knows ${JOURNAL_VERSION}` }
  }
  if (source.readUInt16LE(10) !== kind)
    return damaged(`object of kind ${source.readUInt16LE(10)} where ${kind} belongs`)
  if (source.readUInt32LE(12) !== source.length - JOURNAL_HEADER_BYTES) return damaged('length differs')
  try {
    return { content: decode(source.subarray(JOURNAL_HEADER_BYTES)) }
  } catch (cause) {
    return damaged(`body is not MessagePack: ${String(cause)}`)
  }
}

export function encodeBatch(envelopes: ReadonlyArray<Envelope>): Uint8Array {
  return encodeObject(Kind.batch, envelopes)
}

/** The envelopes of a batch object, recap first; their sequences are consecutive. */
export function decodeBatch(bytes: Uint8Array): ReadonlyArray<Envelope> | JournalFault {
  const decoded = decodeObject(bytes, Kind.batch)
  if ('fault' in decoded) return decoded
  if (!Array.isArray(decoded.content) || decoded.content.length === 0) return damaged('no envelopes')
  const envelopes: Envelope[] = []
  for (const value of decoded.content) {
    const envelope = checkEnvelope(value)
    if (isFault(envelope)) return { fault: envelope.fault === 'newer' ? 'newer' : 'damaged', problem: envelope.problem }
    const before = envelopes.at(-1)
    if (before && envelope.sequence !== before.sequence + 1) {
      return damaged(`event ${envelope.sequence} follows event ${before.sequence}`)
    }
    envelopes.push(envelope)
  }
  return envelopes
}

export function encodeSnapshot(snapshot: JournalSnapshot): Uint8Array {
  const { actor, sequence, state, remembered } = snapshot
  return encodeObject(Kind.snapshot, { actor, sequence, state, remembered })
}

const parseSnapshot = Schema.decodeUnknownResult(JournalSnapshot)

export function decodeSnapshot(bytes: Uint8Array): JournalSnapshot | JournalFault {
  const decoded = decodeObject(bytes, Kind.snapshot)
  if ('fault' in decoded) return decoded
  const parsed = parseSnapshot(decoded.content)
  return Result.isSuccess(parsed) ? parsed.success : damaged(String(parsed.failure))
}
