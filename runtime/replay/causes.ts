/**
 * Causality across actors: why an event happened, as the chain of its causes back to the command that began it, and what an
 * event led to, as a tree. Only recorded causes count; nothing is concluded from what happened shortly before.
 */
import type { RunLog } from './open-log.ts'

/** A cause deeper than this is a circle in the log, which a writer of it must have made. */
const CHAIN_LENGTH_MAX = 10_000

export interface Chain {
  /** The root first, and the event itself last. */
  readonly places: readonly number[]
  /** Id of the first cause that is not in the log: it happened before, elsewhere, or is lost. */
  readonly missing: string | undefined
}

export function missingCause(id: string): string {
  return `Its first cause, ${id}, is not in this log.`
}

export function why(log: RunLog, place: number): Chain {
  const places = [place]
  for (;;) {
    const { id, causationId } = log.event(places[0]!)
    if (causationId === '' || causationId === id) return { places, missing: undefined }
    const cause = log.placeOfId(causationId)
    if (cause === undefined || places.includes(cause) || places.length > CHAIN_LENGTH_MAX) {
      return { places, missing: causationId }
    }
    places.unshift(cause)
  }
}

export interface Effect {
  readonly place: number
  /** 1 for what the event caused directly. */
  readonly depth: number
}

/** All that the event led to, each followed by what it led to itself; at most `limit`. */
export function effectsOf(log: RunLog, place: number, limit: number): readonly Effect[] {
  const found: Effect[] = []
  const seen = new Set([place])
  const stack = directEffects(log, place)
    .map((one) => ({ place: one, depth: 1 }))
    .reverse()
  for (let next = stack.pop(); next !== undefined && found.length < limit; next = stack.pop()) {
    if (seen.has(next.place)) continue
    seen.add(next.place)
    found.push(next)
    const { depth } = next
    for (const one of [...directEffects(log, next.place)].reverse()) stack.push({ place: one, depth: depth + 1 })
  }
  return found
}

function directEffects(log: RunLog, place: number): number[] {
  const { id, facts } = log.event(place)
  const ids = [id, ...facts.map((fact) => fact.id)].filter((one) => one !== '')
  return [...new Set(ids.flatMap((one) => log.causedBy(one)))].sort((left, right) => left - right)
}
