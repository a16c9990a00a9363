/**
 * When dirty pages leave the volume for object storage. It runs on the FUSE worker: it captures pages into a buffer,
 * hands the buffer to the main thread to store, and completes the seal when that is done. An fsync of a file with dirty
 * pages seals everything dirty, because the other fsyncs of the same checkpoint then find clean files; too many dirty
 * pages start seals without anybody waiting. It never waits itself.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import type { CaptureMark, Seal } from '../volume/sealing.ts'
import type { Volume } from '../volume/volume.ts'
import type { FromVolume } from './volume-messages.ts'

/** 4 MiB segments: large enough for few PUTs, small enough that several fly within the memory bound. */
export const SEGMENT_PAGES_MAX = 512
const SEALS_IN_FLIGHT_MAX = 4

interface SyncWaiter {
  /** Seals with a lower or equal number must be complete; infinity until all that it waits for is captured. */
  seal: number
  /** What stood in the volume's queues when it came: what is dirtied later is not waited for, or it might be for ever. */
  mark: CaptureMark
  readonly includeLogged: boolean
  readonly done: (position: number) => void
}

export class Sealer {
  private readonly volume: Volume
  private readonly term: number
  private readonly post: (message: FromVolume, transfer: ArrayBuffer[]) => void
  private readonly inFlight = new Map<number, { readonly seal: Seal; readonly number: number }>()
  private waiters: readonly SyncWaiter[] = []
  private readonly spare: ArrayBuffer[] = []
  private lastSeal = 0
  private lastSegment = 0
  private lastPosition = 0
  /**
   * Pages of a segment at most. A full segment of dirty pages is sealed without anybody asking: Postgres's buffers have
   * gathered the rewrites of a page already, so it comes once per checkpoint, and what is sealed now is not waited for by
   * the fsync at the checkpoint's end.
   */
  private readonly segmentPages: number

  constructor(
    volume: Volume,
    term: number,
    post: (message: FromVolume, transfer: ArrayBuffer[]) => void,
    segmentPages = SEGMENT_PAGES_MAX,
  ) {
    this.volume = volume
    this.term = term
    this.post = post
    this.segmentPages = segmentPages
  }

  /** Seals all that is dirty now; `done` gets the log position that makes it so. */
  sync(done: (position: number) => void): void {
    this.await(done, false)
  }

  /** As `sync`, and pages whose content is only in the log too: what a snapshot needs. */
  syncAll(done: (position: number) => void): void {
    this.await(done, true)
  }

  private await(done: (position: number) => void, includeLogged: boolean): void {
    const mark = this.volume.captureMark()
    this.waiters = [...this.waiters, { seal: Number.POSITIVE_INFINITY, mark, includeLogged, done }]
    this.start()
    this.settle()
  }

  /** Called after every request. */
  tick(): void {
    if (this.volume.dirtyPageCount >= this.segmentPages) this.start()
  }

  /** Captures what somebody waits for, and what is too much, as far as it may fly. */
  private start(): void {
    this.bindWaiters()
    while (this.inFlight.size < SEALS_IN_FLIGHT_MAX && this.hasWork()) {
      const includeLogged = this.waiters.some((waiter) => !isBound(waiter) && waiter.includeLogged)
      const seal = this.volume.beginSeal(this.segmentPages, { includeLogged })
      if (seal) this.capture(seal)
      this.bindWaiters()
      if (!seal) return
    }
  }

  private hasWork(): boolean {
    return this.volume.dirtyPageCount >= this.segmentPages || this.waiters.some((waiter) => !isBound(waiter))
  }

  /** Names are given once: whatever is stored under the term takes the next number. */
  nextSegmentNumber(): number {
    return ++this.lastSegment
  }

  private capture(seal: Seal): void {
    const order = ++this.lastSeal
    const number = this.nextSegmentNumber()
    const length = seal.pageCount * PAGE_BYTES
    const buffer = this.spare.pop() ?? new ArrayBuffer(this.segmentPages * PAGE_BYTES)
    this.volume.readSeal(seal, Buffer.from(buffer, 0, length))
    this.inFlight.set(order, { seal, number })
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
    this.start()
    this.settle()
  }

  /** What it captured is captured anew under a higher number, and that is what its waiters wait for from now on. */
  private abandon(order: number, seal: Seal): void {
    this.volume.abandonSeal(seal)
    const mark = this.volume.captureMark()
    for (const waiter of this.waiters) {
      if (waiter.seal < order) continue
      waiter.seal = Number.POSITIVE_INFINITY
      waiter.mark = mark
    }
  }

  /** Who finds captured all that was there when it came waits for the last seal captured. */
  private bindWaiters(): void {
    for (const waiter of this.waiters) {
      if (!isBound(waiter) && this.volume.hasCaptured(waiter.mark, waiter)) waiter.seal = this.lastSeal
    }
  }

  /** Those that are answered may ask for more, so the list is in order before the first of them is told. */
  private settle(): void {
    const oldest = Math.min(...this.inFlight.keys())
    const due = this.waiters.filter((waiter) => isBound(waiter) && waiter.seal < oldest)
    if (due.length === 0) return
    this.waiters = this.waiters.filter((waiter) => !due.includes(waiter))
    for (const waiter of due) waiter.done(this.lastPosition)
  }
}

function isBound(waiter: SyncWaiter): boolean {
  return waiter.seal !== Number.POSITIVE_INFINITY
}
