/**
 * Explains a failed run by other runs: the shortest plan that fails alike, and the last moment found at which a healed world
 * would still have been in time. Each of the two has its time on the wall, and whoever has seen enough may end both; what has been
 * found by then is the explanation. It neither prints nor knows processes.
 */
import type { Plan } from '../plan/plan.ts'
import { type Attempt, GivenUp, type RunOutcome } from '../shrink/attempts.ts'
import { type Cause, findCause } from '../shrink/cause.ts'
import { type Shrunk, shrink } from '../shrink/shrink.ts'
import { violationKind } from '../shrink/violation-kind.ts'
import type { Runner } from './runner.ts'

export interface Explanation {
  /** What `plan` is; `not-repeated`: it is the failed one, which held when it was run again. */
  readonly found: 'shortest' | 'shorter' | 'not-repeated'
  readonly plan: Plan
  /** How it fails. */
  readonly violation: string
  /** It took so many to find. */
  readonly runs: number
  readonly cause: Cause | 'no-fault-needed' | 'never-saved' | 'unknown'
}

/** Twice as long as an average shrinking takes on a slow machine. */
const SHRINK_MS_MAX = 90_000
/** For some twenty runs that fail as late as they can. */
const CAUSE_MS_MAX = 60_000

export class Explainer {
  readonly #runner: Runner
  readonly #progress: (attempt: Attempt) => void
  #isStopped = false
  #isLate = false

  constructor(runner: Runner, progress: (attempt: Attempt) => void) {
    this.#runner = runner
    this.#progress = progress
  }

  /** `plan` has failed with `violation`. */
  async explain(plan: Plan, violation: string): Promise<Explanation> {
    try {
      const shrunk = await this.#within(SHRINK_MS_MAX, () => this.#shrink(plan, violation))
      if (shrunk === undefined) return { found: 'not-repeated', plan, violation, runs: 1, cause: 'unknown' }
      const cause = await this.#within(CAUSE_MS_MAX, () => this.#findCause(shrunk))
      const runs = 1 + shrunk.runs + (typeof cause === 'object' ? cause.runs : 0)
      const found = shrunk.isComplete ? 'shortest' : 'shorter'
      return { found, plan: shrunk.plan, violation: shrunk.violation, runs, cause }
    } finally {
      this.#runner.stop()
    }
  }

  /** What has been found is enough. */
  stop(): void {
    this.#isStopped = true
    this.#runner.stop()
  }

  /** Undefined if it does not fail again, and nothing can be said by running it. */
  async #shrink(plan: Plan, violation: string): Promise<Shrunk | undefined> {
    if (!(await this.#failsAgain(plan, violation))) return undefined
    return shrink({ plan, violation, run: (one) => this.#run(one), progress: this.#progress })
  }

  async #failsAgain(plan: Plan, violation: string): Promise<boolean> {
    try {
      const again = await this.#run(plan)
      return again.violation !== undefined && violationKind(again.violation) === violationKind(violation)
    } catch (error) {
      if (error instanceof GivenUp) return true
      throw error
    }
  }

  async #findCause({ plan, violation }: Shrunk): Promise<Explanation['cause']> {
    try {
      return await findCause({ plan, violation, run: (one) => this.#run(one) })
    } catch (error) {
      if (error instanceof GivenUp) return 'unknown'
      throw error
    }
  }

  async #run(plan: Plan): Promise<RunOutcome> {
    const verdict = this.#isStopped || this.#isLate ? undefined : await this.#runner.run(plan)
    if (verdict === undefined) throw new GivenUp()
    return { violation: verdict.violation, simulatedMs: verdict.outcome?.simulatedMs ?? 0 }
  }

  async #within<A>(timeMs: number, work: () => Promise<A>): Promise<A> {
    this.#isLate = false
    const limit = setTimeout(() => {
      this.#isLate = true
      this.#runner.stop()
    }, timeMs)
    try {
      return await work()
    } finally {
      clearTimeout(limit)
    }
  }
}
