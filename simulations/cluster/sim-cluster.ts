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
  readonly #servers = new Map<Process, readonly SimPostgres[]>()
  #orders = 0
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
      keys: plan.workload.keys,
    }
    const { network, bucket, edits, ledger: observer } = this
    const address = {
      launched: (process: Process, server: SimPostgres) => this.#launched(process, server),
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

  killPostgres(): void {
    this.#server?.kill()
  }

  /** Whatever its leader says, and without waiting for an answer. */
  tellEndpoint(event: EndpointCommand): void {
    const { project, endpoint } = this.project
    const actor = `endpoint.${endpoint}`
    const envelope = wrap({ ...event, at: this.kernel.nowMs }, { id: this.#newId(), actor, sequence: 0, term: 0 })
    this.#outside.publish(actorSubject(project, actor), encodeEnvelope(envelope))
  }

  readonly #newId = (): string => `outside-${++this.#orders}`

  /** A server's clients hear of the end of its process from the kernel of its host. */
  #launched(process: Process, server: SimPostgres): void {
    const others = (this.#servers.get(process) ?? []).filter((other) => other.isServing)
    this.#servers.set(process, [...others, server])
  }

  #died(process: Process): void {
    for (const server of this.#servers.get(process) ?? []) server.kill()
    this.#servers.delete(process)
  }

  #listens(server: SimPostgres, zone: string): void {
    this.servings++
    this.#server = server
    this.#tell?.({ kind: 'serving', lane: zone, text: 'serves' })
  }
}

const ENABLE_AGAIN_MS = 500
