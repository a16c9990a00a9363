/**
 * The bytes of files: reads, writes and cuts, over cache, page table and local store. Each operation first finds out what
 * it lacks, bytes or room, and then does all or nothing: one WRITE request is applied as a whole, which is what makes
 * full_page_writes=off sound. Sizes, times and the log are the caller's business. One invariant carries much weight: the
 * bytes of a page past the end of its file are zeros, in the cache and in segments.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Errno } from './errno.ts'
import { FileClass } from './file-class.ts'
import type { Lacking } from './lacking.ts'
import type { LocalPages } from './local-pages.ts'
import type { FileBody } from './node.ts'
import { type PageCache, PageState } from './page-cache.ts'
import { Found, type PageTable } from './page-table.ts'
import type { Sealing } from './sealing.ts'
import { NEEDS_SEAL } from './types.ts'

/** 2^21 pages. Postgres's largest files are segments of 1 GiB; a bound keeps block numbers and tables small. */
export const FILE_BYTES_MAX = 16 * 1024 * 1024 * 1024
/** Pages fetched beyond what a sequential reader asked for, while so many would find room in the cache. */
const READ_AHEAD_PAGES = 32
const READ_AHEAD_ROOM_PAGES = 1024

export class Content {
  private readonly cache: PageCache
  private readonly local: LocalPages
  private readonly table: PageTable
  private readonly sealing: Sealing
  private readonly lacking: Lacking
  private readonly scratch = new Uint8Array(PAGE_BYTES)

  constructor(cache: PageCache, local: LocalPages, table: PageTable, sealing: Sealing, lacking: Lacking) {
    this.cache = cache
    this.local = local
    this.table = table
    this.sealing = sealing
    this.lacking = lacking
  }

  // ---- reading ---------------------------------------------------------------------------------------------------------

  /** Reads [offset, offset + length), which must lie within the file. 0, WANTS_BYTES or NEEDS_SEAL. */
  read(body: FileBody, offset: number, length: number, target: Uint8Array, targetOffset: number): number {
    const end = offset + length
    const first = Math.floor(offset / PAGE_BYTES)
    let block = first
    for (let position = offset; position < end; block++) {
      const within = position - block * PAGE_BYTES
      const count = Math.min(PAGE_BYTES - within, end - position)
      this.readPage(body, block, within, count, target, targetOffset + position - offset)
      position += count
    }
    const isSequential = first === body.nextRead
    body.nextRead = end % PAGE_BYTES === 0 ? block : block - 1
    if (this.lacking.isEmpty) return 0
    if (isSequential && this.cache.mayHold(READ_AHEAD_ROOM_PAGES)) this.lookAhead(body, block)
    return this.lacking.result(this.evictable(body, first, block))
  }

  private readPage(
    body: FileBody,
    block: number,
    within: number,
    count: number,
    target: Uint8Array,
    targetOffset: number,
  ): void {
    const page = body.page(block)
    if (page > 0) {
      this.cache.use(page - 1)
      this.cache.bytes.read(page - 1, target, targetOffset, within, count)
    } else if (page < 0) this.local.read(-page - 1, target, targetOffset, within, count)
    else if (this.lacking.note(body, block) === Found.hole) target.fill(0, targetOffset, targetOffset + count)
  }

  /** The pages after `block` will be asked for next; what is not known without reading more is not worth it. */
  private lookAhead(body: FileBody, block: number): void {
    for (let next = block; next < block + READ_AHEAD_PAGES; next++) {
      if (body.page(next) === 0 && this.table.find(body, next) === Found.stored) this.lacking.note(body, next)
    }
  }

  /** Pages of [from, to) that are cached and might be pushed out for others. */
  private evictable(body: FileBody, from: number, to: number): number {
    let count = 0
    for (let block = from; block < to; block++) {
      const page = body.page(block)
      if (page > 0 && this.cache.isEvictable(page - 1)) count++
    }
    return count
  }

  // ---- writing ---------------------------------------------------------------------------------------------------------

  /** 0 if `write` may be called for any part of [offset, offset + length) that covers its uncached pages, or why not. */
  prepareWrite(body: FileBody, offset: number, length: number): number {
    if (offset + length > FILE_BYTES_MAX) return -Errno.EFBIG
    const { cache } = this
    cache.begin()
    const isPrivate = body.isPrivate
    let held = 0
    let fresh = 0
    const first = Math.floor(offset / PAGE_BYTES)
    const last = Math.floor((offset + length - 1) / PAGE_BYTES)
    for (let block = first; block <= last; block++) {
      const page = body.page(block)
      if (page < 0) continue
      if (page > 0) {
        if (!isPrivate && this.mustSealBefore(body, page - 1)) {
          this.lacking.clear()
          return NEEDS_SEAL
        }
        cache.hold(page - 1)
        held++
        continue
      }
      fresh++
      if (!covers(body, block, offset, offset + length)) this.lacking.note(body, block)
    }
    if (!this.lacking.isEmpty) return this.lacking.result(this.evictable(body, first, last + 1))
    if (isPrivate) return this.local.has(fresh) ? 0 : -Errno.ENOSPC
    if (fresh === 0 || cache.makeRoom(fresh)) return 0
    return held + fresh > cache.capacity ? -Errno.ENOSPC : NEEDS_SEAL
  }

  /**
   * A page of a paged file whose content is only in the log (a cut went through it) is sealed before it changes again:
   * afterwards nothing could tell any more what the log says it is.
   */
  private mustSealBefore(body: FileBody, slot: number): boolean {
    return body.node.fileClass === FileClass.paged && this.cache.state(slot) === PageState.logged
  }

  /** Applies a write that was prepared. `state` is what the pages of a file with a name become. */
  write(body: FileBody, offset: number, source: Uint8Array, from: number, length: number, state: PageState): void {
    const become = body.isPrivate ? PageState.orphaned : state
    const end = offset + length
    for (let position = offset; position < end; ) {
      const block = Math.floor(position / PAGE_BYTES)
      const within = position - block * PAGE_BYTES
      const count = Math.min(PAGE_BYTES - within, end - position)
      this.writePage(body, block, within, count, source, from + position - offset, become)
      position += count
    }
  }

  private writePage(
    body: FileBody,
    block: number,
    within: number,
    count: number,
    source: Uint8Array,
    from: number,
    state: PageState,
  ): void {
    const page = body.page(block)
    if (page > 0) {
      this.cache.bytes.write(page - 1, source, from, within, count)
      this.cache.changed(page - 1, state)
    } else if (page < 0) this.local.write(-page - 1, source, from, within, count)
    else if (state === PageState.orphaned) this.writeNewLocal(body, block, within, count, source, from)
    else this.writeNew(body, block, within, count, source, from, state)
  }

  private writeNew(
    body: FileBody,
    block: number,
    within: number,
    count: number,
    source: Uint8Array,
    from: number,
    state: PageState,
  ): void {
    const { bytes } = this.cache
    const slot = this.cache.take(body, block)
    if (state === PageState.logged) {
      // It will probably be rewritten at once, as the log's tail is, and then compared.
      bytes.begin(slot)
      bytes.write(slot, source, from, within, count)
    } else if (count === PAGE_BYTES) bytes.write(slot, source, from, 0, PAGE_BYTES)
    else bytes.write(slot, this.padded(within, count, source, from), 0, 0, PAGE_BYTES)
    this.cache.changed(slot, state)
  }

  private writeNewLocal(
    body: FileBody,
    block: number,
    within: number,
    count: number,
    source: Uint8Array,
    from: number,
  ): void {
    const slot = this.local.take()
    try {
      if (count === PAGE_BYTES) this.local.write(slot, source, from, 0, PAGE_BYTES)
      else this.local.write(slot, this.padded(within, count, source, from), 0, 0, PAGE_BYTES)
    } catch (error) {
      this.local.give(slot)
      throw error
    }
    body.setPage(block, -(slot + 1))
  }

  private padded(within: number, count: number, source: Uint8Array, from: number): Uint8Array {
    this.scratch.fill(0)
    this.scratch.set(source.subarray(from, from + count), within)
    return this.scratch
  }

  // ---- cutting ---------------------------------------------------------------------------------------------------------

  /** 0 if the file can be cut to `size` now. */
  prepareCut(body: FileBody, size: number): number {
    if (size > FILE_BYTES_MAX) return -Errno.EFBIG
    if (size % PAGE_BYTES === 0 || size >= body.node.size) return 0
    const block = Math.floor(size / PAGE_BYTES)
    const page = body.page(block)
    if (page < 0) return 0
    if (page > 0) return this.cache.state(page - 1) === PageState.dirty && !body.isPrivate ? NEEDS_SEAL : 0
    return this.lacking.note(body, block) === Found.hole ? 0 : this.lacking.result(0)
  }

  /**
   * Removes what lies at `size` and after. The page that the cut goes through becomes logged: its segment and the entry of
   * the cut together are its content. That it was not dirty (`prepareCut`) makes this true.
   */
  cut(body: FileBody, size: number): void {
    this.drop(body, Math.ceil(size / PAGE_BYTES))
    const within = size % PAGE_BYTES
    if (within === 0 || size >= body.node.size) return
    const page = body.page(Math.floor(size / PAGE_BYTES))
    if (page < 0) this.local.clear(-page - 1, within)
    if (page <= 0) return
    this.cache.bytes.clear(page - 1, within)
    this.cache.changed(page - 1, body.isPrivate ? PageState.orphaned : PageState.logged)
  }

  /** The file lost its last name, but is still in use: nothing of it will be sealed, all of it can be read. */
  orphan(body: FileBody): void {
    for (let block = 0; block < body.blockLimit; block++) {
      const page = body.page(block)
      if (page > 0) this.cache.orphan(page - 1)
    }
  }

  /** Pages from `block` on are gone, from everywhere. */
  drop(body: FileBody, block: number): void {
    this.sealing.void(body, block)
    for (let at = block; at < body.blockLimit; at++) {
      const page = body.page(at)
      if (page > 0) this.cache.drop(page - 1)
      else if (page < 0) {
        this.local.give(-page - 1)
        body.setPage(at, 0)
      }
    }
    body.trimPages(block)
    this.table.cut(body, block)
  }
}

/** True if [from, to) leaves nothing of the page's old content. */
function covers(body: FileBody, block: number, from: number, to: number): boolean {
  const begin = block * PAGE_BYTES
  return from <= begin && to >= Math.min(begin + PAGE_BYTES, body.node.size)
}
