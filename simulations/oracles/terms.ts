/**
 * Terms, as the timeline's journal grants them: numbered without gaps, each to one compute, each by its own fact. Whatever
 * else carries a term (a reign, an archived object, a safekeeper) must carry one that was granted. It reads events
 * alone, never an actor's fold, which is another oracle's business.
 */
import type { ActorEvent, Envelope } from '../../events/envelope.ts'
import { unwrap } from '../../events/envelope.ts'
import type { TimelineFact } from '../../events/timeline.ts'
import type { OpenedLog } from './reign-observer.ts'

/** Somebody who carries a term. */
export interface TermBearer {
  readonly who: string
  readonly term: number
}

/** `history`: the timeline's journal from its first event on. */
export function checkTerms(
  history: readonly Envelope[],
  reigns: Iterable<OpenedLog>,
  bearers: Iterable<TermBearer>,
): string[] {
  const problems: string[] = []
  const granted = new Map<number, string>()
  let last = 0
  for (const envelope of history) {
    const fact = unwrap(envelope) as ActorEvent as TimelineFact
    if (fact.type === 'TermStarted') {
      if (granted.has(fact.term))
        problems.push(
          `term ${fact.term} was granted to ${granted.get(fact.term)} and, by event ${envelope.sequence}, to ${fact.compute}`,
        )
      else if (fact.term !== last + 1)
        problems.push(
          `event ${envelope.sequence} grants term ${fact.term} to ${fact.compute}, but the last was ${last}`,
        )
      granted.set(fact.term, granted.get(fact.term) ?? fact.compute)
      last = Math.max(last, fact.term)
    }
    if ((fact.type === 'TermBegan' || fact.type === 'SnapshotRecorded') && !granted.has(fact.term))
      problems.push(`event ${envelope.sequence}, ${fact.type}, is of term ${fact.term}, which was not granted before`)
  }
  for (const { term, compute } of reigns) {
    const holder = granted.get(term)
    if (holder !== compute)
      problems.push(
        `${compute} began a log of term ${term}, which ${holder ? `is that of ${holder}` : 'nobody was granted'}`,
      )
  }
  for (const { who, term } of bearers)
    if (term > 0 && !granted.has(term)) problems.push(`${who} carries term ${term}, which nobody was granted`)
  return problems
}

const TERM_IN_KEY = /^timelines\/[^/]+\/(?:log|segments|index)\/(\d{8,})[-/]/

/** Objects of a timeline whose names carry a term. */
export function* bearersIn(keys: Iterable<string>): Generator<TermBearer> {
  const seen = new Set<number>()
  for (const key of keys) {
    const term = Number(TERM_IN_KEY.exec(key)?.[1] ?? 0)
    if (term === 0 || seen.has(term)) continue
    seen.add(term)
    yield { who: key, term }
  }
}
