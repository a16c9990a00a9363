/**
 * One timeline's safekeeper in one zone: it listens on the timeline's subjects, and its disk, its promises, its archive
 * duty and its life are wired together here. What may be promised is decided in actors/safekeeper/; this file only does
 * things, in order, and answers after they are done.
 */

import { cutHistory, lastTermOf } from '../../actors/compute/election.ts'
import type { Snapshot } from '../../actors/definition.ts'
import { decide } from '../../actors/fold.ts'
import { isElected } from '../../actors/safekeeper/acceptor.ts'
import type { SafekeeperContext, SafekeeperEffect } from '../../actors/safekeeper/decide.ts'
import { safekeeper } from '../../actors/safekeeper/machine.ts'
import type { SafekeeperState } from '../../actors/safekeeper/table.ts'
import { wrap } from '../../events/envelope.ts'
import { Position, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { SafekeeperEvent } from '../../events/safekeeper.ts'
import {
  type DutyRequest,
  type DutyResponse,
  decodeDuty,
  decodeElected,
  decodeRead,
  decodeVote,
  type Elected,
  encodeDutyResponse,
  encodeElectedResponse,
  encodeReadRefused,
  encodeStatus,
  encodeVoteResponse,
  isWireFault,
  subjects,
  type WireFault,
  type SafekeeperStatus as WireStatus,
} from '../../events/safekeeper-wire.ts'
import type { BusMessage } from '../bus/bus.ts'
import type { Lane } from '../bus/fast-lane.ts'
import type { SafekeeperStatus } from '../control/schemas.ts'
import { describe, isLochError, type LochError } from '../errors.ts'
import { AppendPath } from './append-path.ts'
import { Archiver } from './archiver.ts'
import { catchUp } from './catch-up.ts'
import { openDisk } from './disk-open.ts'
import { giveVote, takeElection } from './elections.ts'
import { Keeper } from './keeper.ts'
import type { SafekeeperPorts } from './ports.ts'
import { readFrames } from './read-frames.ts'
import { noteBeforeWithdrawal } from './withdrawal.ts'

export type { SafekeeperPorts } from './ports.ts'

export class SafekeeperService {
  readonly #ports: SafekeeperPorts
  readonly #keeper: Keeper
  readonly #archiver: Archiver
  readonly #appends: AppendPath
  #life: Snapshot<SafekeeperState, SafekeeperContext>
  #subscriptions: Array<{ unsubscribe(): void }> = []
  /** Where archiving begins when the duty is taken up. */
  #dutyFrom = 0
  /** Up to where catching up is to get. */
  #wanted = 0
  #cancelRetry = () => {}
  #moves = 0
  #refused = ''
  #refusedAt = -1
  #answeredAtMs: number

  /**
   * Opens the disk, checks all that is on it, and serves the timeline's subjects. Rejects with FormatTooNew, DiskFailed, and
   * with what `ports.past` rejects with.
   */
  static async open(world: SafekeeperPorts): Promise<SafekeeperService> {
    const ports = { ...world, report: (line: string) => world.report(`timeline ${world.timeline}: ${line}`) }
    const disk = openDisk(ports.files, ports.directory, ports.timeline, ports.newId, ports.logLimits)
    const keeper = new Keeper(ports.files, ports.directory, ports.zone, ports.newId(), disk)
    if (keeper.state.term === 0 && keeper.state.fresh) await rememberTerm(keeper, ports)
    const service = new SafekeeperService(ports, keeper)
    for (const finding of disk.findings) ports.report(finding)
    service.#begin(disk.damage)
    return service
  }

  private constructor(ports: SafekeeperPorts, keeper: Keeper) {
    this.#ports = ports
    this.#keeper = keeper
    const { zone, timeline } = ports
    this.#answeredAtMs = ports.monotonicMs()
    this.#life = safekeeper.begin({ zone: ZoneId.make(zone), timeline: TimelineId.make(timeline) })
    this.#archiver = new Archiver({
      ...ports,
      log: keeper.log,
      progressed: () => this.#appends.acknowledgeArchived(),
      again: () => this.#appends.schedule(),
      failed: this.#failed,
      gaveUp: (error) => {
        ports.report(describe(error))
        this.#endDuty()
      },
    })
    this.#appends = new AppendPath(keeper, this.#archiver, {
      ...ports,
      bus: ports.lane ?? ports.bus,
      failed: this.#failed,
      refused: (error) => this.#noteRefused(error),
      answered: () => this.#noteAnswer(),
      answersGaps: () => this.#life.state !== 'catchingUp',
      fellBehind: (target) => this.#fellBehind(target),
    })
  }

  status(): SafekeeperStatus {
    const { term, flushed, archived } = this.#keeper.state
    return { timeline: this.#ports.timeline, state: this.#life.state, term, flushed, archived }
  }

  /** Flushes what has arrived and serves no longer. The disk is closed when this returns. */
  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe()
    this.#archiver.stop()
    this.#appends.stop()
    this.#cancelRetry()
    try {
      if (!this.#keeper.log.failure) this.#keeper.flush()
    } catch (error) {
      if (!isLochError(error)) throw error
      this.#ports.report(this.#describeNoted(error))
    }
    this.#keeper.log.close()
  }

  #begin(damage: string | undefined): void {
    // Found and repaired before anything was promised: there is nothing to withdraw.
    if (damage !== undefined) {
      this.#move({ type: 'DamageFound', at: 0, problem: damage })
      this.#move({ type: 'Wiped', at: 0 })
    }
    this.#tell({ type: 'Opened', at: 0, ...this.#place() })
    const names = subjects(this.#ports.project, this.#ports.timeline)
    const { zone } = this.#ports
    const append = (message: BusMessage) => {
      if (!this.#isWithdrawn) this.#appends.receive(message.data, message.reply)
    }
    const lane = this.#ports.lane ?? this.#ports.bus
    this.#listen(names.append, append, lane)
    this.#listen(names.appendTo(zone), append, lane)
    this.#listen(names.vote(zone), (message) => this.#onVote(message))
    this.#listen(names.elected(zone), (message) => this.#onElected(message))
    this.#listen(names.read(zone), (message) => this.#onRead(message))
    this.#listen(names.duty(zone), (message) => this.#onDuty(message))
    this.#listen(names.status(zone), (message) => {
      this.#noteAnswer()
      message.respond(encodeStatus(this.#wireStatus()))
    })
  }

  /** Disk errors that reach a handler end all promises; anything else is a defect and ends the process. */
  #listen(subject: string, handle: (message: BusMessage) => void, lane: Lane = this.#ports.bus): void {
    const guarded = (message: BusMessage) => {
      try {
        handle(message)
      } catch (error) {
        this.#failed(error)
      }
    }
    this.#subscriptions.push(lane.subscribe(subject, guarded))
  }

  get #isWithdrawn(): boolean {
    return this.#life.state === 'damaged' || this.#life.state === 'retired'
  }

  #onVote(message: BusMessage): void {
    const request = this.#order(decodeVote(message.data), 'vote')
    if (!request) return
    const { response, unsaved } = giveVote(this.#keeper, request)
    if (response.granted) this.#endDuty()
    if (unsaved) this.#noteRefused(unsaved)
    const silentMs = Math.floor(this.#ports.monotonicMs() - this.#answeredAtMs)
    if (response.granted) this.#noteAnswer()
    message.respond(encodeVoteResponse({ ...response, silentMs }))
  }

  #onElected(message: BusMessage): void {
    const election = this.#order(decodeElected(message.data), 'elected')
    if (!election) return
    const before = this.#keeper.state.end
    const { response, adopted } = takeElection(this.#keeper, election)
    if (adopted) this.#noteCut(before, election.term)
    if (adopted) this.#tell({ type: 'Elected', at: 0, ...this.#place() })
    // A higher term that was promised and then not followed ends the duty too.
    else if (this.#keeper.state.dutyTerm === 0) this.#endDuty()
    if (response.ok) this.#noteAnswer()
    if (response.ok) this.#follow(election)
    else if (response.fault) this.#ports.report(`term ${election.term} of ${election.compute}: ${response.fault}`)
    message.respond(encodeElectedResponse(response))
  }

  /** Whoever hears this counts as heard by us: see serving-lease.ts. */
  #noteAnswer(): void {
    this.#answeredAtMs = this.#ports.monotonicMs()
  }

  /** What no writer was told of is lost to nobody, but whoever reads the log of a zone shall see where it went. */
  #noteCut(before: number, term: number): void {
    const { begin, end } = this.#keeper.state
    if (begin === end && end !== before)
      this.#ports.report(`dropped its log up to ${before} for term ${term}, and begins at ${end}`)
    else if (end < before) this.#ports.report(`cut off from ${end} to ${before} for term ${term}`)
  }

  /** What an election says beside the log: who archives, and from where on the writer has the log at hand. */
  #follow(election: Elected): void {
    const { term, dutyZone, archivedFrom, start } = election
    if (dutyZone === this.#ports.zone) this.#takeDuty(term, archivedFrom)
    if (start > this.#keeper.state.end) this.#fellBehind(start)
  }

  #fellBehind(target: number): void {
    this.#wanted = target
    this.#tell({ type: 'FellBehind', at: 0, ...this.#place() })
  }

  #onDuty(message: BusMessage): void {
    const request = this.#order(decodeDuty(message.data), 'duty')
    if (request) message.respond(encodeDutyResponse(this.#decideDuty(request)))
  }

  #decideDuty(request: DutyRequest): DutyResponse {
    const { state } = this.#keeper
    const { zone } = this.#ports
    const isOurs = request.zone === zone && request.term === state.term && isElected(state)
    const held = isOurs && this.#takeDuty(request.term, request.from)
    if (request.zone !== zone && request.term === state.term) this.#endDuty()
    return { zone, held, term: state.term, archived: state.archived }
  }

  /** False if the local log begins too late for it. */
  #takeDuty(term: number, from: number): boolean {
    const { state } = this.#keeper
    if (state.dutyTerm === term) return true
    if (from < state.begin) {
      this.#ports.report(`cannot archive from ${from}, the log begins at ${state.begin}`)
      return false
    }
    this.#dutyFrom = from
    state.dutyTerm = term
    this.#tell({ type: 'DutyGranted', at: 0, term: Term.make(term) })
    return true
  }

  #endDuty(): void {
    const { dutyTerm } = this.#life.context
    this.#keeper.state.dutyTerm = 0
    if (dutyTerm > 0) this.#tell({ type: 'DutyRevoked', at: 0, term: Term.make(dutyTerm) })
  }

  #onRead(message: BusMessage): void {
    const request = this.#understood(decodeRead(message.data), 'read')
    if (!request) return
    const { state, log } = this.#keeper
    if (!this.#isWithdrawn) this.#keeper.flush()
    const { zone, begin, flushed } = state
    if (!this.#isWithdrawn && request.from >= begin && request.from < flushed) {
      message.respond(readFrames(log, request.from, flushed, request.bytesMax))
      return
    }
    const problem = this.#life.context.problem || `it holds [${begin}, ${flushed}), not position ${request.from}`
    message.respond(encodeReadRefused({ zone, begin, flushed, problem }))
  }

  #wireStatus(): WireStatus {
    const { history, dutyTerm, end, ...said } = this.#keeper.state
    const lastTerm = lastTermOf(cutHistory(history, said.flushed))
    const problem = this.#life.context.problem || (end === this.#refusedAt ? this.#refused : '')
    return { ...said, lastTerm, hasDuty: dutyTerm > 0, problem }
  }

  #tell(event: SafekeeperEvent): void {
    for (const effect of this.#move(event)) this.#perform(effect)
  }

  /** One step of the life; returns what is to be done. */
  #move(said: SafekeeperEvent): readonly SafekeeperEffect[] {
    const event = { ...said, at: said.at || this.#ports.nowMs() }
    const before = this.#life
    const { snapshot, effects, outcome } = decide(safekeeper, before, event)
    this.#life = snapshot
    if (outcome.kind === 'refused') this.#ports.report(`${event.type} in state ${snapshot.state}: ${outcome.reason}`)
    if (this.#ports.recorder) {
      const actor = `safekeeper.${this.#ports.timeline}`
      const sequence = ++this.#moves
      const id = `${actor}@${this.#ports.zone}/${event.at}/${sequence}`
      const message = wrap(event, { id, actor, sequence, term: snapshot.context.term })
      this.#ports.recorder.took({ message, outcome, facts: [], effects, before, after: snapshot })
    }
    return effects
  }

  #perform(effect: SafekeeperEffect): void {
    switch (effect.type) {
      case 'startArchiving':
        // While it fetched what it missed, the log may have been trimmed: what is gone from it another has archived.
        this.#archiver.start(Math.max(this.#dutyFrom, this.#keeper.log.begin.position), this.#keeper.state.history)
        this.#appends.schedule()
        break
      case 'stopArchiving':
        // Should the duty be taken up again within the term, it goes on from here.
        this.#dutyFrom = Math.max(this.#dutyFrom, this.#archiver.archived)
        this.#archiver.stop()
        break
      case 'catchUp':
        void this.#catchUp(effect.term)
        break
      case 'withdraw':
        this.#archiver.stop()
        this.#cancelRetry()
        this.#ports.report(`safekeeper withdrawn: ${effect.problem}`)
        this.#appends.withdraw()
        break
      case 'removeLog':
        // Whoever retires a safekeeper stops it and removes its directory; until then it answers nothing.
        this.#appends.stop()
        break
    }
  }

  async #catchUp(term: number): Promise<void> {
    try {
      const ports = { ...this.#ports, take: this.#take }
      const problem = await catchUp(this.#keeper, ports, term, this.#wanted)
      if (this.#subscriptions.length === 0) return
      const { failure } = this.#keeper.log
      // A sync that failed on the way: nothing that is fetched again can be promised on this disk.
      if (failure) return this.#failed(failure)
      if (problem === '') this.#tell({ type: 'CaughtUp', at: 0, ...this.#place() })
      else this.#tell({ type: 'CatchUpFailed', at: 0, problem })
      this.#armRetry()
    } catch (error) {
      this.#failed(error)
    }
  }

  readonly #take: (...frame: Parameters<AppendPath['take']>) => void = (header, frame) => {
    if (!this.#isWithdrawn) this.#appends.takeFetched(header, frame)
  }

  #armRetry(): void {
    const at = this.#life.context.timers['retry']
    this.#cancelRetry()
    if (at === undefined) return
    // A timer may fire a little early by the clock: what it stands for is due all the same.
    const fire = () => this.#tell({ type: 'TimerFired', at: Math.max(at, this.#ports.nowMs()), name: 'retry' })
    this.#cancelRetry = this.#ports.after(Math.max(at - this.#ports.nowMs(), 0), fire)
  }

  /** The disk or the log on it cannot be believed any more. */
  readonly #failed = (error: unknown): void => {
    if (!isLochError(error)) throw error
    this.#tell({ type: 'DamageFound', at: 0, problem: this.#describeNoted(error) })
  }

  /** What is wrong has been written down for the next life, or it is said that it could not be. */
  #describeNoted(error: LochError): string {
    const unnoted = noteBeforeWithdrawal(error, this.#keeper, this.#ports, this.#isWithdrawn)
    return [describe(error), ...unnoted].join(' ')
  }

  /** Said once per trouble: every frame meets it again. */
  #noteRefused(error: unknown): void {
    const problem = text(error)
    if (problem !== this.#refused || this.#keeper.state.end !== this.#refusedAt) this.#ports.report(problem)
    this.#refused = problem
    this.#refusedAt = this.#keeper.state.end
  }

  #place(): { readonly term: Term; readonly position: Position } {
    const { history, end } = this.#keeper.state
    return { term: Term.make(lastTermOf(history)), position: Position.make(end) }
  }

  /** Nothing is promised, and so nothing answered, once the log cannot be believed. */
  #order<T extends object>(decoded: T | WireFault, what: string): T | undefined {
    return this.#isWithdrawn ? undefined : this.#understood(decoded, what)
  }

  #understood<T extends object>(decoded: T | WireFault, what: string): T | undefined {
    if (!isWireFault(decoded)) return decoded
    this.#ports.report(`a message (${what}) was dropped: ${decoded.problem}`)
    return undefined
  }
}

/** A disk without a memory must not vote as if it had promised nothing: it may have, before it was lost. */
async function rememberTerm(keeper: Keeper, ports: SafekeeperPorts): Promise<void> {
  keeper.remember(await ports.past())
}

function text(error: unknown): string {
  return isLochError(error) ? describe(error) : String(error)
}
