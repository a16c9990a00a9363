/**
 * A run in this very process, which an error that nobody catches would end, in a promise that nobody waits for say, and with it
 * whoever was about to tell of the run. Such an error ends the run instead, as the violation that it is.
 */
import type { Plan } from '../plan/plan.ts'
import { type RunObserver, together } from '../run/observer.ts'
import { type Outcome, runPlan } from '../run/run.ts'

export async function runGuarded(plan: Plan, observers: readonly RunObserver[]): Promise<Outcome> {
  const guard = new Guard()
  try {
    return await runPlan(plan, together([guard, ...observers]))
  } finally {
    guard.end()
  }
}

/** Ends the run by throwing when it is told of the next step, so before anything else happens. */
class Guard implements RunObserver {
  #first: { readonly error: unknown } | undefined
  readonly #take = (error: unknown) => {
    this.#first ??= { error }
  }

  constructor() {
    process.on('uncaughtException', this.#take)
  }

  observe(): void {}

  stepped(): void {
    if (this.#first !== undefined) throw this.#first.error
  }

  end(): void {
    process.off('uncaughtException', this.#take)
  }
}
