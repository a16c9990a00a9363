/**
 * Where pages lie in object storage: block → place in a segment, per file in chunks (chunk.ts). Memory holds what changed
 * since the last snapshot and a bounded part of what did not. The table is the fold of `sealed` entries and of cuts, and
 * nothing else: a page that is only in the log or only dirty is not its business.
 */
import { CHUNK_PAGES, Chunk, type ChunkPlace } from './chunk.ts'
import { indexBlockBytes, readIndexBlock } from './index-block.ts'
import type { FileBody } from './node.ts'
import type { PageLocation, Wanted } from './types.ts'

/** Entries of unchanged chunks that stay in memory: the way to 4 GiB of pages. */
const CLEAN_BYTES_MAX = 16 * 1024 * 1024

export const Found = { hole: 0, stored: 1, unloaded: 2 } as const
export type Found = (typeof Found)[keyof typeof Found]

type WantedIndex = Extract<Wanted, { kind: 'index' }>

export class PageTable {
  /** Chunks that differ from what snapshots hold. */
  readonly changed = new Set<Chunk>()
  /** Loaded and unchanged chunks, oldest first. */
  private readonly clean = new Set<Chunk>()
  private cleanBytes = 0
  /** Chunks whose base is on its way, by where it lies. */
  private readonly awaited = new Map<string, Chunk>()
  private readonly cleanBytesMax: number
  // The entry that `find` found last, so that a lookup allocates nothing.
  private term = 0
  private number = 0
  private slot = 0
  private pageChecksum = 0

  constructor(cleanBytesMax: number = CLEAN_BYTES_MAX) {
    this.cleanBytesMax = cleanBytesMax
  }

  /** What is known of the page; if it is stored, `location` tells where. */
  find(body: FileBody, block: number): Found {
    const chunk = chunkOf(body, block)
    if (!chunk) return Found.hole
    chunk.referenced = true
    const page = block % CHUNK_PAGES
    if (!chunk.knows(page)) return Found.unloaded
    this.term = chunk.word(page, 0)
    if (this.term === 0) return Found.hole
    this.number = chunk.word(page, 1)
    this.slot = chunk.word(page, 2)
    this.pageChecksum = chunk.word(page, 3)
    return Found.stored
  }

  /** Of the page that `find` just found stored. */
  get location(): PageLocation {
    return { segmentTerm: this.term, segmentNumber: this.number, slot: this.slot, checksum: this.pageChecksum }
  }

  isAt(location: PageLocation): boolean {
    const { segmentTerm, segmentNumber, slot, checksum } = location
    return (
      this.term === segmentTerm && this.number === segmentNumber && this.slot === slot && this.pageChecksum === checksum
    )
  }

  set(body: FileBody, block: number, term: number, number: number, slot: number, checksum: number): void {
    const index = Math.floor(block / CHUNK_PAGES)
    let chunk = body.chunks[index]
    if (!chunk) {
      chunk = new Chunk(body, index, undefined)
      body.chunks[index] = chunk
    }
    this.leaveClean(chunk)
    chunk.set(block % CHUNK_PAGES, term, number, slot, checksum)
    this.changed.add(chunk)
  }

  /** The file has no pages from `block` on. */
  cut(body: FileBody, block: number): void {
    const index = Math.floor(block / CHUNK_PAGES)
    const within = block % CHUNK_PAGES
    const kept = within === 0 ? index : index + 1
    for (let gone = kept; gone < body.chunks.length; gone++) this.forget(body.chunks[gone])
    if (body.chunks.length > kept) body.chunks.length = kept
    const partial = within === 0 ? undefined : body.chunks[index]
    if (!partial) return
    this.leaveClean(partial)
    partial.cut(within)
    this.changed.add(partial)
  }

  /** A chunk as a snapshot states it. */
  restore(body: FileBody, number: number, base: ChunkPlace): void {
    body.chunks[number] = new Chunk(body, number, base)
  }

  /** The stored form of the chunk that `find` found unloaded. */
  want(body: FileBody, block: number): WantedIndex {
    return this.wantChunk(chunkOf(body, block)!)
  }

  wantChunk(chunk: Chunk): WantedIndex {
    const { key, offset, pageCount } = chunk.base!
    this.awaited.set(placeName(key, offset), chunk)
    return { kind: 'index', key, offset, length: indexBlockBytes(pageCount) }
  }

  /** False if the bytes are damaged or not what was asked for. Bytes that nobody waits for any more are ignored. */
  deliver(key: string, offset: number, bytes: Uint8Array): boolean {
    const place = placeName(key, offset)
    const chunk = this.awaited.get(place)
    if (!chunk) return true
    const entries = readIndexBlock(bytes, chunk.body.node.ino, chunk.number)
    if (!entries) return false
    this.awaited.delete(place)
    if (chunk.isComplete || chunk.body.chunks[chunk.number] !== chunk) return true
    chunk.merge(entries)
    if (!chunk.changed) this.enterClean(chunk)
    return true
  }

  /** `chunk` stands in `base` now, unless it changed since `revision` was stored. */
  stored(chunk: Chunk, revision: number, base: ChunkPlace | undefined): void {
    if (chunk.revision !== revision || !this.changed.delete(chunk)) return
    if (base) {
      chunk.settle(base)
      this.enterClean(chunk)
      return
    }
    // A chunk without any page needs no stored form; forgetting it says the same.
    chunk.body.chunks[chunk.number] = undefined
  }

  private forget(chunk: Chunk | undefined): void {
    if (!chunk) return
    this.leaveClean(chunk)
    this.changed.delete(chunk)
  }

  private enterClean(chunk: Chunk): void {
    this.clean.add(chunk)
    this.cleanBytes += chunk.bytes
    chunk.referenced = true
    while (this.cleanBytes > this.cleanBytesMax && this.clean.size > 1) this.shedOne()
  }

  private leaveClean(chunk: Chunk): void {
    if (this.clean.delete(chunk)) this.cleanBytes -= chunk.bytes
  }

  /** Second chance: a chunk that was used since it last came up goes to the back of the queue. */
  private shedOne(): void {
    for (const chunk of this.clean) {
      this.clean.delete(chunk)
      if (chunk.referenced) {
        chunk.referenced = false
        this.clean.add(chunk)
        continue
      }
      this.cleanBytes -= chunk.bytes
      chunk.rest(chunk.base!)
      return
    }
  }
}

function chunkOf(body: FileBody, block: number): Chunk | undefined {
  return body.chunks[Math.floor(block / CHUNK_PAGES)]
}

function placeName(key: string, offset: number): string {
  return `${key}@${offset}`
}
