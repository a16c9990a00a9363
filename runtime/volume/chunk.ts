/**
 * One part of a file's page table: where 512 consecutive pages (4 MiB) lie. What changed since the last snapshot stands in
 * memory, over a base that lies in an index object and is read only when a page is asked for that memory does not know.
 * So a lookup costs one ranged read at most, cutting a file needs no tombstones, and there is nothing to compact.
 *
 * Entries are as many as the file needs: most files of a database have a handful of pages.
 */
import { ENTRY_WORDS, INDEX_ENTRY_BYTES } from './index-block.ts'
import type { FileBody } from './node.ts'

export const CHUNK_PAGES = 512
const PAGES_MIN = 4
/** Shared, because most chunks of a database are never loaded. */
const NO_WORDS = new Uint32Array(0)

/** Where a chunk's stored form lies. */
export interface ChunkPlace {
  readonly key: string
  readonly offset: number
  readonly pageCount: number
}

export class Chunk {
  readonly body: FileBody
  readonly number: number
  /** Differs from `base`, so it must stay in memory and belongs into the next snapshot. */
  changed = false
  /** Grows with every change: a snapshot compares. */
  revision = 0
  /** Used since the memory sweep came by. */
  referenced = false
  base: ChunkPlace | undefined
  /** Pages below this that memory does not know stand in the base. */
  private baseLimit = 0
  private entries: Uint32Array = NO_WORDS
  /** One bit per page that `entries` decides although the base is not loaded; undefined once it is, or if there is none. */
  private known: Uint32Array | undefined

  constructor(body: FileBody, number: number, base: ChunkPlace | undefined) {
    this.body = body
    this.number = number
    if (base) this.rest(base)
  }

  /** True if no page needs the base any more. */
  get isComplete(): boolean {
    return this.known === undefined
  }

  get bytes(): number {
    return this.entries.byteLength
  }

  /** False if the page may stand in the base, which is not loaded. */
  knows(page: number): boolean {
    return this.known === undefined || page >= this.baseLimit || this.isKnown(this.known, page)
  }

  /** Word `word` of the page's entry; 0 for a page that was never stored. */
  word(page: number, word: number): number {
    return this.entries[page * ENTRY_WORDS + word] ?? 0
  }

  set(page: number, term: number, number: number, slot: number, checksum: number): void {
    this.makeRoom(page + 1)
    const at = page * ENTRY_WORDS
    this.entries[at] = term
    this.entries[at + 1] = number
    this.entries[at + 2] = slot
    this.entries[at + 3] = checksum
    if (this.known) this.noteKnown(page)
    this.touch()
  }

  private noteKnown(page: number): void {
    if (this.known === NO_WORDS) this.known = new Uint32Array(CHUNK_PAGES / 32)
    this.known![page >>> 5]! |= 1 << (page & 31)
  }

  private isKnown(known: Uint32Array, page: number): boolean {
    return ((known[page >>> 5] ?? 0) & (1 << (page & 31))) !== 0
  }

  /** Pages from `page` on are gone. */
  cut(page: number): void {
    this.entries.fill(0, page * ENTRY_WORDS)
    if (page < this.baseLimit) this.baseLimit = page
    this.touch()
  }

  /** Takes the base in, under what is known already. */
  merge(entries: Uint32Array): void {
    const { known } = this
    if (!known) return
    const limit = Math.min(this.baseLimit, entries.length / ENTRY_WORDS)
    this.makeRoom(limit)
    for (let page = 0; page < limit; page++) {
      if (this.isKnown(known, page)) continue
      this.entries.set(entries.subarray(page * ENTRY_WORDS, (page + 1) * ENTRY_WORDS), page * ENTRY_WORDS)
    }
    this.known = undefined
  }

  /** Pages that a stored form must have: up to the last that has a place. */
  storedPages(): number {
    let count = this.entries.length / ENTRY_WORDS
    while (count > 0 && this.entries[(count - 1) * ENTRY_WORDS] === 0) count--
    return count
  }

  get table(): Uint32Array {
    return this.entries
  }

  /** Equal to `base` now; what is in memory may stay there. */
  settle(base: ChunkPlace): void {
    this.base = base
    this.changed = false
  }

  /** Equal to `base`: nothing needs to stay in memory. */
  rest(base: ChunkPlace): void {
    this.base = base
    this.baseLimit = base.pageCount
    this.changed = false
    this.entries = NO_WORDS
    this.known = NO_WORDS
  }

  private touch(): void {
    this.changed = true
    this.revision++
  }

  private makeRoom(pages: number): void {
    if (pages * ENTRY_WORDS <= this.entries.length) return
    const roomy = Math.min(CHUNK_PAGES, Math.max(PAGES_MIN, pages, (this.entries.length / ENTRY_WORDS) * 2))
    const grown = new Uint32Array((roomy * INDEX_ENTRY_BYTES) / 4)
    grown.set(this.entries)
    this.entries = grown
  }
}
