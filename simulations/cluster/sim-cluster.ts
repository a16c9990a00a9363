/**
 * A whole simulated Loch: zones on their hosts, the bus, the bucket, clients and who looks on. It is built from a plan and can
 * be told what befalls it; when, and what to make of the outcome, is not decided here.
 */
import { ComputeId, EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { askActor } from '../../runtime/system/ask.ts'
import { run } from '../../runtime/system/run.ts'
import { encodePlacement, placementSubject } from '../../runtime/zone/compute-placement.ts'
import { type Kernel, WORLD } from '../kernel/kernel.ts'
import { Ledger } from '../oracles/ledger.ts'
import type { Plan } from '../plan/plan.ts'
import type { SimPostgres } from '../postgres/postgres.ts'
import { Workload } from '../workloads/workload.ts'
import { HostClock } from '../world/clock.ts'
import { Network } from '../world/network.ts'
import type { SimBus } from '../world/sim-bus.ts'
import { SimBucket } from '../world/sim-s3.ts'
import { type SimProject, type SimWorld, SimZone } from './sim-zone.ts'

export class SimCluster {
  readonly kernel: Kernel
  readonly network: Network
  readonly bucket: SimBucket
  readonly ledger: Ledger
  readonly workload: Workload
  readonly zones: readonly SimZone[]
  readonly project: SimProject
  readonly #outside: SimBus
  /** Whoever listened at the endpoint's address last. */
  #server: SimPostgres | undefined
  #launches = 0
  #orders = 0
  /** How often somebody began to serve. */
  servings = 0

  constructor(kernel: Kernel, plan: Plan, report: SimWorld['report']) {
    this.kernel = kernel
    this.network = new Network(kernel, plan.network)
    this.bucket = new SimBucket(kernel, plan.store)
    this.ledger = new Ledger({ nowMs: () => kernel.nowMs, onViolation: (violation) => kernel.fail(violation) })
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
    }
    const { network, bucket, ledger: observer } = this
    const address = { listens: (server: SimPostgres) => this.#listens(server) }
    const world: SimWorld = { kernel, network, bucket, address, observer, report }
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
    const newId = () => `outside-${++this.#orders}`
    const order = askActor(this.#outside, project, `endpoint.${endpoint}`, { type: 'Enable', at: 0 }, newId)
    run(order).catch(() => void this.kernel.after(WORLD, ENABLE_AGAIN_MS, () => this.#enable()))
  }

  killPostgres(): void {
    this.#server?.kill()
  }

  /** Orders a compute into a zone past the endpoint, which has not decided so. */
  compete(zone: SimZone): void {
    const { project, endpoint, timeline } = this.project
    const launch = COMPETING_LAUNCH + ++this.#launches
    const compute = ComputeId.make(`${endpoint}-${zone.name}`)
    const order = encodePlacement({ compute, endpoint, timeline, zone: zone.name, launch })
    this.#outside.publish(placementSubject(project, zone.name), order)
  }

  #listens(server: SimPostgres): void {
    this.servings++
    this.#server = server
  }
}

/** Newer than what the endpoint gives out in a run, so that the order counts. */
const COMPETING_LAUNCH = 1_000
const ENABLE_AGAIN_MS = 500
