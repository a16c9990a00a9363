/**
 * From a table to a moving actor: `defineActor` has the XState machine generated from the transition table, and `step` is
 * the only way to move one. Effects come out as data and nothing is done here, so the runtime, the replay tools and the
 * simulator share every decision. No clock, randomness or I/O may enter: events carry `at`, and a timer is a deadline in
 * `context.timers` that the host arms, because a timer inside XState does not survive a restored snapshot.
 *
 * Journaled actors speak twice. A command decides and asks to `record` facts; a fact, once durable, is stepped through the
 * same table and alone may change the state and `context.remembered`. So the fold of the journal is the actor. What is
 * cheap to lose (who was heard, deadlines) stands beside `remembered` in the context.
 */
import type * as Schema from 'effect/Schema'
import { type AnyStateMachine, initialTransition } from 'xstate'
import type { ActorEvent } from '../events/envelope.ts'
import { type MachinePlan, type Move, machineOf, moveOf, stateName } from './machine-of.ts'
import type { RefusalTag } from './table.ts'

/** Deadlines by name, ms since 1970. The host sends `TimerFired{name}` at or after each. */
export type Timers = Readonly<Record<string, number>>

export interface BaseContext {
  readonly timers: Timers
  /** What the journal remembers; absent in actors without one. */
  readonly remembered?: unknown
}

/** Asks the host to make `event` durable; it is stepped as soon as it is. Commands of journaled actors only. */
export interface RecordEffect<Fact> {
  readonly type: 'record'
  readonly event: Fact
}

/** Answers the sender of the command. A command without this effect is answered with `Done` or with its refusal. */
export interface ReplyEffect<Reply> {
  readonly type: 'reply'
  readonly event: Reply
}

/** Says `event` to another actor, `<kind>.<id>`. May get lost: whoever needs it to arrive repeats it. */
export interface SendEffect<Event> {
  readonly type: 'send'
  readonly to: string
  readonly event: Event
}

export interface Snapshot<State extends string, Context> {
  readonly state: State
  readonly context: Context
}

/** What an action makes of (context, event). */
export interface Change<Context, Effect> {
  readonly context?: Context
  readonly effects?: ReadonlyArray<Effect>
}

export type Outcome =
  | { readonly kind: 'taken' }
  | { readonly kind: 'ignored'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly as: RefusalTag }

export interface Step<State extends string, Context, Effect> {
  readonly snapshot: Snapshot<State, Context>
  /** In the order in which the actions named them. */
  readonly effects: ReadonlyArray<Effect>
  readonly outcome: Outcome
}

interface Description<Input, State extends string, Context extends BaseContext, Event extends ActorEvent> {
  /** Name in subjects, actor ids and object names. */
  readonly kind: string
  /** All states; the first is where every actor begins. */
  readonly states: readonly [State, ...State[]]
  /** Everything the actor may hear, facts included. */
  readonly schema: Schema.Codec<Event, unknown>
  /** Types of the events that its journal holds; empty if it keeps none. Nobody but its host may step these. */
  readonly facts: ReadonlyArray<Event['type']>
  /** Types too frequent and too plain to be published for subscribers. */
  readonly unpublished: ReadonlyArray<Event['type']>
  readonly contextOf: (input: Input) => Context
  /** What the host says when the deadline `name` of `context.timers` has come. */
  readonly onTimer: (name: string, at: number) => NoInfer<Event>
  /** The term that the actor's envelopes carry. */
  readonly termOf: (context: Context) => number
  /** A few values for status output. */
  readonly summary: (context: Context) => Readonly<Record<string, unknown>>
}

export interface Definition<
  Input,
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Effect extends ActorEffect,
> extends Description<Input, State, Context, Event> {
  readonly machine: AnyStateMachine
  readonly move: Move
  readonly begin: (input: Input) => Snapshot<State, Context>
  /** Only for inference: the effects that `step` returns. */
  readonly effects?: ReadonlyArray<Effect>
}

export interface ActorEffect {
  readonly type: string
}

export interface Plan<Input, State extends string, Context extends BaseContext, Event extends ActorEvent>
  extends Description<Input, State, Context, Event> {
  /** Typed by the caller as `Table<State, Event, typeof guards, typeof actions>`, which checks names and completeness. */
  readonly table: object
  readonly guards: object
  readonly actions: object
}

/** `defineActor<Effect>()(plan)`: the effects are named by the caller, all else is inferred. */
export function defineActor<Effect extends ActorEffect>() {
  return <Input, State extends string, Context extends BaseContext, const Event extends ActorEvent>(
    plan: Plan<Input, State, Context, Event>,
  ): Definition<Input, State, Context, Event, Effect> => {
    const { table, guards, actions, ...description } = plan
    const machine = machineOf({ kind: plan.kind, initial: plan.states[0], table, guards, actions } as MachinePlan)
    const begin = (input: Input): Snapshot<State, Context> => {
      const [first] = initialTransition(machine, plan.contextOf(input))
      return { state: stateName(first.value) as State, context: first.context as Context }
    }
    return { ...description, machine, move: moveOf(machine), begin }
  }
}

/**
 * One event's consequence. Ignored and refused events leave the snapshot as it is. Throws only for a defect of ours: a
 * command that changes what only facts may change, or a fact that wants to record another.
 */
export function step<
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Effect extends ActorEffect,
>(
  definition: Definition<never, State, Context, Event, Effect>,
  snapshot: Snapshot<State, Context>,
  event: Event,
): Step<State, Context, Effect> {
  const { state, context, effects: named, verdict } = definition.move(snapshot.state, snapshot.context, event)
  if (verdict?.ignored !== undefined) return stay(snapshot, { kind: 'ignored', reason: verdict.ignored })
  if (verdict?.refused !== undefined) {
    return stay(snapshot, { kind: 'refused', reason: verdict.refused, as: verdict.as ?? 'Refused' })
  }
  const next = { state: state as State, context: context as Context }
  const effects = named as ReadonlyArray<Effect>
  checkRemembering(definition, snapshot, next, effects, event)
  return { snapshot: next, effects, outcome: { kind: 'taken' } }
}

function stay<State extends string, Context>(snapshot: Snapshot<State, Context>, outcome: Outcome) {
  return { snapshot, effects: [], outcome }
}

/** Invariant I4, enforced: the state of a journaled actor is a function of its facts. */
function checkRemembering<State extends string>(
  definition: { readonly kind: string; readonly facts: ReadonlyArray<string> },
  before: Snapshot<State, BaseContext>,
  after: Snapshot<State, BaseContext>,
  effects: ReadonlyArray<ActorEffect>,
  event: ActorEvent,
): void {
  if (definition.facts.length === 0) return
  const where = `${definition.kind} in ${before.state} at ${event.type}`
  if (isFact(definition, event.type)) {
    if (effects.some((effect) => effect.type === 'record')) throw new Error(`${where}: a fact wants to record another`)
    return
  }
  if (after.state !== before.state || after.context.remembered !== before.context.remembered) {
    throw new Error(`${where}: a command changed what only facts may change`)
  }
}

export function isFact(definition: { readonly facts: ReadonlyArray<string> }, type: string): boolean {
  return definition.facts.includes(type)
}

/** `timers` with one more deadline. */
export function withTimer(timers: Timers, name: string, atMs: number): Timers {
  return { ...timers, [name]: atMs }
}

/** `timers` without `name`. */
export function withoutTimer(timers: Timers, name: string): Timers {
  const { [name]: _, ...rest } = timers
  return rest
}
