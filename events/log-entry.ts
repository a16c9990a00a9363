/**
 * What a timeline's log says: one entry per change of the volume, in order. The volume is the fold of these entries, of
 * old ones too, so their meaning can never change; a new meaning is a new type.
 *
 * An entry is a 16 byte header and a body, little endian:
 *   0 u32 size of the whole entry   4 u8 type   5 u8 flags   6 u16 reserved   8 f64 time, ms since 1970 (of the writer)
 * The body of `write` and `sealed` is binary, because they are most of the log and are made on the FUSE path; all other
 * bodies are one MessagePack array in the order given by their type below. Entries carry no checksum of their own: the
 * frame's chain covers every byte from the FUSE worker to the fold.
 */
import { decode, encode } from './codec.ts'
import { readPosition, writePosition } from './frame.ts'

export const ENTRY_HEADER_BYTES = 16
/** Bytes before the data of a `write`: header, ino u32, reserved u32, offset u64. */
export const WRITE_ENTRY_HEAD_BYTES = ENTRY_HEADER_BYTES + 16
/** One page reference in a `sealed` entry: ino u32, block u32, slot u32, checksum u32. */
export const SEALED_PAGE_BYTES = 16
/** Postgres's BLCKSZ; the unit of pages, segments and the index. */
export const PAGE_BYTES = 8192

export const EntryType = {
  write: 1,
  sealed: 2,
  termStarted: 3,
  created: 4,
  linked: 5,
  unlinked: 6,
  renamed: 7,
  attributes: 8,
  truncated: 9,
} as const

/** Bytes written to a file of which the log holds the content: pg_wal and small files. */
export interface WriteEntry {
  readonly type: 'write'
  readonly at: number
  readonly ino: number
  readonly offset: number
  /** A view of the log bytes; copy to keep. */
  readonly data: Uint8Array
}

/**
 * Pages now stand in an immutable segment object. `pages` holds four u32 per page: ino, block, slot in the segment,
 * CRC-32 of the page. `sizes` holds [ino, size] of every file whose size these pages changed.
 */
export interface SealedEntry {
  readonly type: 'sealed'
  readonly at: number
  readonly segmentTerm: number
  readonly segmentNumber: number
  readonly pages: Uint32Array
  readonly sizes: ReadonlyArray<readonly [ino: number, size: number]>
}

/** First entry of a reign. What precedes it in the log is decided by the election; what follows is this term's. */
export interface TermStartedEntry {
  readonly type: 'termStarted'
  readonly at: number
  readonly term: number
  readonly compute: string
}

/** A file, directory or symbolic link came to be. `mode` has the file type bits of stat(2). Inodes are never reused. */
export interface CreatedEntry {
  readonly type: 'created'
  readonly at: number
  readonly ino: number
  readonly parent: number
  readonly name: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Target of a symbolic link, else ''. */
  readonly target: string
}

export interface LinkedEntry {
  readonly type: 'linked'
  readonly at: number
  readonly ino: number
  readonly parent: number
  readonly name: string
}

/** A name went away; a directory's too. The inode goes with its last name. */
export interface UnlinkedEntry {
  readonly type: 'unlinked'
  readonly at: number
  readonly parent: number
  readonly name: string
}

/** rename(2): replaces what stood under the new name. */
export interface RenamedEntry {
  readonly type: 'renamed'
  readonly at: number
  readonly parent: number
  readonly name: string
  readonly newParent: number
  readonly newName: string
}

export interface AttributesEntry {
  readonly type: 'attributes'
  readonly at: number
  readonly ino: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modifiedAt: number
}

/** Sets a file's size, down or up; bytes past a shorter size are gone and read as zeros if the file grows again. */
export interface TruncatedEntry {
  readonly type: 'truncated'
  readonly at: number
  readonly ino: number
  readonly size: number
}

export type LogEntry =
  | WriteEntry
  | SealedEntry
  | TermStartedEntry
  | CreatedEntry
  | LinkedEntry
  | UnlinkedEntry
  | RenamedEntry
  | AttributesEntry
  | TruncatedEntry

type PackedEntry = Exclude<LogEntry, WriteEntry | SealedEntry>

function packedBody(entry: PackedEntry): readonly unknown[] {
  switch (entry.type) {
    case 'termStarted':
      return [entry.term, entry.compute]
    case 'created':
      return [entry.ino, entry.parent, entry.name, entry.mode, entry.uid, entry.gid, entry.target]
    case 'linked':
      return [entry.ino, entry.parent, entry.name]
    case 'unlinked':
      return [entry.parent, entry.name]
    case 'renamed':
      return [entry.parent, entry.name, entry.newParent, entry.newName]
    case 'attributes':
      return [entry.ino, entry.mode, entry.uid, entry.gid, entry.modifiedAt]
    case 'truncated':
      return [entry.ino, entry.size]
  }
}

function withHeader(type: number, at: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(ENTRY_HEADER_BYTES + bodyBytes)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt8(type, 4)
  bytes.writeDoubleLE(at, 8)
  return bytes
}

/** Encodes any entry. The FUSE path does not use it for `write`: see `writeWriteEntryHead`. */
export function encodeEntry(entry: LogEntry): Buffer {
  if (entry.type === 'write') {
    const bytes = Buffer.alloc(WRITE_ENTRY_HEAD_BYTES + entry.data.length)
    writeWriteEntryHead(bytes, 0, entry.ino, entry.offset, entry.data.length, entry.at)
    bytes.set(entry.data, WRITE_ENTRY_HEAD_BYTES)
    return bytes
  }
  if (entry.type === 'sealed') return encodeSealed(entry)
  const body = encode(packedBody(entry))
  const bytes = withHeader(EntryType[entry.type], entry.at, body.length)
  bytes.set(body, ENTRY_HEADER_BYTES)
  return bytes
}

/** Writes what precedes the data of a `write` entry: WRITE_ENTRY_HEAD_BYTES at `at`. */
export function writeWriteEntryHead(
  target: Buffer,
  at: number,
  ino: number,
  offset: number,
  length: number,
  time: number,
): void {
  target.writeUInt32LE(WRITE_ENTRY_HEAD_BYTES + length, at)
  target.writeUInt32LE(EntryType.write, at + 4)
  target.writeDoubleLE(time, at + 8)
  target.writeUInt32LE(ino, at + 16)
  target.writeUInt32LE(0, at + 20)
  writePosition(target, at + 24, offset)
}

function encodeSealed(entry: SealedEntry): Buffer {
  const pageCount = entry.pages.length / 4
  const bytes = withHeader(EntryType.sealed, entry.at, 16 + pageCount * SEALED_PAGE_BYTES + entry.sizes.length * 12)
  bytes.writeUInt32LE(entry.segmentTerm, 16)
  bytes.writeUInt32LE(entry.segmentNumber, 20)
  bytes.writeUInt32LE(pageCount, 24)
  bytes.writeUInt32LE(entry.sizes.length, 28)
  let at = 32
  for (let index = 0; index < entry.pages.length; index++, at += 4) bytes.writeUInt32LE(entry.pages[index]!, at)
  for (const [ino, size] of entry.sizes) {
    bytes.writeUInt32LE(ino, at)
    writePosition(bytes, at + 4, size)
    at += 12
  }
  return bytes
}

function decodeSealed(bytes: Buffer, at: number, time: number): SealedEntry {
  const pageCount = bytes.readUInt32LE(at + 24)
  const sizeCount = bytes.readUInt32LE(at + 28)
  const pages = new Uint32Array(pageCount * 4)
  let from = at + 32
  for (let index = 0; index < pages.length; index++, from += 4) pages[index] = bytes.readUInt32LE(from)
  const sizes: Array<readonly [number, number]> = []
  for (let index = 0; index < sizeCount; index++, from += 12) {
    sizes.push([bytes.readUInt32LE(from), readPosition(bytes, from + 4)])
  }
  const segmentTerm = bytes.readUInt32LE(at + 16)
  return { type: 'sealed', at: time, segmentTerm, segmentNumber: bytes.readUInt32LE(at + 20), pages, sizes }
}

/** Size of the entry at `at`, or 0 if `bytes` does not hold all of it. */
export function entrySize(bytes: Buffer, at: number): number {
  if (bytes.length - at < ENTRY_HEADER_BYTES) return 0
  const size = bytes.readUInt32LE(at)
  return size >= ENTRY_HEADER_BYTES && size <= bytes.length - at ? size : 0
}

/**
 * Decodes the whole entry at `at` (see `entrySize`). Undefined for a type this version does not know: the caller must
 * refuse the log as newer, never skip the entry.
 */
export function decodeEntry(bytes: Buffer, at: number): LogEntry | undefined {
  const size = bytes.readUInt32LE(at)
  const time = bytes.readDoubleLE(at + 8)
  const type = bytes.readUInt8(at + 4)
  if (type === EntryType.write) {
    const data = bytes.subarray(at + WRITE_ENTRY_HEAD_BYTES, at + size)
    return { type: 'write', at: time, ino: bytes.readUInt32LE(at + 16), offset: readPosition(bytes, at + 24), data }
  }
  if (type === EntryType.sealed) return decodeSealed(bytes, at, time)
  return decodePacked(type, time, decode(bytes.subarray(at + ENTRY_HEADER_BYTES, at + size)) as never)
}

function decodePacked(type: number, at: number, body: never): PackedEntry | undefined {
  switch (type) {
    case EntryType.termStarted: {
      const [term, compute] = body as [number, string]
      return { type: 'termStarted', at, term, compute }
    }
    case EntryType.created: {
      const [ino, parent, name, mode, uid, gid, target] = body as [
        number,
        number,
        string,
        number,
        number,
        number,
        string,
      ]
      return { type: 'created', at, ino, parent, name, mode, uid, gid, target }
    }
    case EntryType.linked: {
      const [ino, parent, name] = body as [number, number, string]
      return { type: 'linked', at, ino, parent, name }
    }
    case EntryType.unlinked: {
      const [parent, name] = body as [number, string]
      return { type: 'unlinked', at, parent, name }
    }
    case EntryType.renamed: {
      const [parent, name, newParent, newName] = body as [number, string, number, string]
      return { type: 'renamed', at, parent, name, newParent, newName }
    }
    case EntryType.attributes: {
      const [ino, mode, uid, gid, modifiedAt] = body as [number, number, number, number, number]
      return { type: 'attributes', at, ino, mode, uid, gid, modifiedAt }
    }
    case EntryType.truncated: {
      const [ino, size] = body as [number, number]
      return { type: 'truncated', at, ino, size }
    }
    default:
      return undefined
  }
}
