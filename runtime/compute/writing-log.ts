/**
 * The log of a reign while it is being written: the ring that the volume's thread appends to, the writer that learns what
 * is durable, the socket for frames, archive duty, and safekeepers that come back and must hear of the election. It is
 * made of parts that each know one of these; here they are only put together.
 */
import { createProposer } from '../../actors/compute/proposer.ts'
import { subjects } from '../../events/safekeeper-wire.ts'
import { Fenced, problemOf } from '../errors.ts'
import { connectFrames, type FrameConnection } from './frame-connection.ts'
import type { SyncAnswers } from './fsyncs.ts'
import { join } from './joining.ts'
import { LogWriter } from './log-writer.ts'
import { orderFor, type Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { elect, fencedBy, moveDuty, requestStatus, requestVote } from './safekeeper-requests.ts'
import { ServingLease } from './serving-lease.ts'
import { SharedLog } from './shared-log.ts'

export interface WritingLogEvents {
  /** Another reign exists: this one has ended. Called once. */
  readonly fenced: (error: Fenced) => void
  readonly leaseLapsed: () => void
  readonly leaseRenewed: () => void
}

/** A safekeeper that refuses again and again is not asked more often than this. */
const REELECT_INTERVAL_MS = 500

export class WritingLog {
  readonly shared: SharedLog
  readonly writer: LogWriter
  /** Where frames go, and where they are acknowledged. */
  readonly subject: string
  readonly reply: string
  readonly #ports: ReignPorts
  readonly #reign: Reign
  readonly #events: WritingLogEvents
  readonly #lease: ServingLease
  readonly #reelectedAtMs = new Map<string, number>()
  /** By zone, what was last said of it. */
  readonly #reported = new Map<string, string>()
  #connection: FrameConnection | undefined
  #fenced = false
  #closed = false

  constructor(ports: ReignPorts, reign: Reign, answers: SyncAnswers, events: WritingLogEvents, ringBytes?: number) {
    this.#ports = ports
    this.#reign = reign
    this.#events = events
    const names = subjects(ports.project, ports.timeline)
    this.subject = names.append
    this.reply = `${names.append}.ack.${reign.term}`
    const { tail, grant, archived, dutyZone } = reign
    this.shared = SharedLog.allocate(tail.position, tail.chain, ringBytes)
    this.shared.archived = archived.position
    const proposer = createProposer(
      reign.term,
      tail.position,
      grant.durability,
      grant.zones,
      archived.position,
      dutyZone,
      ports.monotonicMs(),
    )
    this.#lease = new ServingLease({
      zones: grant.zones,
      term: reign.term,
      nowMs: ports.monotonicMs,
      electedAtMs: reign.electedAtMs,
      ask: (zone) => this.#askTerm(zone),
      lapsed: events.leaseLapsed,
      renewed: events.leaseRenewed,
      fenced: (term) => this.#fence(term),
      timers: ports.timers,
    })
    this.writer = new LogWriter(this.shared, proposer, answers, this.reply, ports.writer, {
      subscribe: (subject, handler) => ports.lane.subscribe(subject, ({ data }) => handler(data)),
      publish: (frame) => ports.lane.publish(names.append, frame, { reply: this.reply }),
      publishTo: (zone, frame) => ports.lane.publish(names.appendTo(zone), frame, { reply: this.reply }),
      moveDuty: (zone) => void moveDuty(ports, reign.term, zone, this.writer.proposer.archived),
      reelect: (zone) => void this.#reelect(zone),
      isLeased: () => this.#lease.isHeldNow,
      heard: (zone, atMs) => this.#lease.heard(zone, atMs),
      fenced: (term) => this.#fence(term),
      report: ports.report,
      noteDurable: (position) => noteProgress(ports, reign.term, position),
      nowMs: ports.monotonicMs,
      timers: ports.timers,
    })
  }

  /** A majority of the safekeepers is heard. */
  get isLeased(): boolean {
    return this.#lease.held
  }

  /** Opens the volume thread's own connection for frames. Until it stands, and where it cannot, the bus carries them. */
  connect(): void {
    const { url } = this.#ports.bus
    // The thread speaks plain NATS to one server; anything else stays with the client library.
    if (!/^nats:\/\/[^,]+$/.test(url)) return
    this.#connection = connectFrames(this.shared, url, `loch ${this.#ports.compute} log`, this.#ports.report)
  }

  /** Nothing more becomes durable; waiting fsyncs get EIO. */
  close(): void {
    this.#closed = true
    this.#lease.close()
    this.writer.close()
    this.#connection?.close()
  }

  get #isOver(): boolean {
    return this.#closed || this.#fenced
  }

  #fence(term: number): void {
    if (this.#isOver) return
    this.#fenced = true
    this.writer.fail()
    this.#events.fenced(fencedBy(this.#ports, this.#reign.term, term))
  }

  /**
   * While nothing is written, only this shows that a disk was replaced, or opened after it had lost what it had synced, and must be
   * filled; or that the archive has got on.
   */
  async #askTerm(zone: string): Promise<number> {
    const { term, lastTerm, archived, confirmed } = await requestStatus(this.#ports, zone)
    // One that knows a higher term ends this reign instead.
    if (term > this.#reign.term) return term
    // One that has followed this term speaks of this log.
    if (lastTerm === this.#reign.term) this.writer.heardOfArchive(zone, archived)
    if (lastTerm < this.#reign.term || !confirmed) void this.#reelect(zone)
    return term
  }

  /** Tells a safekeeper of the election that it missed; where its log then ends, its next acknowledgement says. */
  async #reelect(zone: string): Promise<void> {
    const now = this.#ports.monotonicMs()
    if (this.#isOver || now - (this.#reelectedAtMs.get(zone) ?? Number.NEGATIVE_INFINITY) < REELECT_INTERVAL_MS) return
    this.#reelectedAtMs.set(zone, now)
    try {
      const vote = await requestVote(this.#ports, zone, this.#reign.term)
      if (vote.term > this.#reign.term) return this.#fence(vote.term)
      await join(this.#ports, this.#reign, vote)
      const order = orderFor(this.#reign, vote, this.writer.proposer.dutyZone, this.shared.end)
      const { flushed } = await elect(this.#ports, this.#reign, zone, order)
      this.#reported.delete(zone)
      if (this.#isOver) return
      // The ring begins with the term: what lies before it, a disk that was lost meanwhile has to fetch.
      if (flushed >= this.shared.base && this.writer.resend(zone, flushed)) return
      // Said again, an election only tells up to where the log is to be fetched. A log that stands still sends no frame that would.
      await elect(this.#ports, this.#reign, zone, { ...order, start: this.shared.durable, startChain: undefined })
    } catch (error) {
      if (error instanceof Fenced) this.#fence(this.#reign.term + 1)
      else if (!this.#isOver) this.#reportOnce(zone, `${zone} does not follow yet: ${problemOf(error)}`)
    }
  }

  /** A safekeeper that has withdrawn is asked twice a second, for as long as it is down. */
  #reportOnce(zone: string, line: string): void {
    if (this.#reported.get(zone) === line) return
    this.#reported.set(zone, line)
    this.#ports.report(line)
  }
}

/** A position on the data path, which no actor hears of: as if the timeline's actor had a field of it. */
function noteProgress({ recorder, timeline }: ReignPorts, term: number, durablePosition: number): void {
  recorder?.noted(`timeline.${timeline}`, 'progress', { durablePosition, term })
}
