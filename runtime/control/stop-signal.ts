/**
 * The wish that this process ends, whoever has it: a signal, or a request over NATS. The first one begins a clean stop; a
 * second signal ends the process at once, and zones and Postgres with it, since they die with their parent.
 */
import * as Effect from 'effect/Effect'
import type * as Scope from 'effect/Scope'

export interface StopSignal {
  /** Resolves with who asked. */
  readonly requested: Promise<string>
  readonly request: (by: string) => void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** What a shell shows for a program that SIGINT ended. */
const IMPATIENT_EXIT_CODE = 130

/** Takes the signals over until the scope closes. */
export const stopSignal: Effect.Effect<StopSignal, never, Scope.Scope> = Effect.gen(function* () {
  let request = (_by: string) => {}
  const requested = new Promise<string>((resolve) => {
    request = resolve
  })
  let signals = 0
  const onSignal = (signal: string) => {
    signals += 1
    if (signals > 1) process.exit(IMPATIENT_EXIT_CODE)
    request(signal)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      for (const signal of SIGNALS) process.on(signal, onSignal)
    }),
    () =>
      Effect.sync(() => {
        for (const signal of SIGNALS) process.off(signal, onSignal)
      }),
  )
  return { requested, request }
})
