/**
 * A whole simulated Loch: zones on their hosts, the bus, the bucket, clients and who looks on. It is built from a plan and can
 * be told what befalls it; when, and what to make of the outcome, is not decided here.
 */
import type { EndpointCommand } from '../../events/endpoint.ts'
import { encodeEnvelope, wrap } from '../../events/envelope.ts'
import { EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { askActor } from '../../runtime/system/ask.ts'
import { actorSubject } from '../../runtime/system/ports.ts'
import { run } from '../../runtime/system/run.ts'
import { Edits } from '../fork/edits.ts'
import { type Kernel, type Process, WORLD } from '../kernel/kernel.ts'
import { Ledger, type Violation } from '../oracles/ledger.ts'
import type { ReignObserver } from '../oracles/reign-observer.ts'
import { WatchedLedger } from '../oracles/watched-ledger.ts'
import type { Plan } from '../plan/plan.ts'
import type { SimPostgres } from '../postgres/postgres.ts'
import type { Happening } from '../run/observer.ts'
import { Workload } from '../workloads/workload.ts'
import { HostClock } from '../world/clock.ts'
import { Network } from '../world/network.ts'
import type { SimBus } from '../world/sim-bus.ts'
import { SimBucket } from '../world/sim-s3.ts'
import { type SafekeeperObserver, type SimProject, type SimWorld, SimZone } from './sim-zone.ts'

/** Who is told of what happens; none of them may change it. */
export interface Onlookers extends Pick<SimWorld, 'report' | 'recorderOf'> {
  readonly tell?: ((happening: Happening) => void) | undefined
}

/** What an operator, or a client that wants in, says to an endpoint. */
export type Order = Extract<EndpointCommand['type'], 'Restart' | 'Disable' | 'Enable' | 'Suspend' | 'Wake'>

interface ServerOfTerm {
  readonly term: number
  readonly server: SimPostgres
}

export class SimCluster {
  readonly kernel: Kernel
  readonly network: Network
  readonly bucket: SimBucket
  readonly ledger: Ledger
  readonly workload: Workload
  readonly zones: readonly SimZone[]
  readonly project: SimProject
  readonly edits: Edits
  /** Who looks on at logs. */
  readonly reignObservers: ReignObserver[] = []
  safekeeperObserver: SafekeeperObserver = { opened: () => {}, said: () => {} }
  readonly #outside: SimBus
  /** Whoever listened at the endpoint's address last. */
  #server: SimPostgres | undefined
  readonly #servers = new Map<Process, readonly ServerOfTerm[]>()
  #orders = 0
  /** Somebody has given orders that keep Loch from serving, or will. */
  #isOrdered = false
  /** From then on nobody meddles any more. */
  #isSettled = false
  /** How often somebody began to serve. */
  servings = 0
  /** In which somebody won the election. */
  readonly terms = new Set<number>()
  readonly #tell: ((happening: Happening) => void) | undefined

  constructor(kernel: Kernel, plan: Plan, { report, tell, recorderOf }: Onlookers) {
    this.kernel = kernel
    this.#tell = tell
    this.network = new Network(kernel, plan.network)
    this.bucket = new SimBucket(kernel, plan.store)
    this.network.watch = tell
    this.edits = new Edits(plan.edits ?? [])
    if (!this.edits.isEmpty) this.network.loses = (...message) => this.edits.loses(...message)
    const judgement = { nowMs: () => kernel.nowMs, onViolation: (violation: Violation) => kernel.fail(violation) }
    this.ledger = tell
      ? new WatchedLedger(judgement, (kind, lane, text) => tell({ kind, lane, text }))
      : new Ledger(judgement)
    const names = Array.from({ length: plan.zones }, (_, at) => ZoneId.make(`zone-${at + 1}`))
    this.project = {
      project: ProjectId.make('main'),
      zones: names,
      timeline: TimelineId.make('main'),
      endpoint: EndpointId.make('main'),
      durability: plan.durability,
      cachePages: plan.cachePages,
      postgres: plan.postgres,
      logLimits: plan.logLimits,
      gapLimits: plan.gapLimits,
      segmentPages: plan.segmentPages,
      ringBytes: plan.ringBytes,
      snapshotLogBytes: plan.snapshotLogBytes,
      syncMeanMs: plan.syncMeanMs,
      snapshotIntervalEvents: plan.snapshotIntervalEvents,
      keys: plan.workload.keys,
    }
    const { network, bucket, edits, ledger: observer } = this
    const address = {
      launched: (process: Process, server: SimPostgres, term: number) => this.#launched(process, server, term),
      listens: (server: SimPostgres, zone: string) => this.#listens(server, zone),
    }
    const died = (process: Process) => this.#died(process)
    const reigns: ReignObserver = {
      opened: (log) => {
        this.terms.add(log.term)
        for (const observer of this.reignObservers) observer.opened(log)
      },
      durable: (...place) => {
        for (const observer of this.reignObservers) observer.durable(...place)
      },
      resent: () => {
        for (const observer of this.reignObservers) observer.resent?.()
      },
      guarded: () => {
        for (const observer of this.reignObservers) observer.guarded?.()
      },
      launches: (...who) => {
        for (const observer of this.reignObservers) observer.launches?.(...who)
      },
      serves: (term) => {
        for (const observer of this.reignObservers) observer.serves?.(term)
      },
      synced: (answer) => {
        for (const observer of this.reignObservers) observer.synced?.(answer)
      },
    }
    const safekeepers: SafekeeperObserver = {
      opened: (...what) => this.safekeeperObserver.opened(...what),
      said: (...what) => this.safekeeperObserver.said(...what),
    }
    const onlookers = { observer, reigns, safekeepers, report, recorderOf }
    const world: SimWorld = { kernel, network, bucket, address, died, edits, ...onlookers }
    this.zones = names.map((name, at) => new SimZone(world, this.project, name, new HostClock(kernel, plan.clocks[at])))
    this.#outside = network.connect(WORLD, 'outside')
    const connect = () => (this.#server?.isServing ? this.#server : undefined)
    this.workload = new Workload({ kernel, plan: plan.workload, name: 'client', ledger: this.ledger, connect })
  }

  get server(): SimPostgres | undefined {
    return this.#server
  }

  /**
   * Zones in which clients would be answered now by a server of `term` or a former one. A process that stands still answers nobody, and
   * has not noticed yet what it missed.
   */
  admittingZones(term: number): readonly string[] {
    const running = [...this.#servers].filter(([{ pausedUntilMs }]) => pausedUntilMs <= this.kernel.nowMs)
    const admits = (one: ServerOfTerm) => one.server.isServing && one.term <= term
    return running.filter(([, servers]) => servers.some(admits)).map(([{ name }]) => name)
  }

  start(): void {
    for (const zone of this.zones) zone.start()
    this.workload.start()
    this.#enable()
  }

  /** As whoever starts Loch does: the endpoint is told to run, until it has heard. */
  #enable(): void {
    const { project, endpoint } = this.project
    const order = askActor(this.#outside, project, `endpoint.${endpoint}`, { type: 'Enable', at: 0 }, this.#newId)
    run(order).catch(() => void this.kernel.after(WORLD, ENABLE_AGAIN_MS, () => this.#enable()))
  }

  /**
   * Somebody orders this of the endpoint, and again as often as he believes not to have been heard: with the same id, as a message
   * that is sent twice, or with another, as a command that is given twice.
   */
  order(type: Order, times: number): void {
    this.#isOrdered = true
    const { draws } = this.kernel
    const id = this.#newId()
    const isSame = draws.chance('order.isSame', SAME_SHARE)
    let afterMs = 0
    for (let count = 0; count < times; count++) {
      const tell = () => this.#isSettled || this.#say({ type, at: 0 }, isSame ? id : this.#newId())
      this.kernel.after(WORLD, afterMs, tell)
      afterMs += draws.exponential('order.again', ORDER_AGAIN_MEAN_MS)
    }
  }

  /** As when a new version is brought in: each zone is stopped and started again, the next one after `pauseMs`. */
  async rollingRestart(pauseMs: number): Promise<void> {
    for (const zone of this.zones) {
      if (this.#isSettled) return
      // Of one that is down already, somebody else takes care.
      if (!zone.isUp) continue
      await zone.stop()
      await this.#pass(STARTS_AFTER_MS)
      zone.start()
      await this.#pass(pauseMs)
    }
  }

  /**
   * Nobody meddles any more. Zones on their way down are helped, for others to start them; the endpoint is told to run for a while
   * if it was told otherwise, since an order may have waited in a host's queue and come to pass late.
   */
  settle(): void {
    this.#isSettled = true
    for (const zone of this.zones) if (zone.isStopping) zone.kill()
    if (this.#isOrdered) this.#enableUntil(this.kernel.nowMs + ORDERS_SETTLE_WITHIN_MS)
  }

  #enableUntil(untilMs: number): void {
    this.#enable()
    if (this.kernel.nowMs < untilMs) this.kernel.after(WORLD, ENABLED_INTERVAL_MS, () => this.#enableUntil(untilMs))
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => void this.kernel.after(WORLD, ms, resolve))
  }

  killPostgres(): void {
    this.#server?.kill()
  }

  /** Whatever its leader says, and without waiting for an answer. */
  tellEndpoint(event: EndpointCommand): void {
    this.#say(event, this.#newId())
  }

  #say(event: EndpointCommand, id: string): void {
    const { project, endpoint } = this.project
    const actor = `endpoint.${endpoint}`
    const envelope = wrap({ ...event, at: this.kernel.nowMs }, { id, actor, sequence: 0, term: 0 })
    this.#outside.publish(actorSubject(project, actor), encodeEnvelope(envelope))
  }

  readonly #newId = (): string => `outside-${++this.#orders}`

  /** A server's clients hear of the end of its process from the kernel of its host. */
  #launched(process: Process, server: SimPostgres, term: number): void {
    const others = (this.#servers.get(process) ?? []).filter((other) => other.server.isServing)
    this.#servers.set(process, [...others, { server, term }])
  }

  #died(process: Process): void {
    for (const { server } of this.#servers.get(process) ?? []) server.kill()
    this.#servers.delete(process)
  }

  #listens(server: SimPostgres, zone: string): void {
    this.servings++
    this.#server = server
    this.#tell?.({ kind: 'serving', lane: zone, text: 'serves' })
  }
}

const ENABLE_AGAIN_MS = 500
/** So often it is told to run while orders of before may still come to pass, and for so long. */
const ENABLED_INTERVAL_MS = 2_000
const ORDERS_SETTLE_WITHIN_MS = 30_000
/** Of orders that are repeated, in how many every repetition has the id of the first. */
const SAME_SHARE = 0.5
const ORDER_AGAIN_MEAN_MS = 300
/** As a supervisor does with a process that has ended. */
const STARTS_AFTER_MS = 1_000
