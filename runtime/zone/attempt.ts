/** Promises as effects: errors of the closed set become failures, anything else is a defect of ours. */
import * as Effect from 'effect/Effect'
import { isLochError, type LochError } from '../errors.ts'

export function attempt<A>(work: () => A | Promise<A>): Effect.Effect<A, LochError> {
  return Effect.tryPromise({ try: async () => work(), catch: (error) => error }).pipe(
    Effect.catch((error) => (isLochError(error) ? Effect.fail(error as LochError) : Effect.die(error))),
  )
}
