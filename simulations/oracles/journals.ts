/**
 * Invariant I4 under faults: whoever hosts a journaled actor holds the fold of its journal, up to the event that it says it has
 * reached. Live states are sampled while the run goes on, and kept as they are since they never change in place; the
 * journal is folded once, at the end, past all samples. Two hosts at once are welcome: each must be right as far as it is.
 */
import type { ActorEffect, BaseContext, Definition, Snapshot } from '../../actors/definition.ts'
import { endpoint } from '../../actors/endpoint/machine.ts'
import { applyFacts } from '../../actors/fold.ts'
import { timeline } from '../../actors/timeline/machine.ts'
import { type ActorEvent, type Envelope, unwrap } from '../../events/envelope.ts'
import { problemOf } from '../../runtime/errors.ts'
import { openJournal } from '../../runtime/log/journal.ts'
import { endpointJournal, timelineJournal } from '../../runtime/log/keys.ts'
import { run } from '../../runtime/system/run.ts'
import type { BucketView } from './bucket-view.ts'

/** An actor as its host held it. */
export interface LiveSample {
  readonly actor: string
  readonly zone: string
  readonly atMs: number
  readonly sequence: number
  readonly state: string
  readonly remembered: unknown
}

type AnyDefinition = Definition<never, string, BaseContext, ActorEvent, ActorEffect>
const HOSTED: Readonly<
  Record<string, { readonly definition: AnyDefinition; readonly prefix: (id: string) => string }>
> = {
  timeline: { definition: timeline as unknown as AnyDefinition, prefix: timelineJournal },
  endpoint: { definition: endpoint as unknown as AnyDefinition, prefix: endpointJournal },
}

export function isJournaled(actor: string): boolean {
  return actor.slice(0, actor.indexOf('.')) in HOSTED
}

/** Folds the journal of `actor` and compares it with all samples of it, and with what an opening would load. */
export async function checkJournal(
  store: BucketView,
  actor: string,
  samples: readonly LiveSample[],
): Promise<string[]> {
  const kind = actor.slice(0, actor.indexOf('.'))
  const { definition, prefix } = HOSTED[kind]!
  try {
    const journal = openJournal(store, prefix(actor.slice(kind.length + 1)))
    const history = await run(journal.history())
    const { snapshot, events } = await run(journal.load())
    const loaded = { zone: 'the newest snapshot with what follows it', actor, atMs: 0 }
    const kept: LiveSample[] = snapshot ? [{ ...snapshot, ...loaded, zone: 'its newest snapshot' }] : []
    if (snapshot && snapshot.sequence + events.length !== history.length)
      return [
        `${actor}: ${loaded.zone} reach event ${snapshot.sequence + events.length}, the journal ${history.length}`,
      ]
    return compareFolds(definition, actor, history, [...samples, ...kept])
  } catch (error) {
    return [`the journal of ${actor} cannot be read: ${problemOf(error)}`]
  }
}

export function compareFolds(
  definition: AnyDefinition,
  actor: string,
  history: readonly Envelope[],
  samples: readonly LiveSample[],
): string[] {
  const problems: string[] = []
  const waiting = [...samples].sort((left, right) => left.sequence - right.sequence)
  let now: Snapshot<string, BaseContext> = definition.begin(undefined as never)
  let sequence = 0
  let next = 0
  const compare = () => {
    for (; next < waiting.length && waiting[next]!.sequence === sequence; next++) {
      const problem = difference(now, waiting[next]!)
      if (problem !== '') problems.push(`${actor} in ${waiting[next]!.zone}, after event ${sequence}: ${problem}`)
    }
  }
  compare()
  for (const envelope of history) {
    const { snapshot, impossible } = applyFacts(definition, now, [unwrap(envelope) as ActorEvent])
    if (impossible)
      return [...problems, `${actor}: event ${envelope.sequence} cannot stand there: ${impossible.reason}`]
    now = snapshot
    sequence = envelope.sequence
    compare()
  }
  const beyond = waiting[next]
  if (beyond)
    problems.push(
      `${actor} in ${beyond.zone} has reached event ${beyond.sequence}, but its journal ends at ${sequence}`,
    )
  return problems
}

function difference({ state, context }: Snapshot<string, BaseContext>, live: LiveSample): string {
  if (state !== live.state) return `it is ${live.state}, its journal says ${state}`
  const folded = canonical(context.remembered)
  const held = canonical(live.remembered)
  return folded === held ? '' : `it remembers ${held}, its journal says ${folded}`
}

/** Text in which the order of fields does not count, nor that they are absent. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  )
}
