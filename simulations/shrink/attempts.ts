/**
 * Runs plans and says whether they still fail as the first one did, until the budget is spent: then nothing fails any more, so
 * that whoever asks comes to an end with what it has. No plan is run twice.
 */
import type { Plan } from '../plan/plan.ts'
import { violationKind } from './violation-kind.ts'

export interface RunOutcome {
  readonly violation: string | undefined
  /** 0 if nobody knows: the process crashed. */
  readonly simulatedMs: number
}

/** Rejects with `GivenUp` if it ended before there was an outcome. */
export type Run = (plan: Plan) => Promise<RunOutcome>

/** Nobody waits for what is being looked for any more. */
export class GivenUp extends Error {}

export interface Budget {
  readonly runsMax: number
  /** Of virtual time, over all runs. */
  readonly simulatedMsMax: number
}

export interface Attempt {
  readonly run: number
  readonly runsMax: number
  /** What was tried, in words. */
  readonly trying: string
  readonly stillFails: boolean
  /** The smallest failing plan so far. */
  readonly faults: number
}

export const BUDGET: Budget = { runsMax: 300, simulatedMsMax: 300 * 150_000 }

export class Attempts {
  runs = 0
  #simulatedMs = 0
  #isGivenUp = false
  readonly #run: Run
  readonly #budget: Budget
  readonly #kind: string
  readonly #progress: (attempt: Attempt) => void
  readonly #known = new Map<string, boolean>()
  best: Plan
  /** How `best` fails. */
  violation: string

  /** `plan` fails with `violation`. */
  constructor(plan: Plan, violation: string, run: Run, budget: Budget, progress: (attempt: Attempt) => void) {
    this.best = plan
    this.violation = violation
    this.#kind = violationKind(violation)
    this.#run = run
    this.#budget = budget
    this.#progress = progress
    this.#known.set(JSON.stringify(plan), true)
  }

  get isSpent(): boolean {
    const { runsMax, simulatedMsMax } = this.#budget
    return this.#isGivenUp || this.runs >= runsMax || this.#simulatedMs >= simulatedMsMax
  }

  /** True if `plan` fails in the same way; then it is the best. */
  async fails(plan: Plan, trying: string): Promise<boolean> {
    const key = JSON.stringify(plan)
    const known = this.#known.get(key)
    if (known !== undefined || this.isSpent) return known ?? false
    this.runs++
    const outcome = await this.#runUnlessGivenUp(plan)
    if (outcome === undefined) return false
    const { violation, simulatedMs } = outcome
    this.#simulatedMs += simulatedMs
    const stillFails = violation !== undefined && violationKind(violation) === this.#kind
    this.#known.set(key, stillFails)
    if (stillFails) {
      this.best = plan
      this.violation = violation
    }
    const { runsMax } = this.#budget
    this.#progress({ run: this.runs, runsMax, trying, stillFails, faults: this.best.faults.length })
    return stillFails
  }

  async #runUnlessGivenUp(plan: Plan): Promise<RunOutcome | undefined> {
    try {
      return await this.#run(plan)
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error
      this.#isGivenUp = true
      return undefined
    }
  }
}
