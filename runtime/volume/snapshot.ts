/**
 * Snapshots: the fold of the log up to one position, as objects. A snapshot needs no quiet moment, because each thing it
 * states is known at any moment as the log has it, whatever was written since:
 *
 *   names, attributes   changed and logged in one step, so they are the log's
 *   page table          changed by the entry that says so, in one step
 *   dirty pages         the log knows nothing of them, so a snapshot does not either: the table's older page is right
 *   size of paged files the log's own is kept beside the one that unsealed writes have grown
 *   logged pages        the log is the only place that has them. They are copied into a segment that is stored with the
 *                       snapshot. The volume seals most of them beforehand, so that few are left.
 *
 * Taking it is one synchronous step, so no write comes between; only storing it takes time. The table keeps the places
 * that it gives to logged pages: they count for nothing in this process while the page is logged, stored or not.
 */
import { checksum } from '../../events/checksum.ts'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import type { Chunk, ChunkPlace } from './chunk.ts'
import { CHUNK_PAGES } from './chunk.ts'
import { FileClass } from './file-class.ts'
import { decodeFileTable, encodeFileTable, type TableChunk, type TableName, type TableNode } from './file-table.ts'
import { indexBlockBytes, writeIndexBlock } from './index-block.ts'
import { linksWithoutName, Node } from './node.ts'
import { type PageCache, PageState } from './page-cache.ts'
import type { PageTable } from './page-table.ts'
import type { Tree } from './tree.ts'
import { WANTS_BYTES, type Wanted } from './types.ts'

/** Of index objects and of segments. */
const OBJECT_BYTES_MAX = 4 * 1024 * 1024
/** 16 MiB: what a snapshot may take along of pages that are only in the log. With more, seal first. */
export const SNAPSHOT_LOGGED_PAGES_MAX = 2048

/** To be stored create-if-absent, in the order given; the last is the file table, which names the others. */
export interface SnapshotObject {
  readonly kind: 'segment' | 'index' | 'files'
  readonly key: string
  /** The only view of its buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Names for objects, each used once. Segment numbers are shared with the seals of the term. */
export interface SnapshotNames {
  readonly index: () => string
  readonly segment: () => { readonly key: string; readonly term: number; readonly number: number }
}

interface Stored {
  readonly chunk: Chunk
  readonly revision: number
  readonly place: ChunkPlace | undefined
}

export class Snapshots {
  /** What `prepare` lacks. */
  wanted: readonly Wanted[] = []
  private readonly tree: Tree
  private readonly cache: PageCache
  private readonly table: PageTable
  /** Chunks of the snapshot that is being stored. */
  private storing: readonly Stored[] | undefined

  constructor(tree: Tree, cache: PageCache, table: PageTable) {
    this.tree = tree
    this.cache = cache
    this.table = table
  }

  get canTake(): boolean {
    if (this.storing || this.cache.loggedPageCount > SNAPSHOT_LOGGED_PAGES_MAX) return false
    return this.missing().length === 0
  }

  /** 0, or WANTS_BYTES while parts of the page table that the snapshot changes are not loaded. */
  prepare(): number {
    this.wanted = this.missing().map((chunk) => this.table.wantChunk(chunk))
    return this.wanted.length > 0 ? WANTS_BYTES : 0
  }

  private missing(): readonly Chunk[] {
    const missing = new Set<Chunk>()
    for (const chunk of this.table.changed) if (isNamed(chunk) && !chunk.isComplete) missing.add(chunk)
    for (const slot of this.loggedSlots()) {
      const chunk = this.cache.owner(slot)!.chunks[Math.floor(this.cache.block(slot) / CHUNK_PAGES)]
      if (chunk && !chunk.isComplete) missing.add(chunk)
    }
    return [...missing]
  }

  /** The image at `position`, which is the log's end. */
  take(position: number, names: SnapshotNames): readonly SnapshotObject[] {
    if (!this.canTake) throw new Error('defect: a snapshot is taken that is not prepared')
    const objects = this.segments(names)
    const places = new Map<Chunk, ChunkPlace | undefined>()
    objects.push(...this.indexes(names, places))
    objects.push({ kind: 'files', key: names.index(), bytes: this.fileTable(position, places) })
    this.storing = [...places].map(([chunk, place]) => ({ chunk, revision: chunk.revision, place }))
    return objects
  }

  /** All objects are stored and announced, or not all. */
  stored(ok: boolean): void {
    const stored = this.storing ?? []
    this.storing = undefined
    if (ok) for (const { chunk, revision, place } of stored) this.table.stored(chunk, revision, place)
  }

  /** Pages that only the log has, of files and blocks in order. */
  private loggedSlots(): readonly number[] {
    const { cache } = this
    const slots: number[] = []
    if (cache.loggedPageCount === 0) return slots
    for (let slot = 0; slot < cache.capacity; slot++) if (cache.state(slot) === PageState.logged) slots.push(slot)
    const ino = (slot: number): number => cache.owner(slot)!.node.ino
    return slots.sort((a, b) => ino(a) - ino(b) || cache.block(a) - cache.block(b))
  }

  private segments(names: SnapshotNames): SnapshotObject[] {
    const objects: SnapshotObject[] = []
    const slots = this.loggedSlots()
    const pagesMax = OBJECT_BYTES_MAX / PAGE_BYTES
    for (let first = 0; first < slots.length; first += pagesMax) {
      objects.push(this.segment(slots.slice(first, first + pagesMax), names))
    }
    return objects
  }

  private segment(slots: readonly number[], names: SnapshotNames): SnapshotObject {
    const { key, term, number } = names.segment()
    const bytes = new Uint8Array(slots.length * PAGE_BYTES)
    for (const [index, slot] of slots.entries()) {
      const page = bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES)
      this.cache.bytes.read(slot, page, 0, 0, PAGE_BYTES)
      this.table.set(this.cache.owner(slot)!, this.cache.block(slot), term, number, index, checksum(page))
    }
    return { kind: 'segment', key, bytes }
  }

  /** Writes the changed chunks into as few objects as their bound allows, and notes where each one lies. */
  private indexes(names: SnapshotNames, places: Map<Chunk, ChunkPlace | undefined>): SnapshotObject[] {
    const objects: SnapshotObject[] = []
    let batch: Chunk[] = []
    let bytes = 0
    const flush = (): void => {
      if (batch.length > 0) objects.push(indexObject(names.index(), batch, bytes, places))
      batch = []
      bytes = 0
    }
    for (const chunk of this.table.changed) {
      if (!isNamed(chunk)) continue
      const pageCount = chunk.storedPages()
      if (pageCount === 0) {
        places.set(chunk, undefined)
        continue
      }
      if (bytes + indexBlockBytes(pageCount) > OBJECT_BYTES_MAX) flush()
      batch.push(chunk)
      bytes += indexBlockBytes(pageCount)
    }
    flush()
    return objects
  }

  private fileTable(position: number, places: Map<Chunk, ChunkPlace | undefined>): Buffer<ArrayBuffer> {
    const nodes: TableNode[] = []
    const names: TableName[] = []
    for (const node of this.tree.nodes.values()) {
      if (node.isLocal || node.nlink === 0) continue
      nodes.push(tableNode(node, places))
      for (const [name, ino] of node.children ?? []) {
        if (!this.tree.node(ino)!.isLocal) names.push({ directory: node.ino, ino, name })
      }
    }
    return encodeFileTable({ position, nextIno: this.tree.nextIno, nodes, names })
  }

  /** Makes the volume, which must be new, what the file table says. Returns the log position of which it is the fold. */
  restore(bytes: Uint8Array): number {
    const table = decodeFileTable(bytes)
    const { nodes } = this.tree
    for (const from of table.nodes) nodes.set(from.ino, this.restoreNode(from))
    for (const { directory, ino, name } of table.names) this.tree.place(nodes.get(ino)!, nodes.get(directory)!, name)
    this.tree.nextIno = table.nextIno
    return table.position
  }

  private restoreNode(from: TableNode): Node {
    const { ino, fileClass, mode, uid, gid, target, mtimeMs } = from
    const node = new Node({ ino, fileClass, mode, uid, gid, target, at: mtimeMs })
    node.nlink = linksWithoutName(node)
    node.size = from.size
    node.ctimeMs = from.ctimeMs
    if (!node.body) return node
    node.body.loggedSize = from.size
    for (const { number, place } of from.chunks) this.table.restore(node.body, number, place)
    return node
  }
}

function tableNode(node: Node, places: Map<Chunk, ChunkPlace | undefined>): TableNode {
  const { ino, mode, fileClass, uid, gid, target, mtimeMs, ctimeMs, body } = node
  const chunks: TableChunk[] = []
  for (const chunk of body?.chunks ?? []) {
    const place = chunk && (places.has(chunk) ? places.get(chunk) : chunk.base)
    if (chunk && place) chunks.push({ number: chunk.number, place })
  }
  const size = body && fileClass === FileClass.paged ? body.loggedSize : node.size
  return { ino, mode, fileClass, uid, gid, target, size, mtimeMs, ctimeMs, chunks }
}

function isNamed(chunk: Chunk): boolean {
  return chunk.body.node.nlink > 0
}

function indexObject(
  key: string,
  chunks: readonly Chunk[],
  byteCount: number,
  places: Map<Chunk, ChunkPlace | undefined>,
): SnapshotObject {
  const bytes = Buffer.alloc(byteCount)
  let offset = 0
  for (const chunk of chunks) {
    const pageCount = chunk.storedPages()
    places.set(chunk, { key, offset, pageCount })
    offset += writeIndexBlock(bytes, offset, chunk.body.node.ino, chunk.number, chunk.table, pageCount)
  }
  return { kind: 'index', key, bytes }
}
