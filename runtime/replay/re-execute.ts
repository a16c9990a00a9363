/**
 * Re-execution: the recorded inputs are decided again by today's code, each from the state in which it was decided then, and
 * everything that comes of it is compared with what was recorded. The first difference is the result; what follows it would
 * only be its consequence. The decisions are those of production (actors/fold.ts): there is no second way to decide.
 */
import type { BaseContext, Outcome, Snapshot } from '../../actors/definition.ts'
import { applyFacts, decide } from '../../actors/fold.ts'
import type { ActorEvent, Envelope } from '../../events/envelope.ts'
import type { RunEvent, RunSnapshot } from '../../events/run-log.ts'
import { type Difference, differences } from './changes.ts'
import { type AnyDefinition, definitionOf } from './definitions.ts'
import type { RunLog } from './open-log.ts'
import { States } from './states.ts'

export interface Divergence {
  readonly sequence: number
  readonly id: string
  readonly actor: string
  readonly type: string
  /** `before` is what was recorded, `after` what today's code makes of it. */
  readonly differences: readonly Difference[]
}

export interface ReExecution {
  /** Inputs that were decided again, the divergent one included. */
  readonly executed: number
  /** Inputs of actors that this Loch does not have, or whose state or name is unknown because the log is damaged. */
  readonly skipped: number
  readonly divergence: Divergence | undefined
}

/** What a decision comes to, in the form in which the two are compared. */
interface Result {
  readonly outcome: string
  readonly reason: string
  readonly snapshot: RunSnapshot
  readonly facts: readonly unknown[]
  readonly effects: readonly unknown[]
}

export function reExecute(log: RunLog): ReExecution {
  const states = new States(log)
  let executed = 0
  let skipped = 0
  for (let place = 0; place < log.length; place++) {
    const event = log.event(place)
    if (event.kind !== 'took' && event.kind !== 'folded') continue
    const definition = definitionOf(event.source)
    const { before, after } = states.around(place)
    if (!definition || !log.isNamed(place) || !before?.isCertain || !after) {
      skipped++
      continue
    }
    executed++
    const found = differences(recorded(event, after.snapshot), recomputed(definition, before.snapshot, event))
    if (found.length === 0) continue
    const { sequence, id, source: actor, type } = event
    return { executed, skipped, divergence: { sequence, id, actor, type, differences: found } }
  }
  return { executed, skipped, divergence: undefined }
}

function recorded(event: RunEvent, snapshot: RunSnapshot): Result {
  const { outcome, reason, effects } = event
  return { outcome, reason, snapshot, facts: event.facts.map(flat), effects }
}

function recomputed(
  definition: AnyDefinition,
  before: RunSnapshot,
  event: RunEvent,
): Result | { readonly threw: string } {
  try {
    const { outcome, snapshot, facts, effects } = redecide(definition, before, event)
    return { outcome: outcome.kind, reason: reasonOf(outcome), snapshot, facts, effects }
  } catch (error) {
    return { threw: error instanceof Error ? error.message : String(error) }
  }
}

export interface Redecided {
  readonly outcome: Outcome
  /** Each step of the decision: the command's own, and then one for each fact. */
  readonly steps: ReadonlyArray<{
    readonly type: string
    readonly snapshot: RunSnapshot
    readonly effects: readonly unknown[]
  }>
  readonly snapshot: RunSnapshot
  readonly facts: readonly ActorEvent[]
  readonly effects: readonly unknown[]
}

/** Decides one recorded event again, step by step. Throws what the actor throws. */
export function redecide(definition: AnyDefinition, before: RunSnapshot, event: RunEvent): Redecided {
  const from = before as Snapshot<string, BaseContext>
  const input = flat(event)
  if (event.kind === 'folded') {
    const { snapshot, impossible } = applyFacts(definition, from, [input])
    if (impossible) throw new Error(impossible.reason)
    // Whoever wrote the fact performs its effects.
    const steps = [{ type: input.type, snapshot, effects: [] }]
    return { outcome: { kind: 'taken' }, steps, snapshot, facts: [], effects: [] }
  }
  const decision = decide(definition, from, input)
  const steps = [{ type: input.type, snapshot: decision.snapshot, effects: decision.effects }]
  for (const fact of decision.facts) {
    const { snapshot, effects, impossible } = applyFacts(definition, steps.at(-1)!.snapshot, [fact])
    if (impossible) throw new Error(impossible.reason)
    steps.push({ type: fact.type, snapshot, effects })
  }
  const effects = steps.flatMap((step) => step.effects)
  return { outcome: decision.outcome, steps, snapshot: steps.at(-1)!.snapshot, facts: decision.facts, effects }
}

function flat({ payload, type, at }: Pick<Envelope, 'payload' | 'type' | 'at'>): ActorEvent {
  return { ...payload, type, at }
}

function reasonOf(outcome: Outcome): string {
  return outcome.kind === 'taken' ? '' : outcome.reason
}
