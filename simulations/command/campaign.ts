/**
 * Many plans on several runners at once, until there are no more, or something fails, or somebody has seen enough. A failure
 * ends the beginning of new runs and not the running ones. It neither prints nor knows processes.
 */
import type { Plan } from '../plan/plan.ts'
import type { Runner, Verdict } from './runner.ts'

export interface CampaignOptions {
  readonly runners: readonly Runner[]
  /** Undefined if there are no more. */
  readonly next: () => Plan | undefined
  readonly keepGoing: boolean
  readonly judged: (plan: Plan, verdict: Verdict) => void
}

/** With `keepGoing`: beyond this they all have the same cause. */
const FAILURES_MAX = 100

export class Campaign {
  readonly #options: CampaignOptions
  #isEnding = false
  #failures = 0

  constructor(options: CampaignOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    await Promise.all(this.#options.runners.map((runner) => this.#work(runner)))
    for (const runner of this.#options.runners) runner.stop()
  }

  /** What is being run is given up. */
  stop(): void {
    this.#isEnding = true
    for (const runner of this.#options.runners) runner.stop()
  }

  async #work(runner: Runner): Promise<void> {
    const { next, judged, keepGoing } = this.#options
    while (!this.#isEnding) {
      const plan = next()
      const verdict = plan && (await runner.run(plan))
      if (plan === undefined || verdict === undefined) return
      judged(plan, verdict)
      if (verdict.violation !== undefined && (++this.#failures >= FAILURES_MAX || !keepGoing)) this.#isEnding = true
    }
  }
}
