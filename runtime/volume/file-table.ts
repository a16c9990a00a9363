/**
 * The file table: every node of a volume at one log position, and where the chunks of each file's page table lie. It is
 * the last object of a snapshot and all that an attach must read before it folds the log that follows; page tables are
 * read when they are needed. Local nodes are not in it. The format is never changed, only succeeded by another version.
 *
 * Little endian. Head: 0 u32 magic   4 u32 version   8 u32 CRC-32 of all that follows   12 u32 next inode   16 u64 position
 * 24 u32 keys   28 u32 nodes   32 u32 names   36 u32 chunks. Then, in this order and each of fixed size:
 *   key    u32 text offset   u32 text bytes                                                       (8)
 *   node   u32 inode   u32 mode   u32 class   u32 uid   u32 gid   u32 target offset   u32 target bytes   u64 size
 *          f64 mtime   f64 ctime   u32 chunks                                                     (56)
 *   name   u32 directory inode   u32 inode   u32 text offset   u32 text bytes                     (16)
 *   chunk  u32 number   u32 key   u32 offset   u32 pages; those of the first node first           (16)
 * and the text, UTF-8.
 */
import { checksum } from '../../events/checksum.ts'
import { readPosition, writePosition } from '../../events/frame.ts'
import { TWO_32 } from '../../events/identifiers.ts'
import { Damaged, FormatTooNew } from '../errors.ts'
import type { ChunkPlace } from './chunk.ts'
import type { FileClass } from './file-class.ts'

export const FILE_TABLE_VERSION = 1
const MAGIC = 0x5446_434c // "LCFT" read as little endian
const HEAD_BYTES = 40
const KEY_BYTES = 8
const NODE_BYTES = 56
const NAME_BYTES = 16
const CHUNK_BYTES = 16

export interface TableChunk {
  readonly number: number
  readonly place: ChunkPlace
}

export interface TableNode {
  readonly ino: number
  readonly mode: number
  readonly fileClass: FileClass
  readonly uid: number
  readonly gid: number
  readonly target: string
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly chunks: readonly TableChunk[]
}

export interface TableName {
  readonly directory: number
  readonly ino: number
  readonly name: string
}

export interface FileTable {
  /** Log position up to which the table is the fold of the log. */
  readonly position: number
  readonly nextIno: number
  readonly nodes: readonly TableNode[]
  readonly names: readonly TableName[]
}

/** Texts, end to end, each returned as its offset and length. */
class TextHeap {
  private readonly parts: Buffer[] = []
  bytes = 0

  add(text: string): readonly [offset: number, length: number] {
    const part = Buffer.from(text)
    const offset = this.bytes
    this.parts.push(part)
    this.bytes += part.length
    return [offset, part.length]
  }

  copyTo(target: Buffer, at: number): void {
    Buffer.concat(this.parts).copy(target, at)
  }
}

/** u32 values one after the other. */
class Writer {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
  }

  put(value: number): void {
    this.bytes.writeUInt32LE(value, this.at)
    this.at += 4
  }
}

/** The only view of its buffer. */
export function encodeFileTable(table: FileTable): Buffer<ArrayBuffer> {
  const keys = new Map<string, number>()
  let chunkCount = 0
  for (const { chunks } of table.nodes) {
    chunkCount += chunks.length
    for (const { place } of chunks) if (!keys.has(place.key)) keys.set(place.key, keys.size)
  }
  const text = new TextHeap()
  const fixedBytes =
    HEAD_BYTES +
    keys.size * KEY_BYTES +
    table.nodes.length * NODE_BYTES +
    table.names.length * NAME_BYTES +
    chunkCount * CHUNK_BYTES
  const fixed = Buffer.alloc(fixedBytes)
  const to = new Writer(fixed, HEAD_BYTES)
  for (const key of keys.keys()) putText(to, text, key)
  for (const node of table.nodes) putNode(to, text, node)
  for (const { directory, ino, name } of table.names) {
    to.put(directory)
    to.put(ino)
    putText(to, text, name)
  }
  for (const { chunks } of table.nodes) for (const chunk of chunks) putChunk(to, chunk, keys.get(chunk.place.key)!)
  const bytes = Buffer.alloc(fixedBytes + text.bytes)
  fixed.copy(bytes)
  text.copyTo(bytes, fixedBytes)
  putHead(bytes, table, keys.size, chunkCount)
  return bytes
}

function putHead(bytes: Buffer, table: FileTable, keyCount: number, chunkCount: number): void {
  const head = new Writer(bytes, 0)
  head.put(MAGIC)
  head.put(FILE_TABLE_VERSION)
  head.at = 12
  head.put(table.nextIno)
  writePosition(bytes, 16, table.position)
  head.at = 24
  head.put(keyCount)
  head.put(table.nodes.length)
  head.put(table.names.length)
  head.put(chunkCount)
  bytes.writeUInt32LE(checksum(bytes.subarray(12)), 8)
}

function putText(to: Writer, text: TextHeap, value: string): void {
  const [offset, length] = text.add(value)
  to.put(offset)
  to.put(length)
}

function putNode(to: Writer, text: TextHeap, node: TableNode): void {
  to.put(node.ino)
  to.put(node.mode)
  to.put(node.fileClass)
  to.put(node.uid)
  to.put(node.gid)
  putText(to, text, node.target)
  writePosition(to.bytes, to.at, node.size)
  to.bytes.writeDoubleLE(node.mtimeMs, to.at + 8)
  to.bytes.writeDoubleLE(node.ctimeMs, to.at + 16)
  to.at += 24
  to.put(node.chunks.length)
}

function putChunk(to: Writer, { number, place }: TableChunk, key: number): void {
  to.put(number)
  to.put(key)
  to.put(place.offset)
  to.put(place.pageCount)
}

/**
 * Reads u32 values and texts. Attaching waits for this, and nothing of it is compiled yet when it runs, so it does as
 * little per value as it can: a view of words instead of calls, and one string of all texts, cut into pieces.
 */
class Reader {
  private readonly bytes: Buffer
  private readonly words: Uint32Array
  private readonly textAt: number
  /** All texts, if every byte of them is one character. */
  private readonly text: string | undefined
  private at: number
  private readonly float = new Float64Array(1)
  private readonly floatWords = new Uint32Array(this.float.buffer)

  constructor(bytes: Buffer, at: number, textAt: number) {
    this.bytes = bytes
    // Little endian, as all machines are that this runs on.
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, textAt / 4)
    this.textAt = textAt
    const text = bytes.toString('utf8', textAt)
    this.text = text.length === bytes.length - textAt ? text : undefined
    this.at = at / 4
  }

  take(): number {
    return this.words[this.at++]!
  }

  takePosition(): number {
    const low = this.take()
    return low + this.take() * TWO_32
  }

  takeFloat(): number {
    this.floatWords[0] = this.take()
    this.floatWords[1] = this.take()
    return this.float[0]!
  }

  takeText(): string {
    const offset = this.take()
    const end = offset + this.take()
    if (this.text !== undefined) return this.text.slice(offset, end)
    return this.bytes.toString('utf8', this.textAt + offset, this.textAt + end)
  }
}

/** @throws Damaged, FormatTooNew */
export function decodeFileTable(source: Uint8Array): FileTable {
  // A view of words must begin where a word may.
  const bytes = source.byteOffset % 4 === 0 ? viewOf(source) : Buffer.from(source)
  check(bytes)
  const [keyCount, nodeCount, nameCount, chunkCount] = [24, 28, 32, 36].map((at) => bytes.readUInt32LE(at)) as Counts
  const chunksAt = HEAD_BYTES + keyCount * KEY_BYTES + nodeCount * NODE_BYTES + nameCount * NAME_BYTES
  const textAt = chunksAt + chunkCount * CHUNK_BYTES
  const from = new Reader(bytes, HEAD_BYTES, textAt)
  const chunksFrom = new Reader(bytes, chunksAt, textAt)
  const keys: string[] = []
  for (let left = keyCount; left > 0; left--) keys.push(from.takeText())
  const nodes: TableNode[] = []
  for (let left = nodeCount; left > 0; left--) nodes.push(takeNode(from, chunksFrom, keys))
  const names: TableName[] = []
  for (let left = nameCount; left > 0; left--) {
    names.push({ directory: from.take(), ino: from.take(), name: from.takeText() })
  }
  return { position: readPosition(bytes, 16), nextIno: bytes.readUInt32LE(12), nodes, names }
}

type Counts = [keys: number, nodes: number, names: number, chunks: number]

/** Keys of the index objects that a file table refers to: what must be kept while the table is. */
export function referencedIndexKeys(source: Uint8Array): readonly string[] {
  const keys = new Set<string>()
  for (const { chunks } of decodeFileTable(source).nodes) for (const { place } of chunks) keys.add(place.key)
  return [...keys]
}

function takeNode(from: Reader, chunksFrom: Reader, keys: readonly string[]): TableNode {
  const ino = from.take()
  const mode = from.take()
  const fileClass = from.take() as FileClass
  const uid = from.take()
  const gid = from.take()
  const target = from.takeText()
  const size = from.takePosition()
  const mtimeMs = from.takeFloat()
  const ctimeMs = from.takeFloat()
  const chunkCount = from.take()
  const chunks = chunkCount === 0 ? NO_CHUNKS : takeChunks(chunkCount, chunksFrom, keys)
  return { ino, mode, fileClass, uid, gid, target, size, mtimeMs, ctimeMs, chunks }
}

const NO_CHUNKS: readonly TableChunk[] = []

function takeChunks(count: number, from: Reader, keys: readonly string[]): readonly TableChunk[] {
  const chunks: TableChunk[] = []
  for (let left = count; left > 0; left--) {
    const number = from.take()
    const key = keys[from.take()]!
    chunks.push({ number, place: { key, offset: from.take(), pageCount: from.take() } })
  }
  return chunks
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function check(bytes: Buffer): void {
  if (bytes.length < HEAD_BYTES || bytes.readUInt32LE(0) !== MAGIC) throw damaged('these bytes are not a file table')
  const version = bytes.readUInt32LE(4)
  // Before the checksum: a later version may compute another.
  if (version > FILE_TABLE_VERSION) {
    throw new FormatTooNew({
      component: 'file table',
      value: `version ${version}`,
      problem: `this version of Loch reads up to version ${FILE_TABLE_VERSION}`,
      remedy: 'Start the version of Loch that wrote it, or a newer; nothing has been changed.',
    })
  }
  if (bytes.readUInt32LE(8) !== checksum(bytes.subarray(12))) throw damaged('the checksum does not match')
}

function damaged(problem: string): Damaged {
  return new Damaged({
    component: 'file table',
    value: 'the newest snapshot of the branch',
    problem,
    remedy: 'Start from an older snapshot of the branch: the log after it holds the same changes.',
  })
}
