/**
 * The recorded state of any actor at any event: the nearest whole state before it, and the changes from there on. What it was
 * is shown, whatever today's code would make of it; comparing the two is re-execution's business (re-execute.ts). States that
 * were passed are kept for a while, so that a step back costs no more than a step forth.
 */
import type { RunSnapshot } from '../../events/run-log.ts'
import { actorOf } from '../../events/run-log.ts'
import { applyChanges } from './changes.ts'
import type { Lane } from './event-table.ts'
import type { RunLog } from './open-log.ts'

export interface KnownState {
  /** `timeline.main@zone-1`. */
  readonly source: string
  readonly snapshot: RunSnapshot
  /** False if events between may be lost: what is shown may have changed since. */
  readonly isCertain: boolean
}

const STATES_KEPT_MAX = 1_024

export class States {
  readonly #log: RunLog
  /** By lane and count of its events. */
  readonly #kept = new Map<Lane, Map<number, RunSnapshot>>()

  constructor(log: RunLog) {
    this.#log = log
  }

  /** Of the actor's hosting that last did something up to `place`, that event included; `actor` may name its host. */
  at(place: number, actor: string): KnownState | undefined {
    let found: { readonly lane: Lane; readonly count: number; readonly last: number } | undefined
    for (const lane of this.lanesOf(actor)) {
      const count = lane.events.firstNotBelow(place + 1)
      const last = count === 0 ? -1 : lane.events.at(count - 1)
      if (found === undefined || last > found.last) found = { lane, count, last }
    }
    return found === undefined ? undefined : this.#after(found.lane, found.count, place)
  }

  /** After the first `count` events of the lane, seen from `place`; undefined if no whole state stands before. */
  #after(lane: Lane, count: number, place: number): KnownState | undefined {
    let base = lane.baseCounts.firstNotBelow(count + 1) - 1
    // One that stands further on may tell of what was lost meanwhile.
    while (base >= 0 && lane.baseOffsets[base]! > this.#log.table.offset[place]!) base--
    if (base < 0) return undefined
    const baseCount = lane.baseCounts.at(base)
    const isCertain = this.#log.lastDamageEnd(place) <= lane.baseOffsets[base]!
    return { source: this.#log.name(lane.source), snapshot: this.#fold(lane, base, baseCount, count), isCertain }
  }

  /** Before and after the event at `place`; undefined where unknown. */
  around(place: number): { readonly before: KnownState | undefined; readonly after: KnownState | undefined } {
    const lane = this.#log.table.lane(this.#log.table.source[place]!)
    const count = lane.events.firstNotBelow(place)
    return { before: this.#after(lane, count, place), after: this.#after(lane, count + 1, place) }
  }

  /** Hostings of the actor; of `timeline.main@zone-1` that one. Only what has states. */
  lanesOf(actor: string): readonly Lane[] {
    const lanes = [...this.#log.table.lanes.values()].filter((lane) => lane.baseCounts.length > 0)
    return lanes.filter(({ source }) => {
      const name = this.#log.name(source)
      return name === actor || actorOf(name) === actor
    })
  }

  /** All actors that have states, without their hosts, in the order of their names. */
  actors(): readonly string[] {
    const lanes = [...this.#log.table.lanes.values()].filter((lane) => lane.baseCounts.length > 0)
    return [...new Set(lanes.map(({ source }) => actorOf(this.#log.name(source))))].sort()
  }

  #fold(lane: Lane, base: number, baseCount: number, count: number): RunSnapshot {
    const kept = this.#keptOf(lane)
    let from = count
    while (from > baseCount && !kept.has(from)) from--
    let snapshot = kept.get(from) ?? this.#log.snapshotAt(lane.baseOffsets[base]!)
    for (let at = from; at < count; at++) {
      snapshot = applyChanges(snapshot, this.#log.event(lane.events.at(at)).changes)
      kept.set(at + 1, snapshot)
    }
    return snapshot
  }

  #keptOf(lane: Lane): Map<number, RunSnapshot> {
    let kept = this.#kept.get(lane)
    if (kept === undefined || kept.size > STATES_KEPT_MAX) {
      kept = new Map()
      this.#kept.set(lane, kept)
    }
    return kept
  }
}
