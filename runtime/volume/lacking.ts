/**
 * What an operation on a file's bytes lacks: pages and parts of the page table that lie in object storage only. It is
 * gathered while the operation looks, all of it at once, so that everything can be fetched side by side; what arrives
 * later goes into the cache if it is still what the page table says, and the operation is repeated.
 */
import { checksum } from '../../events/checksum.ts'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Errno } from './errno.ts'
import type { FileBody } from './node.ts'
import type { PageCache } from './page-cache.ts'
import { Found, type PageTable } from './page-table.ts'
import { NEEDS_SEAL, type PageLocation, WANTS_BYTES, type Wanted } from './types.ts'

export class Lacking {
  /** What the last operation that returned WANTS_BYTES lacks. */
  wanted: readonly Wanted[] = []
  private readonly cache: PageCache
  private readonly table: PageTable
  private list: Wanted[] = []
  private pageCount = 0

  constructor(cache: PageCache, table: PageTable) {
    this.cache = cache
    this.table = table
  }

  get isEmpty(): boolean {
    return this.list.length === 0
  }

  /** Notes what is needed to know an uncached page, unless it is a hole. */
  note(body: FileBody, block: number): Found {
    const found = this.table.find(body, block)
    if (found === Found.stored) {
      this.list.push({ kind: 'page', ino: body.node.ino, block, location: this.table.location })
      this.pageCount++
    } else if (found === Found.unloaded) this.noteIndex(this.table.want(body, block))
    return found
  }

  private noteIndex(wanted: Extract<Wanted, { kind: 'index' }>): void {
    const last = this.list.at(-1)
    const isNoted = last?.kind === 'index' && last.key === wanted.key && last.offset === wanted.offset
    if (!isNoted) this.list.push(wanted)
  }

  /** The operation is not done for another reason: what it lacks does not matter any more. */
  clear(): void {
    this.list = []
    this.pageCount = 0
  }

  /**
   * Result of an operation that lacks something: bytes, or room for them. `own` is how many pages it has found that could
   * be evicted: they are no room, or the operation would for ever push out one of its pages to fetch another.
   */
  result(own: number): number {
    const { list, pageCount } = this
    this.clear()
    const needed = pageCount + own
    if (!this.cache.mayHold(needed)) return needed > this.cache.capacity ? -Errno.ENOSPC : NEEDS_SEAL
    this.wanted = list
    return WANTS_BYTES
  }

  /** Takes in a page that was wanted, unless it has moved since or is here already. False if the bytes are damaged. */
  deliver(body: FileBody, block: number, location: PageLocation, bytes: Uint8Array): boolean {
    if (bytes.length !== PAGE_BYTES || checksum(bytes) !== location.checksum) return false
    if (body.page(block) !== 0) return true
    if (this.table.find(body, block) !== Found.stored || !this.table.isAt(location)) return true
    this.cache.begin()
    // Without room they are dropped: the operation is repeated, and finds that it needs a seal.
    if (this.cache.makeRoom(1)) this.cache.bytes.write(this.cache.take(body, block), bytes, 0, 0, PAGE_BYTES)
    return true
  }
}
