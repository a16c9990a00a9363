/**
 * What a zone's process hosts, and the wires between: the zone's actor and its heartbeats, the actors it hosts as leader,
 * the computes that endpoints place here, and the answers to whoever asks for its status. It decides nothing: who leads,
 * where a compute runs and when it stops is said by the actors.
 */
import type { ComputeContext, ComputeEffect } from '../../actors/compute/decide.ts'
import { compute as computeActor } from '../../actors/compute/machine.ts'
import type { ZoneContext, ZoneEffect } from '../../actors/zone/decide.ts'
import { zone as zoneActor } from '../../actors/zone/machine.ts'
import type { ComputeEvent, ComputeState } from '../../events/compute.ts'
import {
  type ActorEvent,
  type Cause,
  causeOf,
  decodeEnvelope,
  encodeEnvelope,
  isFault,
  unwrap,
  wrap,
} from '../../events/envelope.ts'
import { ComputeId } from '../../events/identifiers.ts'
import type { Heartbeat, ZoneEvent, ZoneState } from '../../events/zone.ts'
import type { BusShape, Subscription } from '../bus/bus.ts'
import type { Lane } from '../bus/fast-lane.ts'
import type { ComputeBody } from '../compute/compute-body.ts'
import { ComputeHost } from '../compute/compute-host.ts'
import { type Deposition, depositionSubject, parseDeposition } from '../compute/deposition.ts'
import { encodeAs, encodingOf } from '../control/encoding.ts'
import { zoneStatusSubject } from '../control/schemas.ts'
import type { ZoneConfig } from '../control/zone-config.ts'
import type { ZoneLink } from '../control/zone-link.ts'
import { isLochError, isPermanent, problemOf } from '../errors.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import type { Safekeepers } from '../safekeeper/host.ts'
import type { ActorInspection, Perform, SystemPorts } from '../system/ports.ts'
import { run } from '../system/run.ts'
import { sleep, type Timers } from '../system/timers.ts'
import { type HostedActor, System } from '../system.ts'
import { parsePlacement, placementSubject } from './compute-placement.ts'
import { Leadership } from './leadership.ts'
import { zoneReport } from './zone-report.ts'

export interface ZoneParts {
  readonly config: ZoneConfig
  readonly bus: BusShape
  readonly lane: Lane
  readonly store: ObjectStoreShape
  /** What the loop of its actors runs on. */
  readonly ports: SystemPorts & { readonly close: () => void }
  /** For each compute that is hosted here. */
  readonly body: ComputeBody
  /** A fresh name of sixteen bytes for what one compute writes. */
  readonly newWriter: () => Uint8Array
  readonly safekeepers: Pick<Safekeepers, 'statuses'>
  readonly link: Pick<ZoneLink, 'failed' | 'progress' | 'serving'>
  readonly nowMs: () => number
  /** As performance.now: nobody sets it, so that what is measured with it is time that passed. */
  readonly monotonicMs: () => number
  readonly timers: Timers
  readonly report: (line: string) => void
}

export interface HostedCompute {
  readonly actor: HostedActor<ComputeState, ComputeContext, ComputeEvent, ComputeEffect>
  readonly host: ComputeHost
}

/** How often a stopping zone looks whether its computes have stopped. */
const STOP_POLL_MS = 20
const NOTHING = new Uint8Array(0)

export class ZoneHost {
  readonly #parts: ZoneParts
  readonly #ports: ZoneParts['ports']
  readonly #system: System
  readonly #leadership: Leadership
  readonly #computes = new Map<string, HostedCompute>()
  /** From the first placement on: a second one may come before the actor is hosted. */
  readonly #hosting = new Map<string, Promise<HostedCompute>>()
  readonly #subscriptions: Subscription[] = []
  #zone: HostedActor<ZoneState, ZoneContext, ZoneEvent, ZoneEffect> | undefined
  #stopping = false

  constructor(parts: ZoneParts) {
    this.#parts = parts
    this.#ports = parts.ports
    this.#system = new System(this.#ports)
    // Whoever starts Loch waits for what a leader hosts, and shall hear if that is in vain.
    this.#leadership = new Leadership(this.#system, { ...parts, nowMs: this.#ports.clock.nowMs }, (error) => {
      void parts.link.failed(error, isLochError(error) && isPermanent(error))
    })
  }

  async start(): Promise<void> {
    const { config, report } = this.#parts
    const input = { id: config.zone, zones: config.zones, incarnation: this.#parts.nowMs() }
    this.#zone = await run(this.#system.host(zoneActor, config.zone, input, this.#perform))
    for (const peer of config.zones) {
      if (peer !== config.zone) this.#subscribe(heartbeatSubject(config.project, peer), (data) => this.#hear(data))
    }
    this.#subscribe(placementSubject(config.project, config.zone), (data) => {
      this.#place(data).catch((error: unknown) => report(`placing a compute: ${problemOf(error)}`))
    })
    this.#serveDepositions()
    this.#serveStatus()
    this.#zone.tell({ type: 'Tick', at: 0 })
  }

  readonly #perform: Perform<ZoneState, ZoneContext, ZoneEvent, ZoneEffect> = (effect, { cause }) => {
    switch (effect.type) {
      case 'publishHeartbeat':
        this.#beat(effect.heartbeat, cause)
        return this.#leadership.repeatNews(this.#zone!.snapshot, cause)
      case 'becomeLeader':
        return this.#leadership.begin(() => this.#zone!.snapshot, cause)
      case 'loseLeadership':
        return void this.#leadership.end()
      case 'peerUp':
        return this.#leadership.tellZone('ZoneUp', effect.zone, cause)
      case 'peerDown':
        return this.#leadership.tellZone('ZoneDown', effect.zone, cause)
    }
  }

  /**
   * Starts nothing any more, and stops its computes; resolves when they have stopped. It goes on leading, if it does, for
   * the computes of other zones may still be stopping.
   */
  async quiesce(): Promise<void> {
    this.#stopping = true
    this.#leadership.stopPlacing()
    for (const { actor } of this.#computes.values()) {
      const { current } = actor.snapshot.context
      if (current) actor.tell({ type: 'Stop', at: 0, launch: Number.MAX_SAFE_INTEGER })
    }
    while ([...this.#computes.values()].some(({ actor }) => actor.snapshot.context.running)) {
      await sleep(this.#parts.timers, STOP_POLL_MS)
    }
  }

  /** The actors that are hosted here. */
  inspect(): ReadonlyArray<ActorInspection> {
    return this.#system.inspect()
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
    await this.#leadership.end()
    await this.#system.stop()
    this.#ports.close()
  }

  #subscribe(subject: string, handler: (data: Uint8Array) => void): void {
    this.#subscriptions.push(this.#parts.bus.subscribe(subject, ({ data }) => handler(data)))
  }

  #beat(heartbeat: Heartbeat, cause: Cause): void {
    const { bus, config } = this.#parts
    const identity = { id: this.#ports.ids.next(), actor: `zone.${config.zone}`, sequence: 0, term: 0 }
    bus.publish(heartbeatSubject(config.project, config.zone), encodeEnvelope(wrap(heartbeat, identity, cause)))
  }

  #hear(data: Uint8Array): void {
    const envelope = decodeEnvelope(data)
    if (isFault(envelope) || envelope.type !== 'Heartbeat') return
    this.#zone?.tell(unwrap(envelope) as ActorEvent as Heartbeat, causeOf(envelope))
  }

  /** An endpoint's decision that a compute shall run here. Repeated ones are told apart by the compute's actor. */
  async #place(data: Uint8Array): Promise<void> {
    const placement = parsePlacement(data)
    if (!placement || this.#stopping) return
    const { actor } = await this.#hosted(placement.compute)
    // What comes up now would not be stopped.
    if (this.#stopping) return
    const { endpoint, timeline, zone, launch, cause } = placement
    actor.tell({ type: 'Start', at: 0, endpoint, timeline, zone, launch }, cause)
  }

  #hosted(compute: string): Promise<HostedCompute> {
    const known = this.#hosting.get(compute)
    if (known) return known
    const hosting = this.#host(compute)
    this.#hosting.set(compute, hosting)
    // The endpoint repeats itself, and then it is tried again.
    hosting.catch(() => this.#hosting.delete(compute))
    return hosting
  }

  async #host(compute: string): Promise<HostedCompute> {
    const host = new ComputeHost(compute, this.#environment())
    const actor = await run(this.#system.host(computeActor, compute, ComputeId.make(compute), host.perform))
    const hosted = { actor, host }
    this.#computes.set(compute, hosted)
    return hosted
  }

  #environment(): ConstructorParameters<typeof ComputeHost>[1] {
    const { config, bus, lane, store, body, newWriter, link, nowMs, monotonicMs, timers, report } = this.#parts
    return {
      bus,
      lane,
      store,
      project: config.project,
      zone: config.zone,
      body,
      writer: newWriter(),
      nowMs,
      monotonicMs,
      timers,
      newId: this.#ports.ids.next,
      report,
      recorder: this.#ports.recorder,
      progress: link.progress,
      serving: link.serving,
    }
  }

  /** Not before it is true: whoever asks shows others a state that those who serve here have never seen. */
  #serveDepositions(): void {
    const { bus, config, report } = this.#parts
    const subscription = bus.subscribe(depositionSubject(config.project, config.zone), (message) => {
      const deposition = parseDeposition(message.data)
      if (deposition === undefined) return
      this.#depose(deposition)
        .then(() => message.respond(NOTHING))
        .catch((error: unknown) => report(`deposing: ${problemOf(error)}`))
    })
    this.#subscriptions.push(subscription)
  }

  async #depose({ timeline, term, cause }: Deposition): Promise<void> {
    const ended = [...this.#computes.values()].map(async ({ actor, host }) => {
      const { current, term: own } = actor.snapshot.context
      if (current?.timeline !== timeline) return
      const problem = `another compute serves ${timeline} under term ${term}`
      if (own < term) actor.tell({ type: 'AppendRejected', at: 0, term: own, problem }, cause)
      await host.depose(term)
    })
    await Promise.all(ended)
  }

  #serveStatus(): void {
    const { bus, config, safekeepers, report } = this.#parts
    const subject = zoneStatusSubject(config.project, config.zone)
    const subscription = bus.subscribe(subject, (message) => {
      zoneReport(config, this.#leadership.leads, safekeepers, this.#computes.values())
        .then((said) => message.respond(encodeAs(encodingOf(message.data), said)))
        // Its safekeepers have ended, and so will this zone: whoever asks hears nothing, as from a zone that is down.
        .catch((error: unknown) => report(`status: ${problemOf(error)}`))
    })
    this.#subscriptions.push(subscription)
  }
}

/** One for each zone, so that none hears itself. */
function heartbeatSubject(project: string, zone: string): string {
  return `loch.${project}.heartbeat.${zone}`
}
