/**
 * The doors between the loop, which is plain asynchronous code, and what may fail: effects of Effect, whose failure itself
 * the loop hands to whoever asked, and effects of actors, whose failure must never reach the loop.
 */
import * as Cause from 'effect/Cause'
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import type { Scheduler } from 'effect/Scheduler'
import { isLochError, type LochError } from '../errors.ts'
import type { PerformResult } from './ports.ts'

let scheduling: { readonly scheduler?: Scheduler } = {}

/** For a simulation, which decides itself when the fibers of this process go on. */
export function useScheduler(scheduler: Scheduler | undefined): void {
  scheduling = scheduler === undefined ? {} : { scheduler }
}

/** Runs `effect`; rejects with the LochError it fails with, or with its defect. */
export async function run<A>(effect: Effect.Effect<A, LochError>): Promise<A> {
  const exit = await Effect.runPromiseExit(effect, scheduling)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

/**
 * The other way: `work` as an effect. What it throws must be of the closed set (`E`); anything else is a defect of ours and dies
 * as one, instead of being retried as if a disk had failed. `signal` fires when the effect is interrupted.
 */
export function attempt<A, E extends LochError = LochError>(
  work: (signal: AbortSignal) => A | Promise<A>,
): Effect.Effect<A, E> {
  // Effect makes a signal for whoever names it, and making one costs more than all the rest here.
  const takesSignal = work.length > 0
  const started = takesSignal
    ? async (signal: AbortSignal) => work(signal)
    : async () => (work as () => A | Promise<A>)()
  return Effect.tryPromise({ try: started, catch: (error) => error }).pipe(
    Effect.catch((error) => (isLochError(error) ? Effect.fail(error as E) : Effect.die(error))),
  )
}

export interface EffectListener<Event> {
  /** Its results, now or later. */
  readonly tell: (event: Event) => void
  /** What it throws. */
  readonly failed: (error: unknown) => void
  /** Once, at the end, whatever came of it. */
  readonly ended: () => void
}

/** Starts an actor's effect. Never throws. */
export function startEffect<Event extends object>(
  perform: () => PerformResult<Event> | Promise<PerformResult<Event>>,
  { tell, failed, ended }: EffectListener<Event>,
): void {
  const told = (result: PerformResult<Event>) => {
    if (!result) return
    for (const event of Array.isArray(result) ? (result as ReadonlyArray<Event>) : [result as Event]) tell(event)
  }
  try {
    const result = perform()
    if (result instanceof Promise) {
      result.then(told).catch(failed).then(ended)
      return
    }
    told(result)
  } catch (error) {
    failed(error)
  }
  ended()
}
