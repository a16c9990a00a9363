/** The definitions of all actors by kind, as production uses them, for whoever has only an actor's name from a log. Nothing else. */
import { compute } from '../../actors/compute/machine.ts'
import type { ActorEffect, BaseContext, Definition } from '../../actors/definition.ts'
import { endpoint } from '../../actors/endpoint/machine.ts'
import { safekeeper } from '../../actors/safekeeper/machine.ts'
import { timeline } from '../../actors/timeline/machine.ts'
import { zone } from '../../actors/zone/machine.ts'
import type { ActorEvent } from '../../events/envelope.ts'

export type AnyDefinition = Definition<never, string, BaseContext, ActorEvent, ActorEffect>

const DEFINITIONS: ReadonlyMap<string, AnyDefinition> = new Map(
  [zone, safekeeper, timeline, compute, endpoint].map((one) => [one.kind, one as unknown as AnyDefinition]),
)

/** Of `timeline.main` or `timeline.main@zone-1`; undefined for what is no actor of this Loch. */
export function definitionOf(actor: string): AnyDefinition | undefined {
  return DEFINITIONS.get(actor.split('.', 1)[0]!)
}
