/**
 * The order that makes an endpoint's compute run, given until somebody takes it: until a zone leads nobody hosts the
 * endpoint, which NATS says at once. What no repetition mends ends the attempt, and what takes long is explained meanwhile,
 * since whoever waits for a database wants to know for what.
 */
import * as Effect from 'effect/Effect'
import { describe, isPermanent, type LochError } from '../errors.ts'
import type { ZoneStatus } from './schemas.ts'

const RETRY_INTERVAL_MS = 50
/** Longer than any start that goes well. */
const EXPLAIN_AFTER_MS = 5_000
/** A leader that has just begun may see no zone yet; who says no for so long means it. */
const REFUSED_MS_MAX = 30_000

export interface WakeLimits {
  readonly explainAfterMs: number
  readonly refusedMsMax: number
}

const LIMITS: WakeLimits = { explainAfterMs: EXPLAIN_AFTER_MS, refusedMsMax: REFUSED_MS_MAX }

/** Succeeds once `order` does. Errors: its own, if it is not one that passes. `report` hears why it takes so long. */
export const wakeUntilTaken = Effect.fnUntraced(function* (
  order: Effect.Effect<unknown, LochError>,
  report: (line: string) => void,
  limits: WakeLimits = LIMITS,
): Effect.fn.Return<void, LochError> {
  const startedMs = performance.now()
  let refusedSinceMs: number | undefined
  let said = ''
  for (;;) {
    const outcome = yield* Effect.result(order)
    if (outcome._tag === 'Success') return
    const error = outcome.failure
    const nowMs = performance.now()
    refusedSinceMs = error._tag === 'Refused' ? (refusedSinceMs ?? nowMs) : undefined
    const isMeant = refusedSinceMs !== undefined && nowMs - refusedSinceMs >= limits.refusedMsMax
    if (isMeant || isPermanent(error)) return yield* Effect.fail(error)
    if (nowMs - startedMs >= limits.explainAfterMs && error.problem !== said) {
      said = error.problem
      report(`still waiting for a zone that takes orders: ${describe(error)}`)
    }
    yield* Effect.sleep(RETRY_INTERVAL_MS)
  }
})

/** Reports, as long as it runs, why no compute serves, whenever that changes. */
export const explainComputes = Effect.fnUntraced(function* (
  statuses: () => Promise<readonly ZoneStatus[]>,
  report: (line: string) => void,
  intervalMs: number = EXPLAIN_AFTER_MS,
): Effect.fn.Return<never> {
  let said = ''
  for (;;) {
    yield* Effect.sleep(intervalMs)
    const computes = (yield* Effect.promise(statuses)).flatMap((zone) => zone.computes)
    const states = computes.map(
      ({ id, state, problem = '' }) => `${id} is ${state}${problem === '' ? '' : `: ${problem}`}`,
    )
    const text = states.join('; ') || 'no zone runs one yet'
    if (text !== said) report(`still waiting for a compute: ${text}`)
    said = text
  }
})
