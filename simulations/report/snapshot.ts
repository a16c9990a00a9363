/**
 * What all actors of a cluster say of themselves at one moment, flat and as text, so that two moments can be compared field
 * by field. Nothing is cut here: a field that differs only in its end differs. It only looks.
 */
import { fieldsOf } from '../../runtime/replay/page/fields.ts'
import type { ActorState } from '../../runtime/replay/page/shown.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'

/** By `zone/actor`. */
export type Snapshot = ReadonlyMap<string, ActorState>

export function snapshotOf(cluster: SimCluster): Snapshot {
  const states = new Map<string, ActorState>()
  for (const zone of cluster.zones) {
    states.set(`${zone.name}/process`, { state: zone.isUp ? 'up' : 'down' })
    const { actors, safekeeper } = zone.inspect()
    if (safekeeper !== undefined) states.set(`${zone.name}/safekeeper`, flat({ ...safekeeper }))
    for (const { actor, summary, ...rest } of actors) states.set(`${zone.name}/${actor}`, flat({ ...rest, ...summary }))
  }
  return states
}

function flat(fields: Readonly<Record<string, unknown>>): ActorState {
  return fieldsOf(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)))
}

/** What became of each actor that is not as it was; null for one that is gone. Undefined if nothing changed. */
export function changesBetween(
  before: Snapshot,
  after: Snapshot,
): Readonly<Record<string, ActorState | null>> | undefined {
  const changes: Record<string, ActorState | null> = {}
  for (const [actor, state] of after) if (!isSame(before.get(actor), state)) changes[actor] = state
  for (const actor of before.keys()) if (!after.has(actor)) changes[actor] = null
  return Object.keys(changes).length === 0 ? undefined : changes
}

function isSame(left: ActorState | undefined, right: ActorState): boolean {
  if (left === undefined) return false
  const names = Object.keys(right)
  return names.length === Object.keys(left).length && names.every((name) => left[name] === right[name])
}
