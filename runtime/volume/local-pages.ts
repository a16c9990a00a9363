/**
 * Pages that will never be durable: of local files and of files without a name. They have a store of their own, without
 * bound, so that a large sort cannot push the database out of the cache. Slots are handed out from the start of the store
 * and reused, so the file behind it is as long as it ever needed to be.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import type { PageStore } from './types.ts'

export class LocalPages {
  private readonly store: PageStore
  private readonly free: number[] = []
  private next = 0

  constructor(store: PageStore) {
    this.store = store
  }

  /** Slots in use. */
  get count(): number {
    return this.next - this.free.length
  }

  /** A slot, or -1 if the store has an end and it was reached. Its old content is still there: write the whole page. */
  take(): number {
    return this.free.pop() ?? (this.next < this.store.slotCount ? this.next++ : -1)
  }

  /** True if `count` slots can be taken. */
  has(count: number): boolean {
    return this.free.length + this.store.slotCount - this.next >= count
  }

  give(slot: number): void {
    this.free.push(slot)
  }

  read(slot: number, target: Uint8Array, targetOffset: number, pageOffset: number, length: number): void {
    this.store.read(slot, target, targetOffset, pageOffset, length)
  }

  write(slot: number, source: Uint8Array, sourceOffset: number, pageOffset: number, length: number): void {
    this.store.write(slot, source, sourceOffset, pageOffset, length)
  }

  /** Zeros in bytes [pageOffset, end of page). */
  clear(slot: number, pageOffset: number): void {
    this.store.write(slot, ZEROS, 0, pageOffset, PAGE_BYTES - pageOffset)
  }
}

const ZEROS = new Uint8Array(PAGE_BYTES)
