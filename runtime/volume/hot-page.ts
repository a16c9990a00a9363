/**
 * A page store of which one page is held in memory and written back when another takes its place. Postgres rewrites the
 * last page of its log at every commit: comparing the new bytes with the old ones, to log only what changed, must not cost
 * a system call. Nothing here knows what a page is for.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import type { PageStore } from './types.ts'

const NO_SLOT = -1

export class HotPage {
  private readonly store: PageStore
  private readonly bytes = new Uint8Array(PAGE_BYTES)
  private slot = NO_SLOT
  /** Bytes [from, to) are newer than the store. */
  private from = PAGE_BYTES
  private to = 0

  constructor(store: PageStore) {
    this.store = store
  }

  read(slot: number, target: Uint8Array, targetOffset: number, pageOffset: number, length: number): void {
    if (slot !== this.slot) this.store.read(slot, target, targetOffset, pageOffset, length)
    else target.set(this.bytes.subarray(pageOffset, pageOffset + length), targetOffset)
  }

  write(slot: number, source: Uint8Array, sourceOffset: number, pageOffset: number, length: number): void {
    if (slot !== this.slot) {
      this.store.write(slot, source, sourceOffset, pageOffset, length)
      return
    }
    this.bytes.set(source.subarray(sourceOffset, sourceOffset + length), pageOffset)
    this.note(pageOffset, pageOffset + length)
  }

  /** Zeros in bytes [pageOffset, end of page). */
  clear(slot: number, pageOffset: number): void {
    this.write(slot, ZEROS, 0, pageOffset, PAGE_BYTES - pageOffset)
  }

  /** The page's bytes, which are now held here: to look at, until the next call. */
  view(slot: number): Uint8Array {
    if (slot !== this.slot) {
      this.writeBack()
      this.store.read(slot, this.bytes, 0, 0, PAGE_BYTES)
      this.slot = slot
    }
    return this.bytes
  }

  /** Holds the slot from now on with zeros as its content, whatever the store has. */
  begin(slot: number): void {
    this.writeBack()
    this.slot = slot
    this.bytes.fill(0)
    this.note(0, PAGE_BYTES)
  }

  /** The slot's content is no longer wanted. */
  forget(slot: number): void {
    if (slot !== this.slot) return
    this.slot = NO_SLOT
    this.from = PAGE_BYTES
    this.to = 0
  }

  private writeBack(): void {
    if (this.from < this.to) this.store.write(this.slot, this.bytes, this.from, this.from, this.to - this.from)
    this.forget(this.slot)
  }

  private note(from: number, to: number): void {
    if (from < this.from) this.from = from
    if (to > this.to) this.to = to
  }
}

const ZEROS = new Uint8Array(PAGE_BYTES)
