/**
 * The actors that the leader zone hosts: the project's timeline and its endpoint. Hosting begins with the fold of their
 * journals and the event `Resumed`; it ends when another zone leads. Two leaders at once do no harm: a journal's slot has
 * one winner, and the loser folds and decides again.
 */
import type { EndpointContext, EndpointEffect } from '../../actors/endpoint/decide.ts'
import { endpoint as endpointActor } from '../../actors/endpoint/machine.ts'
import type { EndpointState } from '../../actors/endpoint/table.ts'
import { timeline as timelineActor } from '../../actors/timeline/machine.ts'
import { placeableZones, type ZoneContext } from '../../actors/zone/decide.ts'
import type { EndpointEvent } from '../../events/endpoint.ts'
import { type Cause, type Envelope, type Refusal, unwrap } from '../../events/envelope.ts'
import type { ZoneId } from '../../events/identifiers.ts'
import type { TimelineCommand } from '../../events/timeline.ts'
import type { ZoneState } from '../../events/zone.ts'
import { errorFrom } from '../control/error-report.ts'
import { problemOf } from '../errors.ts'
import { run } from '../system/run.ts'
import { sleep } from '../system/timers.ts'
import type { HostedActor, System } from '../system.ts'
import { encodePlacement, placementSubject } from './compute-placement.ts'
import { deleteTimelineObjects, type TimelineObjects } from './timeline-objects.ts'
import type { ZoneParts } from './zone-host.ts'

export interface LeaderParts extends Pick<ZoneParts, 'report' | 'timers' | 'monotonicMs'> {
  /** The clock of the actors, by which the zone's peers were heard. */
  readonly nowMs: () => number
  readonly config: Pick<ZoneParts['config'], 'project' | 'zones' | 'timeline' | 'endpoint' | 'durability'>
  readonly bus: Pick<ZoneParts['bus'], 'publish'>
  readonly store: TimelineObjects
}
interface SeenZones {
  readonly state: ZoneState
  readonly context: ZoneContext
}

/** A journal that cannot be read now (the store is down) is tried again for as long as this zone leads. */
const RETRY_INTERVAL_MS = 1_000
/** So often what the endpoint believes of the zones is compared with what this zone sees. */
export const NEWS_REPEAT_INTERVAL_MS = 5_000

export class Leadership {
  readonly #system: System
  readonly #parts: LeaderParts
  readonly #failed: (error: unknown) => void
  #endpoint: HostedActor<EndpointState, EndpointContext, EndpointEvent, EndpointEffect> | undefined
  #comparedAtMs = Number.NEGATIVE_INFINITY
  /** Numbers the reigns of this zone as leader: one that has ended must not go on hosting. */
  #round = 0
  #leads = false
  /** False once Loch is to stop: computes end now, and nobody shall start others in their place. */
  #places = true
  #complaint = ''
  #work: Promise<void> = Promise.resolve()

  /** `failed` hears why nothing can be hosted; it is tried again whatever the reason. */
  constructor(system: System, parts: LeaderParts, failed: (error: unknown) => void = () => {}) {
    this.#system = system
    this.#parts = parts
    this.#failed = failed
  }

  get leads(): boolean {
    return this.#leads
  }

  begin(seen: () => SeenZones, cause?: Cause): void {
    this.#leads = true
    const round = ++this.#round
    this.#work = this.#work.then(() => this.#hostAll(round, seen, cause))
  }

  /**
   * From now on no compute is placed any more, while the timeline is still answered for: a compute that stops records
   * its last snapshot there, or the next one would have to fold all the log since the last. Nobody need wait until the
   * endpoint is released: while the store is down that takes until it is back.
   */
  stopPlacing(): void {
    this.#places = false
    this.#endpoint = undefined
    this.#work = this.#work.then(() => this.#releaseEndpoint())
  }

  /** Resolves when nothing is hosted any more. */
  async end(): Promise<void> {
    this.#leads = false
    this.#round++
    this.#endpoint = undefined
    this.#work = this.#work.then(() => this.#releaseAll())
    await this.#work
  }

  tellZone(type: 'ZoneUp' | 'ZoneDown', zone: ZoneId, cause: Cause): void {
    this.#endpoint?.tell({ type, at: 0, zone }, cause)
  }

  /**
   * News that could not be recorded because the store was down come again later, and may then be older than what the
   * endpoint has heard meanwhile. Zones that are silent, yet not long enough to be down, are left as they are.
   */
  repeatNews({ context, state }: SeenZones, cause: Cause): void {
    const now = this.#parts.monotonicMs()
    if (!this.#endpoint || now - this.#comparedAtMs < NEWS_REPEAT_INTERVAL_MS) return
    this.#comparedAtMs = now
    const believed = this.#endpoint.snapshot.context.zonesUp
    for (const zone of placeableZones(context, state, this.#parts.nowMs())) {
      if (!believed.includes(zone)) this.tellZone('ZoneUp', zone, cause)
    }
    for (const zone of believed) {
      if (context.peers[zone]?.up === false) this.tellZone('ZoneDown', zone, cause)
    }
  }

  async #hostAll(round: number, seen: () => SeenZones, cause: Cause | undefined): Promise<void> {
    while (round === this.#round) {
      try {
        await this.#hostTimeline(cause)
        if (this.#places) await this.#hostEndpoint(seen, cause)
        this.#complaint = ''
        return
      } catch (error) {
        this.#complain(error)
        await this.#releaseAll()
        await sleep(this.#parts.timers, RETRY_INTERVAL_MS)
      }
    }
  }

  /** To whoever waits for what is hosted here, once for each reason. */
  #complain(error: unknown): void {
    const problem = problemOf(error)
    this.#parts.report(`leading: ${problem}`)
    if (problem !== this.#complaint) this.#failed(error)
    this.#complaint = problem
  }

  async #releaseAll(): Promise<void> {
    await this.#releaseEndpoint()
    await this.#system.release(`timeline.${this.#parts.config.timeline}`)
  }

  async #releaseEndpoint(): Promise<void> {
    await this.#system.release(`endpoint.${this.#parts.config.endpoint}`)
  }

  async #hostTimeline(cause: Cause | undefined): Promise<void> {
    const { config, store } = this.#parts
    const { timeline, project, zones, durability } = config
    const actor = await run(
      this.#system.host(timelineActor, timeline, undefined, async (effect) => {
        await deleteTimelineObjects(store, effect.timeline)
        return { type: 'ObjectsDeleted', at: 0 }
      }),
    )
    const create: TimelineCommand = { type: 'Create', at: 0, timeline, project, zones, durability }
    await ensure(
      () => actor.snapshot.state !== 'creating',
      () => actor.ask(create, cause),
    )
    actor.tell({ type: 'Resumed', at: 0 }, cause)
  }

  async #hostEndpoint(seen: () => SeenZones, cause: Cause | undefined): Promise<void> {
    const { config, bus } = this.#parts
    const { endpoint, timeline, project } = config
    const actor = await run(
      this.#system.host(endpointActor, endpoint, undefined, ({ compute, endpoint, timeline, zone, launch }, scope) => {
        if (!this.#places) return
        const { id, correlationId } = scope.cause
        const placement = { compute, endpoint, timeline, zone, launch, cause: { id, correlationId } }
        bus.publish(placementSubject(project, zone), encodePlacement(placement))
      }),
    )
    await ensure(
      () => actor.snapshot.context.remembered.endpoint !== '',
      () => actor.ask({ type: 'Create', at: 0, endpoint, project, timeline }, cause),
    )
    const { state, context } = seen()
    const zonesUp = [...placeableZones(context, state, this.#parts.nowMs())]
    actor.tell({ type: 'Resumed', at: 0, zonesUp }, cause)
    this.#endpoint = actor
  }
}

/** Rejects if it was not created, which `create` does not: an actor that refuses has answered. */
async function ensure(isCreated: () => boolean, create: () => Promise<Envelope>): Promise<void> {
  if (isCreated()) return
  const answer = unwrap(await create())
  // Refused because another leader was faster is as good.
  if (answer.type === 'Refusal' && !isCreated()) throw errorFrom(answer as Refusal)
}
