/**
 * Tells of failures: at once what was violated, and then, of the first of each kind, the shortest plan and the cause, with the
 * plan saved where the command was called. It changes what the tally says of a failure as more is known of it.
 */
import { relative } from 'node:path'
import type { Output } from '../../runtime/control/output.ts'
import type { Plan } from '../plan/plan.ts'
import { formatPlan } from '../plan/read.ts'
import type { Explanation } from './explain.ts'
import { type LogRun, leaveLogs } from './failure-logs.ts'
import { commandsFor, describeExplanation, describePlanOf, describeViolation } from './failure-text.ts'
import { save } from './files.ts'
import { Findings } from './findings.ts'
import type { SimulateFlags } from './flags.ts'
import { ProgressLine } from './progress-line.ts'
import type { Runner, Verdict } from './runner.ts'
import { describeSummary, type Failure, type Tally } from './tally.ts'

export interface FailureReportOptions {
  readonly flags: SimulateFlags
  readonly output: Output
  readonly tally: Tally
  readonly makeRunner: () => Runner
  readonly logRun: LogRun
}

export class FailureReport {
  readonly #options: FailureReportOptions
  readonly #findings: Findings
  /** By seed, the plan whose log a failure leaves. */
  readonly #plans = new Map<number, Plan>()
  #progressLine: ProgressLine | undefined

  constructor(options: FailureReportOptions) {
    this.#options = options
    this.#findings = new Findings({
      isWanted: (plan) => isShrinkingWanted(options.flags, plan),
      makeRunner: options.makeRunner,
      explained: (failure, explanation) => this.#explained(failure, explanation),
    })
  }

  /** Shows how far it has got until `end`. */
  showProgress(elapsedMs: () => number): void {
    this.#progressLine = new ProgressLine({
      isTerminal: process.stderr.isTTY === true,
      columns: process.stderr.columns ?? 80,
      write: (text) => process.stderr.write(text),
      line: () => this.#findings.progress ?? describeSummary(this.#options.tally.summary(elapsedMs())),
    })
  }

  /** Counts a run, and tells of it if it has failed. */
  judged(plan: Plan, verdict: Verdict): void {
    const { flags, output, tally } = this.#options
    const failure = tally.add(plan, verdict, commandsFor(plan, flags.plan, flags['check-determinism']))
    if (failure === undefined) return
    this.#plans.set(plan.seed, plan)
    const isExplained = this.#findings.take(plan, failure)
    if (output.json) return
    this.#say(
      isExplained ? describeViolation(failure) : `${describeViolation(failure)}\n${describePlanOf(failure, plan)}`,
    )
  }

  /** Explanations come to an end with what they have. */
  hurry(): void {
    this.#findings.stop()
  }

  /** When all failures are explained. */
  async end(): Promise<void> {
    await this.#findings.settled()
    this.#progressLine?.stop()
    await leaveLogs([...this.#plans.values()], this.#options)
  }

  #explained(failure: Failure, explanation: Explanation): void {
    const { flags, output, tally } = this.#options
    const file = explanation.found === 'not-repeated' ? undefined : this.#save(explanation.plan)
    const commands =
      file === undefined ? failure.commands : commandsFor(explanation.plan, file, flags['check-determinism'])
    const saved = file === undefined ? {} : { file }
    const explained = { ...failure, commands, explanation: { ...explanation, ...saved } }
    tally.replace(failure, explained)
    // The commands that are shown now are of this plan.
    if (file !== undefined) this.#plans.set(failure.seed, explanation.plan)
    if (!output.json) this.#say(describeExplanation(explained, explanation, file))
  }

  /** Undefined if it could not be saved; the explanation is worth its time without the file, too. */
  #save(plan: Plan): string | undefined {
    const file = shortestPlanFile(plan)
    try {
      save('the shortest plan', file, formatPlan(plan))
      return file
    } catch (error) {
      this.#options.output.complain(`error: ${error instanceof Error ? error.message : error}`)
      return undefined
    }
  }

  #say(text: string): void {
    this.#progressLine?.clear()
    this.#options.output.text(`${text}\n\n`)
  }
}

function shortestPlanFile({ seed }: Plan): string {
  return `loch-seed-${seed}.json`
}

/** What was shrunk before and is only looked at again cannot become shorter. */
function isShrinkingWanted(flags: SimulateFlags, plan: Plan): boolean {
  if (flags['no-shrink']) return false
  return flags.plan === undefined || relative(flags.plan, shortestPlanFile(plan)) !== ''
}
