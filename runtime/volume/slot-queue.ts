/**
 * A queue of cache slots in which each slot stands at most once, so that its room is fixed. What a slot stands for may
 * change while it waits; whoever takes it out looks again.
 */
export class SlotQueue {
  private readonly slots: Int32Array
  private readonly present: Uint8Array
  private head = 0
  private count = 0
  /** Slots that were ever put in. */
  pushed = 0

  constructor(slotCount: number) {
    this.slots = new Int32Array(slotCount)
    this.present = new Uint8Array(slotCount)
  }

  get length(): number {
    return this.count
  }

  /** Slots that were ever taken out. */
  get shifted(): number {
    return this.pushed - this.count
  }

  push(slot: number): void {
    if (this.present[slot] === 1) return
    this.present[slot] = 1
    this.pushed++
    this.slots[(this.head + this.count++) % this.slots.length] = slot
  }

  /** The oldest slot, or -1. */
  shift(): number {
    if (this.count === 0) return -1
    const slot = this.slots[this.head]!
    this.head = (this.head + 1) % this.slots.length
    this.count--
    this.present[slot] = 0
    return slot
  }
}
