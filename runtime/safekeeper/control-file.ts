/**
 * What a safekeeper must never forget: its term, the history it adopted, and whether its disk can be believed. One small
 * file, replaced as a whole, because a vote counts only once its term is on disk. The log itself is not described here:
 * it is found by reading it.
 *
 *   0 u32 magic   4 u32 crc of bytes 8..end   8 u32 format version   12 u32 body length   16 body, MessagePack array
 */
import { join } from 'node:path'
import { checksum } from '../../events/checksum.ts'
import { decode, encode } from '../../events/codec.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import { Damaged, DiskFailed, FormatTooNew } from '../errors.ts'
import { type DiskFiles, putInPlace, writeBeside } from './disk-files.ts'

const MAGIC = 0x4b53_464c // "LFSK" read as little endian
const FORMAT_VERSION = 1
const HEADER_BYTES = 16
const NAME = 'control'

/** A place in the log and the chain up to it. */
export interface Place {
  readonly position: number
  readonly chain: number
}

export interface Control {
  readonly diskId: string
  readonly term: number
  readonly history: TermHistory
  /** This zone may have acknowledged what is not on this disk: see Acceptor. */
  readonly fresh: boolean
  /** Where the log begins, for as long as no frame says so. */
  readonly base: Place
}

/** The file is as it was: what was to be promised is refused, and all that was promised before stands. */
export class NotSaved extends DiskFailed {}

/** Replaces the file durably. Throws NotSaved; any other DiskFailed leaves open which of the two a crash would leave. */
export function saveControl(files: DiskFiles, directory: string, control: Control): void {
  const { diskId, term, history, fresh, base } = control
  const entries = history.map((entry) => [entry.term, entry.begin])
  const body = encode([diskId, term, entries, fresh ? 1 : 0, base.position, base.chain])
  const bytes = Buffer.alloc(HEADER_BYTES + body.length)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(body.length, 12)
  bytes.set(body, HEADER_BYTES)
  bytes.writeUInt32LE(checksum(bytes.subarray(8)), 4)
  putInPlace(files, directory, NAME, writeNew(files, directory, bytes))
}

function writeNew(files: DiskFiles, directory: string, bytes: Buffer): number {
  try {
    return writeBeside(files, directory, NAME, bytes)
  } catch (error) {
    if (!(error instanceof DiskFailed)) throw error
    const { component, value, problem, remedy } = error
    throw new NotSaved({ component, value, problem, remedy, cause: error })
  }
}

/** Undefined if there is none: the disk is new. Throws Damaged, FormatTooNew, DiskFailed. */
export function loadControl(files: DiskFiles, directory: string): Control | undefined {
  const path = join(directory, NAME)
  const bytes = files.readWhole(path)
  if (bytes === undefined) return undefined
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) throw damaged(path, 'it is not a control file')
  const version = bytes.readUInt32LE(8)
  if (bytes.readUInt32LE(4) !== checksum(bytes.subarray(8))) throw damaged(path, 'its checksum differs')
  if (version > FORMAT_VERSION) throw tooNew(path, version)
  return parse(path, decode(bytes.subarray(HEADER_BYTES)))
}

function parse(path: string, body: unknown): Control {
  if (!Array.isArray(body) || body.length !== 6) throw damaged(path, 'its fields are not those of its version')
  // The checksum says that we wrote it, so the types are ours.
  const [diskId, term, entries, fresh, position, chain] = body as [
    string,
    number,
    ReadonlyArray<readonly [number, number]>,
    number,
    number,
    number,
  ]
  return {
    diskId,
    term,
    history: entries.map(([ofTerm, begin]) => ({ term: ofTerm, begin })),
    fresh: fresh !== 0,
    base: { position, chain },
  }
}

function damaged(value: string, problem: string): Damaged {
  return new Damaged({
    component: 'safekeeper control file',
    value,
    problem,
    remedy: 'Move the directory away and restart the zone: the safekeeper starts anew and is filled by its peers.',
  })
}

function tooNew(value: string, version: number): FormatTooNew {
  return new FormatTooNew({
    component: 'safekeeper control file',
    value,
    problem: `format ${version}, this Loch knows ${FORMAT_VERSION}`,
    remedy: 'Start the version of Loch that wrote it, or a newer.',
  })
}
