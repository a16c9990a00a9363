/**
 * The failures of a command and their explanations, one after the other: the first of each kind is explained while the rest
 * goes on, since more of the same explain no more. What becomes of an explanation is the business of whoever asked for it.
 */
import type { Plan } from '../plan/plan.ts'
import type { Attempt } from '../shrink/attempts.ts'
import { violationKind } from '../shrink/violation-kind.ts'
import { Explainer, type Explanation } from './explain.ts'
import type { Runner } from './runner.ts'
import type { Failure } from './tally.ts'

export interface FindingsOptions {
  readonly isWanted: (plan: Plan) => boolean
  readonly makeRunner: () => Runner
  readonly explained: (failure: Failure, explanation: Explanation) => void
}

export class Findings {
  readonly #options: FindingsOptions
  readonly #kinds = new Set<string>()
  #queue: Promise<void> = Promise.resolve()
  #explainer: Explainer | undefined
  #isStopped = false
  #progress: string | undefined

  constructor(options: FindingsOptions) {
    this.#options = options
  }

  /** What is being done, for a line that shows it; undefined if nothing is. */
  get progress(): string | undefined {
    return this.#progress
  }

  /** True if it will be explained. */
  take(plan: Plan, failure: Failure): boolean {
    const kind = violationKind(failure.violation)
    if (this.#isStopped || this.#kinds.has(kind) || !this.#options.isWanted(plan)) return false
    this.#kinds.add(kind)
    this.#queue = this.#queue.then(() => this.#explain(plan, failure))
    return true
  }

  /** Whoever waits for an explanation gets what has been found. */
  stop(): void {
    this.#isStopped = true
    this.#explainer?.stop()
  }

  /** When nothing is left to be explained. */
  settled(): Promise<void> {
    return this.#queue
  }

  async #explain(plan: Plan, failure: Failure): Promise<void> {
    const { makeRunner, explained } = this.#options
    this.#progress = `shrinking seed ${failure.seed}`
    this.#explainer = new Explainer(makeRunner(), (attempt) => {
      this.#progress = progressOf(failure, attempt)
    })
    if (this.#isStopped) this.#explainer.stop()
    explained(failure, await this.#explainer.explain(plan, failure.violation))
    this.#progress = undefined
  }
}

function progressOf({ seed }: Failure, { run, runsMax, faults }: Attempt): string {
  return `shrinking seed ${seed}: ${faults} faults left after ${run} of at most ${runsMax} runs`
}
