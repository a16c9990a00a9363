/**
 * Given, when, expect for actors, and the two properties that hold for every actor: no sequence of events makes one throw
 * or leave its states, and a journaled one is the fold of its facts. For tests only; it hosts an actor as the runtime
 * does, with durability that never fails.
 */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { ActorEvent } from '../events/envelope.ts'
import type { ActorEffect, BaseContext, Definition, Outcome, Snapshot } from './definition.ts'
import { applyFacts, decide } from './fold.ts'

export interface Expected {
  readonly state?: string
  readonly outcome?: Outcome['kind']
  /** All effects of the last event: a string for the type alone, or an object that must be contained. */
  readonly effects?: ReadonlyArray<string | object>
  /** Types of the facts it recorded. */
  readonly facts?: ReadonlyArray<string>
  readonly context?: object
}

export class Scenario<
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Effect extends ActorEffect,
> {
  readonly #definition: Definition<never, State, Context, Event, Effect>
  snapshot: Snapshot<State, Context>
  journal: Event[] = []
  facts: ReadonlyArray<Event> = []
  effects: ReadonlyArray<Effect> = []
  outcome: Outcome = { kind: 'taken' }

  constructor(definition: Definition<never, State, Context, Event, Effect>, begin: Snapshot<State, Context>) {
    this.#definition = definition
    this.snapshot = begin
  }

  given(...events: ReadonlyArray<Event>): this {
    for (const event of events) this.when(event)
    return this
  }

  when(event: Event): this {
    const decision = decide(this.#definition, this.snapshot, event)
    const folded = applyFacts(this.#definition, decision.snapshot, decision.facts)
    expect(folded.impossible).toBeUndefined()
    this.snapshot = folded.snapshot
    this.facts = decision.facts
    this.journal.push(...decision.facts)
    this.effects = [...decision.effects, ...folded.effects]
    this.outcome = decision.outcome
    return this
  }

  /** Asserts what the last event did. */
  expect(expected: Expected): this {
    if (expected.state !== undefined) expect(this.snapshot.state).toBe(expected.state)
    if (expected.outcome !== undefined) expect(this.outcome.kind).toBe(expected.outcome)
    if (expected.facts) expect(this.facts.map((fact) => fact.type)).toEqual(expected.facts)
    if (expected.context) expect(this.snapshot.context).toMatchObject(expected.context)
    if (expected.effects) {
      const seen = this.effects.map((effect, at) => (typeof expected.effects![at] === 'string' ? effect.type : effect))
      expect(seen).toMatchObject([...expected.effects])
      expect(seen.length).toBe(expected.effects.length)
    }
    return this
  }
}

export function scenario<
  Input,
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Effect extends ActorEffect,
>(definition: Definition<Input, State, Context, Event, Effect>, input: Input): Scenario<State, Context, Event, Effect> {
  return new Scenario(definition, definition.begin(input))
}

/**
 * Both properties, for sequences of `events` after one of the `openings` (random events alone rarely get far); those of a
 * journaled actor must be its commands. Returns the states that were reached, so that a test can demand them all.
 */
export function checkProperties<
  Input,
  State extends string,
  Context extends BaseContext,
  Event extends ActorEvent,
  Effect extends ActorEffect,
>(
  definition: Definition<Input, State, Context, Event, Effect>,
  input: Input,
  events: fc.Arbitrary<Event>,
  openings: ReadonlyArray<ReadonlyArray<Event>> = [[]],
): ReadonlySet<State> {
  const visited = new Set<State>()
  fc.assert(
    fc.property(fc.constantFrom(...openings), fc.array(events, { maxLength: 40 }), (opening, sequence) => {
      const live = scenario(definition, input)
      for (const event of [...opening, ...sequence]) {
        const before = live.snapshot
        live.when(event)
        visited.add(live.snapshot.state)
        expect(definition.states).toContain(live.snapshot.state)
        if (live.outcome.kind !== 'taken') expect(live.snapshot).toBe(before)
      }
      if (definition.facts.length === 0) return
      const folded = applyFacts(definition, definition.begin(input), live.journal)
      expect(folded.impossible).toBeUndefined()
      expect(folded.snapshot.state).toBe(live.snapshot.state)
      expect(folded.snapshot.context.remembered).toEqual(live.snapshot.context.remembered)
    }),
    { numRuns: 150, seed: 7 },
  )
  return visited
}

/** A time that only grows: events of a sequence are made in order. */
export const anyTime = fc.integer({ min: 0, max: 100_000 })
