/**
 * The one bridge from promises and exceptions to typed errors in this folder. What is thrown must already be a member of
 * the closed set; anything else is a defect of ours and dies as one, instead of being retried as if a disk had failed.
 */
import * as Effect from 'effect/Effect'
import { isLochError } from '../errors.ts'

/** Runs `work`; its rejections are members of `E` or defects. `signal` fires when the effect is interrupted. */
export function attempt<A, E>(work: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, E> {
  return Effect.tryPromise({ try: work, catch: (error) => error }).pipe(
    Effect.catch((error) => (isLochError(error) ? Effect.fail(error as E) : Effect.die(error))),
  )
}

/** Runs a synchronous check that throws members of `E`. */
export function check<E>(work: () => void): Effect.Effect<void, E> {
  return attempt(async () => work())
}
