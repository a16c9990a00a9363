/**
 * The main thread's half of the commit path: acknowledgements come in, `durable` moves, waiting fsyncs are answered, and
 * a safekeeper that missed something is sent it again. It never appends: only the FUSE worker does.
 *
 * Invariant I2 lives here: an acknowledgement that names a higher term is fatal. Every waiting fsync gets EIO, the log is
 * failed for good, and the compute hears of it.
 */
import {
  acknowledge,
  dutyToMove,
  majorityFlushed,
  type Proposer,
  stalledMembers,
  sufficesWithout,
} from '../../actors/compute/proposer.ts'
import {
  chainOver,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameFlag,
  writeFrameHeader,
} from '../../events/frame.ts'
import { type AppendAck, decodeAck } from '../../events/safekeeper-wire.ts'
import { problemOf } from '../errors.ts'
import { every, type Timers } from '../system/timers.ts'
import type { SyncAnswers } from './fsyncs.ts'
import type { SharedLog } from './shared-log.ts'

export const EIO = 5
const TICK_MS = 50
/** Longer than a flush takes, so that some acknowledgement gets beyond a milestone before the next is set. */
const MILESTONE_INTERVAL_MS = 500
/** How often it is noted for replay how far the log is durable: beside the commit path, and seldom. */
export const PROGRESS_NOTE_INTERVAL_MS = 250
/**
 * How far the object store may lag behind under `quorum` durability: beyond, the ring is not released and the writer
 * waits. Under `archived` durability it cannot lag behind what is durable at all.
 */
export const ARCHIVE_LAG_BYTES_MAX = 64 * 1024 * 1024

export interface LogWriterPorts {
  readonly subscribe: (subject: string, handler: (data: Uint8Array) => void) => { unsubscribe(): void }
  /** Publishes one frame to one safekeeper. */
  readonly publishTo: (zone: string, frame: Uint8Array) => void
  readonly moveDuty: (zone: string) => void
  /** The safekeeper must hear of the election (again) before it takes appends; also if the ring no longer has its tail. */
  readonly reelect: (zone: string, flushed: number) => void
  /** Publishes one frame to all safekeepers. */
  readonly publish: (frame: Uint8Array) => void
  /** The serving lease is held at this moment: a majority was heard under our own term. */
  readonly isLeased: () => boolean
  /** A safekeeper was under our own term at `atMs` or later. */
  readonly heard: (zone: string, atMs: number) => void
  readonly fenced: (term: number) => void
  readonly report: (line: string) => void
  /** The log is durable up to there: for whoever looks on, and late. */
  readonly noteDurable: (position: number) => void
  readonly nowMs: () => number
  readonly timers: Timers
}

interface Watcher {
  readonly position: number
  readonly isArchiveMeant: boolean
  readonly done: (reached: boolean) => void
}

export class LogWriter {
  readonly proposer: Proposer
  private readonly log: SharedLog
  private readonly answers: SyncAnswers
  private readonly writer: Uint8Array
  private readonly ports: LogWriterPorts
  private readonly subscription: { unsubscribe(): void }
  private readonly endTicks: () => void
  /** Where the log stood at a moment: whoever acknowledges more has acknowledged it since, however late that is heard. */
  private milestone = { position: Number.POSITIVE_INFINITY, atMs: Number.NEGATIVE_INFINITY }
  private noted = { position: Number.NaN, atMs: Number.NEGATIVE_INFINITY }
  private readonly watchers: Watcher[] = []

  /** Fsyncs are answered through `answers`, without going back to the worker. */
  constructor(
    log: SharedLog,
    proposer: Proposer,
    answers: SyncAnswers,
    ackSubject: string,
    writer: Uint8Array,
    ports: LogWriterPorts,
  ) {
    this.log = log
    this.proposer = proposer
    this.answers = answers
    this.writer = writer
    this.ports = ports
    this.subscription = ports.subscribe(ackSubject, (data) => this.onAck(data))
    this.endTicks = every(ports.timers, TICK_MS, () => this.tick())
  }

  /** Resolves with true once `position` is durable, with false if the log failed first. */
  whenDurable(position: number): Promise<boolean> {
    return this.whenReached(position, false)
  }

  /** The same, once it is in the archive as well, which `quorum` durability does not wait for. */
  whenArchived(position: number): Promise<boolean> {
    return this.whenReached(position, true)
  }

  private whenReached(position: number, isArchiveMeant: boolean): Promise<boolean> {
    return new Promise((done) => {
      this.watchers.push({ position, isArchiveMeant, done })
      this.settleWatchers()
    })
  }

  /** Nothing more becomes durable through this writer. Waiting fsyncs get EIO. */
  fail(): void {
    this.log.fail(EIO, this.answerError)
    this.settleWatchers()
    this.noteDurable()
  }

  close(): void {
    this.endTicks()
    this.subscription.unsubscribe()
    this.fail()
  }

  private onAck(data: Uint8Array): void {
    const ack = decodeAck(data)
    if (!ack || this.log.failure !== 0) return
    if (ack.term > this.proposer.term) this.onFenced(ack.term)
    else if (ack.term < this.proposer.term) this.ports.reelect(ack.zone, ack.flushed)
    else this.take(ack)
  }

  private take(ack: AppendAck): void {
    if (ack.flushed > this.milestone.position) this.ports.heard(ack.zone, this.milestone.atMs)
    acknowledge(this.proposer, ack.zone, ack.flushed, ack.archived, this.ports.nowMs())
    this.conclude()
    if (ack.status === 'gap') this.resendTo(ack.zone, ack.flushed)
    if (ack.status === 'not-elected') this.ports.reelect(ack.zone, ack.flushed)
    if (ack.status === 'failed') this.ports.report(`safekeeper ${ack.zone} cannot append at ${ack.flushed}`)
  }

  /**
   * `zone` has archived so much in this term, as it says when it is asked; what follows from it, the next tick sees. One that was
   * started anew does not know whom to tell before the next frame, and there may be none: all that is to be written may wait for the archive.
   */
  heardOfArchive(zone: string, archived: number): void {
    acknowledge(this.proposer, zone, 0, archived, this.ports.nowMs())
  }

  private conclude(): void {
    const isMoreArchived = this.proposer.archived > this.log.archived
    if (isMoreArchived) this.log.archived = this.proposer.archived
    if (this.proposer.durable > this.log.durable || isMoreArchived) this.release()
  }

  /**
   * `durable` or `archived` grew: answers fsyncs and gives room in the ring back, as far as the archive keeps up. Nobody is told of
   * what became durable while the lease is not held: a disk that was counted may be lost, and another have been elected without it.
   */
  private release(): void {
    const before = this.log.durable
    const durable = this.ports.isLeased() ? Math.max(this.proposer.durable, before) : before
    const released = this.log.releasable(Math.min(durable, this.proposer.archived + ARCHIVE_LAG_BYTES_MAX))
    this.log.advance(durable, Math.max(released, this.log.released), this.answerOk)
    this.settleWatchers()
  }

  private onFenced(term: number): void {
    this.fail()
    this.ports.fenced(term)
  }

  private tick(): void {
    const now = this.ports.nowMs()
    if (this.log.failure !== 0) return
    this.log.frameFlags = this.allowances()
    this.conclude()
    if (now - this.milestone.atMs >= MILESTONE_INTERVAL_MS) this.milestone = { position: this.log.sent, atMs: now }
    for (const member of stalledMembers(this.proposer, this.log.sent, now)) {
      // One that was never heard in this term is sent the term from its start; what else it lacks, it says.
      this.resendTo(member.zone, Math.max(member.flushed, this.log.base))
    }
    if (now - this.noted.atMs >= PROGRESS_NOTE_INTERVAL_MS) this.noteDurable()
    const zone = dutyToMove(this.proposer, now)
    if (zone !== undefined) {
      this.ports.report(
        `archive stands at ${this.proposer.archived}, majority at ${majorityFlushed(this.proposer)}: duty to ${zone}`,
      )
      this.ports.moveDuty(zone)
    }
  }

  private noteDurable(): void {
    const { durable } = this.log
    if (durable === this.noted.position) return
    this.noted = { position: durable, atMs: this.ports.nowMs() }
    this.ports.noteDurable(durable)
  }

  /** What safekeepers may put off because no commit waits for it. */
  private allowances(): number {
    const archive = this.proposer.durability === 'quorum' ? FrameFlag.archiveLater : 0
    return archive | (sufficesWithout(this.proposer, this.proposer.dutyZone) ? FrameFlag.flushLater : 0)
  }

  /** The worker had no socket for the frames from `begin` on: they go out over the bus. What gets lost is sent again. */
  sendUnsent(begin: number): void {
    this.publishFrom(begin, this.ports.publish)
  }

  /** Sends [from, sent) to one safekeeper; what the ring no longer holds is the election's to repair. */
  resendTo(zone: string, from: number): void {
    if (!this.resend(zone, from)) this.ports.reelect(zone, from)
  }

  /** False if the ring no longer holds all of [from, sent). */
  resend(zone: string, from: number): boolean {
    return from >= this.log.sent || this.publishFrom(from, (frame) => this.ports.publishTo(zone, frame))
  }

  /** False if the ring does not hold all of it (any more). */
  private publishFrom(from: number, publish: (frame: Uint8Array) => void): boolean {
    const { sent } = this.log
    let chain = this.chainAt(from)
    if (chain === undefined) return false
    for (let begin = from; begin < sent; ) {
      const frame = this.frameFromRing(begin, this.frameEnd(begin, sent), chain)
      if (!this.log.holds(begin)) return false
      publish(frame)
      chain = chainOver(frame.subarray(FRAME_HEADER_BYTES), chain)
      begin += frame.length - FRAME_HEADER_BYTES
    }
    return true
  }

  /** A safekeeper may have been sent other cuts than the worker's, so the chain is carried on from the frame before. */
  private chainAt(position: number): number | undefined {
    const place = this.log.placeBefore(position)
    if (!place || !this.log.holds(place.position) || !this.log.holds(position)) return undefined
    const between = Buffer.allocUnsafe(position - place.position)
    this.log.copyOut(place.position, position, between, 0)
    // The worker may have gone on while it was copied.
    return this.log.holds(place.position) ? chainOver(between, place.chain) : undefined
  }

  /** The furthest entry boundary that one frame can reach from `begin`. */
  private frameEnd(begin: number, sent: number): number {
    if (sent - begin <= FRAME_PAYLOAD_BYTES_MAX) return sent
    let end = begin
    const size = Buffer.alloc(4)
    for (;;) {
      this.log.copyOut(end, end + 4, size, 0)
      const next = end + size.readUInt32LE(0)
      if (next <= end || (next - begin > FRAME_PAYLOAD_BYTES_MAX && end > begin)) return end > begin ? end : sent
      end = next
    }
  }

  private frameFromRing(begin: number, end: number, chainBefore: number): Buffer {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + end - begin)
    this.log.copyOut(begin, end, frame, FRAME_HEADER_BYTES)
    const chainAfter = chainOver(frame.subarray(FRAME_HEADER_BYTES), chainBefore)
    const { term } = this.proposer
    // What safekeepers may take for settled: archived, and on a majority.
    const archived = Math.min(this.proposer.archived, this.log.durable)
    const header = { term, begin, length: end - begin, chainBefore, chainAfter, flags: this.log.frameFlags, archived }
    writeFrameHeader(frame, 0, header, this.writer)
    return frame
  }

  private settleWatchers(): void {
    const { failure, durable, archived } = this.log
    for (let index = this.watchers.length - 1; index >= 0; index--) {
      const { position, isArchiveMeant, done } = this.watchers[index]!
      const reached = isArchiveMeant ? Math.min(durable, archived) : durable
      if (failure === 0 && reached < position) continue
      this.watchers.splice(index, 1)
      done(failure === 0)
    }
  }

  private readonly answerOk = (low: number, high: number): void => this.reply(() => this.answers.replyEmpty(low, high))
  private readonly answerError = (low: number, high: number): void =>
    this.reply(() => this.answers.replyError(low, high, EIO))

  /** A kernel that takes no answers any more is no reason to stop hearing acknowledgements. */
  private reply(answer: () => void): void {
    try {
      answer()
    } catch (error) {
      this.ports.report(`fsync reply: ${problemOf(error)}`)
    }
  }
}
