/**
 * Follows the states of all actors through a run: of each that takes an event at once, and of all now and then, since queues grow
 * and positions move without one. What an actor is only until the end of a step is told by what it took, and not by looking.
 */
import type { Snapshot as ActorSnapshot } from '../../actors/definition.ts'
import { cutForDisplay } from '../../runtime/replay/page/fields.ts'
import type { StateChange } from '../../runtime/replay/page/shown.ts'
import type { Recorder } from '../../runtime/system/ports.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { SimZone } from '../cluster/sim-zone.ts'
import { changesBetween, isUp, type Snapshot, snapshotOf, whileMoving } from './snapshot.ts'
import { StateHistory } from './state-history.ts'

const LOOK_INTERVAL_MS = 50
/** It is its status that is shown, which knows more than the actor. */
const SAFEKEEPER = 'safekeeper.'

export class StateWatch {
  readonly #history = new StateHistory()
  /** By zone. */
  readonly #last = new Map<string, Snapshot>()
  /** Zones with actors that have taken something in this step. */
  readonly #moved = new Set<string>()
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #nowMs: () => number = () => 0

  get changes(): readonly StateChange[] {
    return this.#history.changes
  }

  /** `nowMs`: since the beginning of the run. */
  begins(nowMs: () => number): void {
    this.#nowMs = nowMs
  }

  recorderOf(zone: string): Recorder {
    const heard = (actor: string, snapshot: ActorSnapshot<string, unknown>) => this.#heard(zone, actor, snapshot)
    return {
      began: heard,
      took: ({ message, after }) => heard(message.actor, after),
      folded: (fact, _, after) => heard(fact.actor, after),
      noted: () => {},
    }
  }

  stepped({ zones }: SimCluster, atMs: number): void {
    const isDue = atMs - this.#lookedAtMs >= LOOK_INTERVAL_MS
    if (isDue) this.#lookedAtMs = atMs
    for (const zone of zones) if (isDue || this.#moved.has(zone.name) || this.#isOtherwiseUp(zone)) this.#look(zone)
    this.#moved.clear()
  }

  /** Of a run that has ended. */
  end({ zones }: SimCluster): void {
    for (const zone of zones) this.#look(zone)
  }

  #heard(zone: string, actor: string, snapshot: ActorSnapshot<string, unknown>): void {
    this.#moved.add(zone)
    if (actor.startsWith(SAFEKEEPER)) return
    const key = `${zone}/${actor}`
    const last = this.#last.get(zone) ?? new Map()
    const before = last.get(key)
    if (before?.['state'] === snapshot.state) return
    this.#note(zone, new Map(last).set(key, whileMoving(actor, snapshot, before)))
  }

  #isOtherwiseUp(zone: SimZone): boolean {
    return isUp(zone.name, this.#last.get(zone.name)) !== zone.isUp
  }

  #look(zone: SimZone): void {
    this.#note(zone.name, snapshotOf(zone))
  }

  #note(zone: string, snapshot: Snapshot): void {
    const changes = changesBetween(this.#last.get(zone) ?? new Map(), snapshot)
    this.#last.set(zone, snapshot)
    if (changes === undefined) return
    const shown = Object.entries(changes).map(([actor, state]) => [actor, state && cutForDisplay(state)] as const)
    this.#history.add(this.#nowMs(), Object.fromEntries(shown))
  }
}
