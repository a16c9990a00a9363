/**
 * The two halves of handling one event, between which the host makes facts durable: `decide` says what should be
 * remembered, `applyFacts` folds it. Recovery and replay are `applyFacts` alone with its effects thrown away, so live
 * state and folded state cannot come from different code (invariant I4).
 */
import type { ActorEvent } from '../events/envelope.ts'
import {
  type ActorEffect,
  type BaseContext,
  type Definition,
  type Outcome,
  type RecordEffect,
  type Snapshot,
  step,
} from './definition.ts'

export interface Decision<State extends string, Context, Event, Effect> {
  /** With what is transient changed already; valid only once `facts` are durable. */
  readonly snapshot: Snapshot<State, Context>
  /** To be made durable together, in this order. */
  readonly facts: ReadonlyArray<Event>
  readonly effects: ReadonlyArray<Effect>
  readonly outcome: Outcome
}

export function decide<
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Effect extends ActorEffect,
>(
  definition: Definition<never, State, Context, Event, Effect>,
  snapshot: Snapshot<State, Context>,
  event: Event,
): Decision<State, Context, Event, Effect> {
  const stepped = step(definition, snapshot, event)
  const facts: Event[] = []
  const effects: Effect[] = []
  for (const effect of stepped.effects) {
    if (effect.type === 'record') facts.push((effect as ActorEffect as RecordEffect<Event>).event)
    else effects.push(effect)
  }
  return { snapshot: stepped.snapshot, facts, effects, outcome: stepped.outcome }
}

export interface Folded<State extends string, Context, Effect> {
  readonly snapshot: Snapshot<State, Context>
  readonly effects: ReadonlyArray<Effect>
  /** Set if a fact cannot stand where it stands: the journal is damaged, or written by other rules. */
  readonly impossible: { readonly index: number; readonly reason: string } | undefined
}

export function applyFacts<
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Effect extends ActorEffect,
>(
  definition: Definition<never, State, Context, Event, Effect>,
  snapshot: Snapshot<State, Context>,
  facts: ReadonlyArray<Event>,
): Folded<State, Context, Effect> {
  let now = snapshot
  const effects: Effect[] = []
  for (const [index, fact] of facts.entries()) {
    const stepped = step(definition, now, fact)
    if (stepped.outcome.kind === 'refused') {
      const reason = `${fact.type} in state ${now.state}: ${stepped.outcome.reason}`
      return { snapshot: now, effects, impossible: { index, reason } }
    }
    now = stepped.snapshot
    effects.push(...stepped.effects)
  }
  return { snapshot: now, effects, impossible: undefined }
}
