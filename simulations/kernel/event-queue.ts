/**
 * The kernel's queue: a binary heap ordered by time and, within a moment, by a number drawn from the seed. An event that was
 * cancelled stays in it without anything to do, because taking it out of the middle would cost more than passing over it.
 */
import type { Process } from './kernel.ts'

export interface QueuedEvent {
  atMs: number
  /** Decides among events of the same moment. */
  order: number
  readonly process: Process
  /** Undefined once it was cancelled. */
  fire: (() => void) | undefined
}

export class EventQueue {
  readonly #heap: QueuedEvent[] = []

  get length(): number {
    return this.#heap.length
  }

  add(atMs: number, order: number, process: Process, fire: () => void): QueuedEvent {
    const event = { atMs, order, process, fire }
    this.put(event)
    return event
  }

  put(event: QueuedEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  peek(): QueuedEvent | undefined {
    return this.#heap[0]
  }

  take(): QueuedEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last !== undefined && heap.length > 0) this.#sink(last)
    return first
  }

  #sink(event: QueuedEvent): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, event)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = event
  }
}

function isBefore(left: QueuedEvent, right: QueuedEvent): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)
}
