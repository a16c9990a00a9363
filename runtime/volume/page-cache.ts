/**
 * The bounded cache of pages: which slot holds which page and what would be lost with it. Only pages that can be had again
 * may leave it: clean ones (they lie in a segment), and pages of files without a name, which move to the local store. All
 * others stay until they are sealed, and a cache full of them says so instead of forgetting one.
 *
 *   clean    equal to what the page table says
 *   logged   content is the fold of the log, and nowhere else
 *   dirty    newer than log and segments: an fsync of the file must seal it
 *   orphaned newer than segments, of a file without a name: nobody will ever need it durable
 *
 * Plain arrays by slot, because this is on the way of every read and write. Nothing here decides when to seal.
 */

import { PAGE_BYTES } from '../../events/log-entry.ts'
import { HotPage } from './hot-page.ts'
import type { LocalPages } from './local-pages.ts'
import type { FileBody } from './node.ts'
import { SlotQueue } from './slot-queue.ts'
import type { PageStore } from './types.ts'

export const PageState = { free: 0, clean: 1, dirty: 2, logged: 3, orphaned: 4 } as const
export type PageState = (typeof PageState)[keyof typeof PageState]

export class PageCache {
  readonly capacity: number
  readonly bytes: HotPage
  /** Slots that may be dirty and not captured, oldest first; the same of logged ones. */
  readonly dirtyQueue: SlotQueue
  readonly loggedQueue: SlotQueue
  /** Dirty pages whose present content no seal has captured. */
  dirtyPageCount = 0
  /** Pages whose content is only in the log. */
  loggedPageCount = 0
  private readonly local: LocalPages
  private readonly owners: Array<FileBody | undefined> = []
  private readonly blocks: Uint32Array
  private readonly states: Uint8Array
  private readonly referenced: Uint8Array
  /** Seal that captured the present content, 0 if none. */
  private readonly capturedBy: Uint32Array
  /** Newest seal of this page that was published since it took the slot. */
  private readonly published: Uint32Array
  /** Captures of this page in flight; while there are any it keeps its slot. */
  private readonly flights: Uint8Array
  /** Operation that relies on the slot. */
  private readonly heldBy: Float64Array
  /** Slots that hold no page any more, the last one on top; and the first of those that never held one. */
  private readonly freed: number[] = []
  private untouched = 0
  private evictableCount = 0
  private operation = 0
  private hand = 0

  constructor(store: PageStore, local: LocalPages) {
    const count = store.slotCount
    this.capacity = count
    this.bytes = new HotPage(store)
    this.local = local
    this.dirtyQueue = new SlotQueue(count)
    this.loggedQueue = new SlotQueue(count)
    this.blocks = new Uint32Array(count)
    this.states = new Uint8Array(count)
    this.referenced = new Uint8Array(count)
    this.capturedBy = new Uint32Array(count)
    this.published = new Uint32Array(count)
    this.flights = new Uint8Array(count)
    this.heldBy = new Float64Array(count)
  }

  owner(slot: number): FileBody | undefined {
    return this.owners[slot]
  }
  block(slot: number): number {
    return this.blocks[slot]!
  }
  state(slot: number): PageState {
    return this.states[slot] as PageState
  }
  isCaptured(slot: number): boolean {
    return this.capturedBy[slot] !== 0
  }

  // ---- room ------------------------------------------------------------------------------------------------------------

  /** A new operation begins: slots held by earlier ones may be evicted again. */
  begin(): void {
    this.operation++
  }

  /** The present operation relies on the slot. */
  hold(slot: number): void {
    this.heldBy[slot] = this.operation
    this.referenced[slot] = 1
  }

  use(slot: number): void {
    this.referenced[slot] = 1
  }

  /** True if `count` more pages may find room, as far as can be told without looking for it. */
  mayHold(count: number): boolean {
    return this.freeCount() + this.evictableCount >= count
  }

  /** Makes `count` slots free; false if too few can be. */
  makeRoom(count: number): boolean {
    while (this.freeCount() < count) if (this.evictableCount === 0 || !this.evictOne()) return false
    return true
  }

  private freeCount(): number {
    return this.freed.length + this.capacity - this.untouched
  }

  /** A free slot (see `makeRoom`) for a page that has none, as clean. Its bytes are whatever they were. */
  take(body: FileBody, block: number): number {
    const slot = this.freed.pop() ?? this.untouched++
    this.owners[slot] = body
    this.blocks[slot] = block
    this.published[slot] = 0
    this.become(slot, PageState.clean)
    this.referenced[slot] = 1
    body.setPage(block, slot + 1)
    return slot
  }

  /** The page leaves the cache; no capture of it may be in flight. */
  drop(slot: number): void {
    this.owners[slot]!.setPage(this.blocks[slot]!, 0)
    this.release(slot)
  }

  private release(slot: number): void {
    if (this.flights[slot] !== 0) throw new Error(`defect: slot ${slot} is released while a seal holds it`)
    this.become(slot, PageState.free)
    this.owners[slot] = undefined
    this.bytes.forget(slot)
    this.freed.push(slot)
  }

  /** Clock: a page used since the hand last came by stays for another round. */
  private evictOne(): boolean {
    for (let step = 0; step < 2 * this.capacity; step++) {
      const slot = this.hand
      this.hand = slot + 1 === this.capacity ? 0 : slot + 1
      if (!this.isEvictable(slot) || this.heldBy[slot] === this.operation) continue
      if (this.referenced[slot] === 1) this.referenced[slot] = 0
      else if (this.evict(slot)) return true
    }
    return false
  }

  /** True if nothing would be lost with the page. */
  isEvictable(slot: number): boolean {
    const state = this.states[slot]
    return (state === PageState.clean || state === PageState.orphaned) && this.flights[slot] === 0
  }

  private evict(slot: number): boolean {
    const body = this.owners[slot]!
    let moved = 0
    if (this.states[slot] === PageState.orphaned) {
      const to = this.local.take()
      if (to < 0) return false
      this.local.write(to, this.bytes.view(slot), 0, 0, PAGE_BYTES)
      moved = -(to + 1)
    }
    body.setPage(this.blocks[slot]!, moved)
    this.release(slot)
    return true
  }

  // ---- what a page's content is ----------------------------------------------------------------------------------------

  /** The content was changed: no seal has captured it. */
  changed(slot: number, state: PageState): void {
    this.become(slot, state)
    this.referenced[slot] = 1
  }

  /** The page's file has lost its last name. */
  orphan(slot: number): void {
    if (this.states[slot] !== PageState.clean) this.become(slot, PageState.orphaned)
  }

  /** The content now stands in a segment that the page table names. */
  cleaned(slot: number): void {
    this.become(slot, PageState.clean)
  }

  private become(slot: number, state: PageState): void {
    this.count(slot, -1)
    this.states[slot] = state
    this.capturedBy[slot] = 0
    this.count(slot, 1)
    if (state === PageState.dirty) this.dirtyQueue.push(slot)
    else if (state === PageState.logged) this.loggedQueue.push(slot)
  }

  private count(slot: number, by: number): void {
    switch (this.states[slot]) {
      case PageState.dirty:
        this.owners[slot]!.dirtyPages += by
        if (this.capturedBy[slot] === 0) this.dirtyPageCount += by
        return
      case PageState.logged:
        this.loggedPageCount += by
        return
      case PageState.clean:
      case PageState.orphaned:
        if (this.flights[slot] === 0) this.evictableCount += by
    }
  }

  // ---- captures by seals, which are numbered in the order in which they began ------------------------------------------

  captured(slot: number, seal: number): void {
    this.count(slot, -1)
    this.capturedBy[slot] = seal
    this.count(slot, 1)
    this.flights[slot]!++
  }

  /** The capture has ended, whichever way. True if the page's content is still what it captured. */
  landed(slot: number, seal: number): boolean {
    this.count(slot, -1)
    this.flights[slot]!--
    this.count(slot, 1)
    return this.capturedBy[slot] === seal
  }

  /** The captured content will not be published: the page waits for the next seal, if this was its newest capture. */
  uncaptured(slot: number): void {
    this.become(slot, this.states[slot] as PageState)
  }

  /** True if no newer capture has been published; then this one counts as published. */
  publish(slot: number, seal: number): boolean {
    if (this.published[slot]! > seal) return false
    this.published[slot] = seal
    return true
  }
}
