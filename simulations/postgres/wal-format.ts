/**
 * What stands in pg_wal: blocks of 8 KiB, eight to a segment, and in them a stream of records that cross blocks as they
 * like. An LSN counts bytes of that stream; headers of blocks are not counted. A record carries the checksum of the one
 * before it. Postgres links by address instead and trusts that records of an abandoned end rarely line up with new ones;
 * here there are few lengths, so they would. Nothing here reads or writes files.
 */
import { checksum } from '../../events/checksum.ts'
import { PAGE_BYTES } from './page.ts'
import type { Register } from './transaction.ts'

export const BLOCKS_PER_SEGMENT = 8
export const SEGMENT_BYTES = BLOCKS_PER_SEGMENT * PAGE_BYTES
export const BLOCK_HEADER_BYTES = 16
/** Bytes of the stream in a block. */
export const BLOCK_ROOM_BYTES = PAGE_BYTES - BLOCK_HEADER_BYTES
/** Where a new cluster's WAL begins: in segment 1, so that 0 is no LSN. */
export const FIRST_LSN = BLOCKS_PER_SEGMENT * BLOCK_ROOM_BYTES
export const RECORD_HEADER_BYTES = 16
export const RECORD_BYTES_MAX = 4096
/** What the first record of a cluster carries as the checksum of the one before it. */
export const NO_LINK = 0

const BLOCK_MAGIC = 0xd118
const CHECKPOINT = 1
const UPDATE = 2
const PAGE = 3
const RELATION = 4
const BULK = 5
const CHANGE_BYTES = 48
const REGISTER_BYTES = 24

/** One register's change. Redo must find `parent` on the page, or an empty page if this was its first change. */
export interface Change {
  readonly key: number
  readonly file: number
  readonly startsPage: boolean
  readonly parent: Register
  readonly written: Register
}

export type WalRecord =
  | { readonly kind: 'checkpoint'; readonly redoLsn: number }
  | UpdateRecord
  | PageRecord
  | RelationRecord
  | BulkRecord

export interface UpdateRecord {
  readonly kind: 'update'
  readonly transactionId: number
  readonly changes: readonly Change[]
}

/** A page of a relation that is being rewritten. */
export interface PageRecord {
  readonly kind: 'page'
  readonly file: number
  readonly block: number
  readonly slots: readonly Register[]
}

/** The relation is in `file` from here on; `oldFile` is dropped. */
export interface RelationRecord {
  readonly kind: 'relation'
  readonly relation: number
  readonly file: number
  readonly oldFile: number
}

/** Rows that nobody reads: what counts is how many bytes they are. */
export interface BulkRecord {
  readonly kind: 'bulk'
  readonly bodyBytes: number
}

const KINDS = { checkpoint: CHECKPOINT, update: UPDATE, page: PAGE, relation: RELATION, bulk: BULK } as const

export const blockOf = (lsn: number) => Math.floor(lsn / BLOCK_ROOM_BYTES)
export const segmentOfBlock = (block: number) => Math.floor(block / BLOCKS_PER_SEGMENT)
export const segmentOf = (lsn: number) => segmentOfBlock(blockOf(lsn))

/** Named as if segments had the usual 16 MiB, so that whoever labels flush points by these names finds them valid. */
export function segmentName(segment: number): string {
  return [1, Math.floor(segment / 256), segment % 256].map(hex8).join('')
}

/** Undefined if it is no segment's name. */
export function parseSegmentName(name: string): number | undefined {
  if (!/^00000001[0-9A-F]{16}$/.test(name)) return undefined
  return Number.parseInt(name.slice(8, 16), 16) * 256 + Number.parseInt(name.slice(16), 16)
}

export function emptyBlock(block: number): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES)
  bytes.writeUInt16LE(BLOCK_MAGIC, 0)
  bytes.writeUIntLE(block, 8, 6)
  return bytes
}

export function isBlock(bytes: Buffer, block: number): boolean {
  return bytes.length === PAGE_BYTES && bytes.readUInt16LE(0) === BLOCK_MAGIC && bytes.readUIntLE(8, 6) === block
}

/** `link` is the checksum of the record before. */
export function encodeRecord(record: WalRecord, link: number): Buffer {
  const body = encodeBody(record)
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + body.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt32LE(link, 8)
  bytes.writeUInt8(KINDS[record.kind], 12)
  body.copy(bytes, RECORD_HEADER_BYTES)
  bytes.writeUInt32LE(recordChecksum(bytes), 4)
  return bytes
}

export const storedChecksum = (bytes: Buffer) => bytes.readUInt32LE(4)
export const storedLink = (bytes: Buffer) => bytes.readUInt32LE(8)
export const isWhole = (bytes: Buffer) => storedChecksum(bytes) === recordChecksum(bytes)

export function decodeRecord(bytes: Buffer): WalRecord {
  const body = bytes.subarray(RECORD_HEADER_BYTES)
  const kind = bytes.readUInt8(12)
  if (kind === CHECKPOINT) return { kind: 'checkpoint', redoLsn: body.readUIntLE(0, 6) }
  if (kind === PAGE) return decodePage(body)
  if (kind === RELATION) return decodeRelation(body)
  if (kind === BULK) return { kind: 'bulk', bodyBytes: body.length }
  return decodeUpdate(body)
}

function encodeBody(record: WalRecord): Buffer {
  if (record.kind === 'checkpoint') return encodeNumbers([record.redoLsn])
  if (record.kind === 'relation') return encodeNumbers([record.relation, record.file, record.oldFile])
  if (record.kind === 'update') return encodeUpdate(record)
  if (record.kind === 'bulk') return Buffer.alloc(record.bodyBytes)
  const registers = record.slots.flatMap(({ version, transactionId, hash }) => [version, transactionId, hash])
  return encodeNumbers([record.file, record.block, ...registers])
}

function decodePage(body: Buffer): PageRecord {
  const slots = Array.from({ length: (body.length - 16) / REGISTER_BYTES }, (_, index): Register => {
    const at = 16 + index * REGISTER_BYTES
    return {
      version: body.readUIntLE(at, 6),
      transactionId: body.readUIntLE(at + 8, 6),
      hash: body.readUIntLE(at + 16, 6),
    }
  })
  return { kind: 'page', file: body.readUIntLE(0, 6), block: body.readUIntLE(8, 6), slots }
}

function decodeRelation(body: Buffer): RelationRecord {
  const [relation, file, oldFile] = [0, 8, 16].map((at) => body.readUIntLE(at, 6))
  return { kind: 'relation', relation: relation!, file: file!, oldFile: oldFile! }
}

function decodeUpdate(body: Buffer): UpdateRecord {
  const count = body.readUInt32LE(8)
  const changes = Array.from({ length: count }, (_, index) => decodeChange(body, 12 + index * CHANGE_BYTES))
  const transactionId = body.readUIntLE(0, 6)
  return { kind: 'update', transactionId, changes: changes.map((change) => withWriter(change, transactionId)) }
}

function withWriter(change: Change, transactionId: number): Change {
  return { ...change, written: { ...change.written, transactionId } }
}

function encodeNumbers(numbers: readonly number[]): Buffer {
  const body = Buffer.alloc(8 * numbers.length)
  for (const [index, number] of numbers.entries()) body.writeUIntLE(number, 8 * index, 6)
  return body
}

function encodeUpdate({ transactionId, changes }: UpdateRecord): Buffer {
  const body = Buffer.alloc(12 + changes.length * CHANGE_BYTES)
  body.writeUIntLE(transactionId, 0, 6)
  body.writeUInt32LE(changes.length, 8)
  for (const [index, { key, file, startsPage, parent, written }] of changes.entries()) {
    const at = 12 + index * CHANGE_BYTES
    body.writeUInt32LE(key, at)
    body.writeUInt8(startsPage ? 1 : 0, at + 4)
    body.writeUIntLE(parent.version, at + 8, 6)
    body.writeUIntLE(parent.transactionId, at + 16, 6)
    body.writeUIntLE(parent.hash, at + 24, 6)
    body.writeUIntLE(written.hash, at + 32, 6)
    body.writeUIntLE(file, at + 40, 6)
  }
  return body
}

function decodeChange(body: Buffer, at: number): Change {
  const version = body.readUIntLE(at + 8, 6)
  return {
    key: body.readUInt32LE(at),
    file: body.readUIntLE(at + 40, 6),
    startsPage: body.readUInt8(at + 4) === 1,
    parent: { version, transactionId: body.readUIntLE(at + 16, 6), hash: body.readUIntLE(at + 24, 6) },
    written: { version: version + 1, transactionId: 0, hash: body.readUIntLE(at + 32, 6) },
  }
}

function recordChecksum(bytes: Buffer): number {
  return checksum(bytes.subarray(8), bytes.readUInt32LE(0))
}

function hex8(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0')
}
