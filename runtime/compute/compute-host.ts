/**
 * Performs what a compute's actor decides (actors/compute): asks for terms, elects, attaches, starts and stops Postgres.
 * One object per compute; what it holds is what must be undone later, and under which term clients are answered. Every effect
 * that was not cut short ends in events, also when it fails, with the term it was asked for, so that a late result of a former
 * reign is recognised. Nothing is decided here but one thing: whether Postgres may answer anybody yet.
 */
import type { ComputeContext, ComputeEffect } from '../../actors/compute/decide.ts'
import type { ComputeEvent, ComputeState } from '../../events/compute.ts'
import type { Cause } from '../../events/envelope.ts'
import type { Term, TimelineId } from '../../events/identifiers.ts'
import { Position, Term as TermSchema, ZoneId } from '../../events/identifiers.ts'
import type { TermGrant, TimelineCommand } from '../../events/timeline.ts'
import { BadArgument, Damaged, Fenced, problemOf } from '../errors.ts'
import { askActor } from '../system/ask.ts'
import type { OwnEffect, Perform } from '../system/ports.ts'
import { run } from '../system/run.ts'
import { sleep } from '../system/timers.ts'
import type { LogPositions, PostgresBody, VolumeBody } from './compute-body.ts'
import type { ComputeEnvironment, Tell } from './environment.ts'
import { Predecessors } from './predecessors.ts'
import { establishReign, type Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { tellTimeline } from './tell-timeline.ts'

type Of<Type extends OwnEffect<ComputeEffect>['type']> = Extract<ComputeEffect, { readonly type: Type }>

/** How often is looked whether Postgres may start, or has ended. */
const POLL_MS = 20

type Scope = { readonly tell: Tell; readonly cause: Cause }

export class ComputeHost {
  readonly #compute: string
  readonly #environment: ComputeEnvironment
  #reign: Reign | undefined
  #volume: VolumeBody | undefined
  #postgres: PostgresBody | undefined
  /** Postgres has run on this mount before. */
  #hasServed = false
  /** Set while Postgres is being stopped on purpose: its end is then no news. */
  #stopping = false
  /** What is being attached or started; a shutdown cuts it short and waits for its end, so that nothing comes up later. */
  #starting: Promise<unknown> = Promise.resolve()
  #cut = new AbortController()
  #down: Promise<void> | undefined
  #predecessors: Predecessors | undefined
  /** Of the Postgres that answers clients, or is about to. */
  #answersUnder: Term | undefined
  /** Newer writers want to serve: nobody answers here any more under a term below. */
  #deposedBelow = 0

  constructor(compute: string, environment: ComputeEnvironment) {
    this.#compute = compute
    this.#environment = environment
  }

  get postgresPid(): number | undefined {
    return this.#postgres?.pid
  }

  /** Of the log being written; zeros while there is none. */
  get positions(): LogPositions {
    return this.#volume?.positions ?? { end: 0, durable: 0, archived: 0 }
  }

  /** Resolves when nobody answers here under a term below `term`, and nobody will. */
  async depose(term: Term): Promise<void> {
    this.#deposedBelow = Math.max(this.#deposedBelow, term)
    while (this.#answersUnder !== undefined && this.#answersUnder < term) {
      await sleep(this.#environment.timers, POLL_MS)
    }
  }

  readonly perform: Perform<ComputeState, ComputeContext, ComputeEvent, ComputeEffect> = (effect, scope) => {
    switch (effect.type) {
      case 'startTerm':
        return this.#startTerm(effect, scope.cause)
      case 'fence':
        return this.#fence(effect, scope.cause)
      case 'attach':
        return this.#begin(() => this.#attach(effect, scope))
      case 'startPostgres':
        return this.#begin(() => this.#startPostgres(effect, scope.tell))
      case 'shutDown':
        return this.#shutDown(effect)
      case 'closeClients':
        this.#postgres?.closeClients()
        return undefined
      case 'openClients':
        this.#postgres?.openClients()
        return undefined
    }
  }

  async #startTerm({ timeline, compute, zone }: Of<'startTerm'>, cause: Cause): Promise<ComputeEvent> {
    const at = this.#environment.nowMs()
    try {
      const event: TimelineCommand = { type: 'StartTerm', at, compute, zone }
      const { bus, project, newId } = this.#environment
      return (await run(askActor(bus, project, `timeline.${timeline}`, event, newId, cause))) as TermGrant
    } catch (error) {
      return { type: 'TermRefused', at, problem: problemOf(error), retryable: !(error instanceof BadArgument) }
    }
  }

  async #fence({ timeline, term, grant }: Of<'fence'>, cause: Cause): Promise<ComputeEvent | undefined> {
    const startedMs = this.#environment.nowMs()
    const at = this.#environment.nowMs()
    const cut = this.#cut.signal
    try {
      const ports = this.#reignPorts(timeline, grant, cause)
      const reign = await establishReign(ports, grant)
      // Shut down meanwhile, or elected anew: what stands here, if anything, is a later reign's.
      if (cut.aborted || (this.#reign?.term ?? 0) > term) return undefined
      this.#reign = reign
      this.#predecessors?.close()
      this.#predecessors = new Predecessors(ports, reign)
      this.#environment.progress(`Elect ${this.#compute} for term ${term}`, this.#environment.nowMs() - startedMs)
      const { lastTerm, position, chain } = reign.tail
      const tail = { term: TermSchema.make(lastTerm), position: Position.make(position), chain }
      return { type: 'FenceGranted', at, term, tail }
    } catch (error) {
      const higherTerm = error instanceof Fenced ? TermSchema.make(term + 1) : TermSchema.make(0)
      return { type: 'FenceFailed', at, term, problem: problemOf(error), higherTerm }
    }
  }

  async #attach({ timeline, term, grant }: Of<'attach'>, { tell, cause }: Scope): Promise<ComputeEvent> {
    const startedMs = this.#environment.nowMs()
    const at = this.#environment.nowMs()
    const reign = this.#reign
    try {
      if (reign?.term !== term) throw new Error(`no election of term ${term} stands here`)
      const ports = this.#reignPorts(timeline, grant, cause)
      const events = this.#volumeEvents(term, tell)
      this.#volume = await this.#environment.body.attach(ports, reign, events, this.#cut.signal)
      this.#environment.progress(`Attach ${timeline} at ${reign.tail.position}`, this.#environment.nowMs() - startedMs)
      this.#recordBegin(ports, reign, events.fenced)
      if (grant.snapshot === undefined) await this.#createCluster(this.#volume)
      return { type: 'Attached', at, term }
    } catch (error) {
      await this.#volume?.detach()
      this.#volume = undefined
      return { type: 'AttachFailed', at, term, problem: problemOf(error), retryable: !(error instanceof Damaged) }
    }
  }

  #volumeEvents(term: Term, tell: Tell) {
    const at = () => this.#environment.nowMs()
    return {
      fenced: (error: Fenced) => tell({ type: 'AppendRejected', at: at(), term, problem: problemOf(error) }),
      broken: (problem: string) => tell({ type: 'AppendRejected', at: at(), term, problem }),
      leaseLapsed: () => tell({ type: 'LeaseLapsed', at: at(), term }),
      leaseRenewed: () => tell({ type: 'LeaseRenewed', at: at(), term }),
    }
  }

  /**
   * For people and tools that read the journal; nobody's safety rests on it, so nobody waits for it. That a higher term was granted is
   * news: no snapshot of this one would be recorded.
   */
  #recordBegin(ports: ReignPorts, reign: Reign, fenced: (error: Fenced) => void): void {
    const { position, chain } = reign.tail
    const place = { term: TermSchema.make(reign.term), position: Position.make(position), chain }
    tellTimeline(ports, { type: 'RecordTermBegan', ...place }).catch((error) => {
      ports.report(`recording the begin of term ${reign.term}: ${problemOf(error)}`)
      if (error instanceof Fenced) fenced(error)
    })
  }

  /** The first snapshot says that the cluster is whole: until it stands, the next attach begins creation anew. */
  async #createCluster(volume: VolumeBody): Promise<void> {
    const startedMs = this.#environment.nowMs()
    volume.quiet = true
    await volume.createCluster(this.#cut.signal)
    await volume.flush()
    this.#environment.progress('Create the database cluster', this.#environment.nowMs() - startedMs)
  }

  async #startPostgres({ term }: Of<'startPostgres'>, tell: Tell): Promise<ComputeEvent | undefined> {
    const startedMs = this.#environment.nowMs()
    const { nowMs, progress, serving, report } = this.#environment
    if (!this.#volume || this.#stopping) return undefined
    let server: PostgresBody | undefined
    try {
      await this.#volume.killPostgres()
      if (this.#hasServed) await this.#volume.guard()
      if (!(await this.#mayServe(term))) return undefined
      server = await this.#volume.launch(this.#hasServed)
      this.#hasServed = true
      this.#watch(server, term, tell)
      // What lapsed while there was no server to close is closed now.
      if (!this.#volume.isLeased) server.closeClients()
      await server.ready
      await server.followPassword()
    } catch (error) {
      report(problemOf(error))
      // One that was launched is told of by whoever watches it.
      await server?.kill()
      if (!server) this.#answersUnder = undefined
      return server ? undefined : { type: 'PostgresExited', at: nowMs(), term, code: -1 }
    }
    progress('Start Postgres', this.#environment.nowMs() - startedMs)
    serving(this.#compute, term)
    return { type: 'PostgresReady', at: nowMs(), term }
  }

  /**
   * Resolves with true once reads may be answered: no predecessor answers any that know less, and the own lease is held. With
   * false if it does not come to that. A deposition that comes at this moment finds us answering already.
   */
  async #mayServe(term: Term): Promise<boolean> {
    const startedMs = this.#environment.nowMs()
    while (!this.#stopping && term >= this.#deposedBelow) {
      if (this.#predecessors?.areGone && this.#volume?.isLeased) {
        const waitedMs = this.#environment.nowMs() - startedMs
        if (waitedMs >= POLL_MS) this.#environment.progress('Wait until no predecessor serves', waitedMs)
        this.#answersUnder = term
        return true
      }
      await sleep(this.#environment.timers, POLL_MS)
    }
    return false
  }

  #watch(server: PostgresBody, term: Term, tell: Tell): void {
    this.#postgres = server
    void server.exited.then(({ code, reason }) => {
      if (this.#postgres === server) this.#answersUnder = this.#postgres = undefined
      if (this.#stopping) return
      if (reason !== undefined) this.#environment.report(`Postgres ended: ${reason}`)
      tell({ type: 'PostgresExited', at: this.#environment.nowMs(), term, code: code ?? -1 })
    })
  }

  /** A second, harder order only hurries the first. */
  async #shutDown({ term, mode }: Of<'shutDown'>): Promise<ComputeEvent | undefined> {
    this.#stopping = true
    this.#cut.abort()
    if (mode === 'immediate') {
      this.#volume?.fail()
      void this.#postgres?.kill()
    }
    if (this.#down) return undefined
    this.#down = this.#takeDown(mode)
    await this.#down
    this.#down = undefined
    this.#stopping = false
    this.#cut = new AbortController()
    return { type: 'Stopped', at: this.#environment.nowMs(), term }
  }

  async #takeDown(mode: 'fast' | 'immediate'): Promise<void> {
    await this.#starting
    if (mode === 'fast') this.#postgres?.openClients()
    await this.#postgres?.stop(mode)
    try {
      if (mode === 'fast') await this.#volume?.flush()
    } catch (error) {
      this.#environment.report(`the last seal: ${problemOf(error)}`)
    }
    await this.#volume?.detach()
    this.#volume = undefined
    this.#hasServed = false
    this.#reign = undefined
    this.#predecessors?.close()
    this.#predecessors = undefined
  }

  #begin<A>(work: () => Promise<A>): Promise<A> {
    const started = this.#starting.then(work)
    this.#starting = started.catch(() => {})
    return started
  }

  #reignPorts(timeline: TimelineId, grant: TermGrant, cause: Cause): ReignPorts {
    const { bus, lane, store, project, zone, writer, nowMs, monotonicMs, timers, newId, report, recorder } =
      this.#environment
    return {
      bus,
      lane,
      store,
      project,
      timeline,
      zones: grant.zones,
      zone: ZoneId.make(zone),
      compute: this.#compute,
      writer,
      nowMs,
      monotonicMs,
      timers,
      newId,
      cause,
      report,
      recorder,
    }
  }
}
