/**
 * When dirty pages leave the volume for object storage. It runs on the FUSE worker: it captures pages into a buffer,
 * hands the buffer to the main thread to store, and completes the seal when that is done. An fsync of a file with dirty
 * pages seals everything dirty, because the other fsyncs of the same checkpoint then find clean files; too many dirty
 * pages start seals without anybody waiting. It never waits itself.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import type { Seal, Volume } from '../volume/volume.ts'
import type { FromVolume } from './volume-messages.ts'

/** 4 MiB segments: large enough for few PUTs, small enough that several fly within the memory bound. */
export const SEGMENT_PAGES_MAX = 512
const SEALS_IN_FLIGHT_MAX = 4
/** More dirty pages than this (16 MiB) are sealed without anybody asking. */
const DIRTY_PAGES_HIGH = 2048

interface SyncWaiter {
  /** Seals with a lower or equal number must be complete; infinity until all that it waits for is captured. */
  readonly seal: number
  readonly includeLogged: boolean
  readonly done: (position: number) => void
}

export class Sealer {
  private readonly volume: Volume
  private readonly term: number
  private readonly post: (message: FromVolume, transfer: ArrayBuffer[]) => void
  private readonly inFlight = new Map<number, { readonly seal: Seal; readonly number: number }>()
  private readonly waiters: SyncWaiter[] = []
  private readonly spare: ArrayBuffer[] = []
  private lastSeal = 0
  private lastSegment = 0
  private lastPosition = 0
  /** Seals wanted beyond those that may fly at once. */
  private wanted = false
  private withLogged = false

  constructor(volume: Volume, term: number, post: (message: FromVolume, transfer: ArrayBuffer[]) => void) {
    this.volume = volume
    this.term = term
    this.post = post
  }

  get idle(): boolean {
    return this.inFlight.size === 0 && !this.wanted
  }

  /** Seals all that is dirty now; `done` gets the log position that makes it so. */
  sync(done: (position: number) => void): void {
    this.await(done, false)
  }

  /** As `sync`, and pages whose content is only in the log too: what a snapshot needs. */
  syncAll(done: (position: number) => void): void {
    this.withLogged = true
    this.await(done, true)
  }

  private await(done: (position: number) => void, includeLogged: boolean): void {
    this.waiters.push({ seal: Number.POSITIVE_INFINITY, includeLogged, done })
    this.start()
    this.settle()
  }

  /** Called after every request. */
  tick(): void {
    if (this.volume.dirtyPageCount >= DIRTY_PAGES_HIGH) this.start()
  }

  /** Captures as much as may fly. */
  start(): void {
    this.wanted = true
    while (this.inFlight.size < SEALS_IN_FLIGHT_MAX) {
      const seal = this.volume.beginSeal(SEGMENT_PAGES_MAX, { includeLogged: this.withLogged })
      if (!seal) {
        this.wanted = false
        this.withLogged = false
        this.bindWaiters()
        return
      }
      this.capture(seal)
    }
  }

  /** Names are given once: whatever is stored under the term takes the next number. */
  nextSegmentNumber(): number {
    return ++this.lastSegment
  }

  private capture(seal: Seal): void {
    const order = ++this.lastSeal
    const number = this.nextSegmentNumber()
    const length = seal.pageCount * PAGE_BYTES
    const buffer = this.spare.pop() ?? new ArrayBuffer(SEGMENT_PAGES_MAX * PAGE_BYTES)
    this.volume.readSeal(seal, Buffer.from(buffer, 0, length))
    this.inFlight.set(order, { seal, number })
    // A seal of sizes only has no pages to store; it still takes its turn.
    this.post({ kind: 'seal', seal: order, number, buffer, length }, [buffer])
  }

  /** The main thread stored the segment, or could not. Completion order is log order, whatever the order of capture. */
  finish(order: number, ok: boolean, buffer: ArrayBuffer): void {
    const flying = this.inFlight.get(order)
    if (!flying) return
    this.inFlight.delete(order)
    if (this.spare.length < SEALS_IN_FLIGHT_MAX) this.spare.push(buffer)
    if (ok) this.lastPosition = this.volume.completeSeal(flying.seal, this.term, flying.number)
    else this.abandon(order, flying.seal)
    if (!ok || this.wanted) this.start()
    this.settle()
  }

  /** What it captured is captured anew under a higher number, and that is what its waiters wait for from now on. */
  private abandon(order: number, seal: Seal): void {
    this.volume.abandonSeal(seal)
    for (const [index, waiter] of this.waiters.entries()) {
      if (waiter.seal < order) continue
      this.waiters[index] = { ...waiter, seal: Number.POSITIVE_INFINITY }
      if (waiter.includeLogged) this.withLogged = true
    }
  }

  /** Everything dirty has been captured: who waited for "all" now waits for the last one captured. */
  private bindWaiters(): void {
    for (const [index, waiter] of this.waiters.entries()) {
      if (waiter.seal === Number.POSITIVE_INFINITY) this.waiters[index] = { ...waiter, seal: this.lastSeal }
    }
  }

  private settle(): void {
    let oldest = Number.POSITIVE_INFINITY
    for (const number of this.inFlight.keys()) oldest = Math.min(oldest, number)
    for (let index = 0; index < this.waiters.length; ) {
      const waiter = this.waiters[index]!
      if (waiter.seal === Number.POSITIVE_INFINITY || waiter.seal >= oldest) {
        index++
        continue
      }
      this.waiters.splice(index, 1)
      waiter.done(this.lastPosition)
    }
  }
}
