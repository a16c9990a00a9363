/**
 * What all actors of a zone say of themselves at one moment, flat and as text, so that two moments can be compared field
 * by field. Nothing is cut here: a field that differs only in its end differs. It only looks.
 */
import type { Snapshot as ActorSnapshot } from '../../actors/definition.ts'
import { definitionOf } from '../../runtime/replay/definitions.ts'
import { fieldsOf } from '../../runtime/replay/page/fields.ts'
import type { ActorState } from '../../runtime/replay/page/shown.ts'
import type { SimZone } from '../cluster/sim-zone.ts'

/** By `zone/actor`. */
export type Snapshot = ReadonlyMap<string, ActorState>

const UP = 'up'

export function snapshotOf(zone: SimZone): Snapshot {
  const states = new Map<string, ActorState>()
  states.set(processOf(zone.name), { state: zone.isUp ? UP : 'down' })
  const { actors, safekeeper } = zone.inspect()
  if (safekeeper !== undefined) states.set(`${zone.name}/safekeeper`, flat({ ...safekeeper }))
  for (const { actor, summary, ...rest } of actors) states.set(`${zone.name}/${actor}`, flat({ ...rest, ...summary }))
  return states
}

export function isUp(zone: string, snapshot: Snapshot | undefined): boolean {
  return snapshot?.get(processOf(zone))?.['state'] === UP
}

/** What only its host knows of an actor. */
const OF_ITS_HOST = ['sequence', 'queued', 'handling', 'running']

/** An actor in the middle of a step, by what it is shown to be then; what only its host knows is as it was `before`. */
export function whileMoving(
  actor: string,
  { state, context }: ActorSnapshot<string, unknown>,
  before: ActorState = {},
): ActorState {
  const definition = definitionOf(actor)!
  const known = context as never
  const { timers, remembered } = context as { readonly timers: unknown; readonly remembered?: unknown }
  const hosts = Object.entries(before).filter(([name]) => OF_ITS_HOST.some((one) => name.split('.', 1)[0] === one))
  const own = flat({ state, term: definition.termOf(known), timers, remembered, ...definition.summary(known) })
  return { ...own, ...Object.fromEntries(hosts) }
}

function processOf(zone: string): string {
  return `${zone}/process`
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
