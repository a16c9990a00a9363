/**
 * The page cache of a simulated compute: slots in memory, each made when it is first written, since most never are. A cache
 * and nothing else: it goes with its process.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import type { PageStore } from '../../runtime/volume/types.ts'

export class MemoryPages implements PageStore {
  readonly slotCount: number
  readonly #slots: Array<Uint8Array | undefined> = []

  constructor(slotCount: number) {
    this.slotCount = slotCount
  }

  read(slot: number, target: Uint8Array, targetOffset: number, pageOffset: number, length: number): void {
    const page = this.#slots[slot]
    if (page === undefined) target.fill(0, targetOffset, targetOffset + length)
    else target.set(page.subarray(pageOffset, pageOffset + length), targetOffset)
  }

  write(slot: number, source: Uint8Array, sourceOffset: number, pageOffset: number, length: number): void {
    if (slot < 0 || slot >= this.slotCount) throw new Error(`broken invariant: slot ${slot} of ${this.slotCount}`)
    const page = this.#slots[slot] ?? new Uint8Array(PAGE_BYTES)
    this.#slots[slot] = page
    page.set(source.subarray(sourceOffset, sourceOffset + length), pageOffset)
  }
}
