/**
 * Tells of failures: at once what was violated, and then, of the first of each kind, the shortest plan and the cause, with the
 * plan saved where the command was called. It changes what the tally says of a failure as more is known of it.
 */
import type { Output } from '../../runtime/control/output.ts'
import type { Plan } from '../plan/plan.ts'
import { formatPlan } from '../plan/read.ts'
import type { Explanation } from './explain.ts'
import { LOGS_MAX, type LoggedFailure, type LogRun, leaveLogs } from './failure-logs.ts'
import { FailureNames } from './failure-names.ts'
import { commandsFor, describeExplanation, describePlanOf, describeViolation } from './failure-text.ts'
import { save, whyNotToBeWritten } from './files.ts'
import { Findings } from './findings.ts'
import type { SimulateFlags } from './flags.ts'
import { ProgressLine } from './progress-line.ts'
import type { Runner, Verdict } from './runner.ts'
import { type Failure, summaryWithin, type Tally } from './tally.ts'

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
  readonly #names: FailureNames
  /** By seed, of those that leave one. */
  readonly #logs = new Map<number, LoggedFailure>()
  #progressLine: ProgressLine | undefined

  constructor(options: FailureReportOptions) {
    this.#options = options
    this.#names = new FailureNames(options.flags)
    this.#findings = new Findings({
      isWanted: (plan) => !options.flags['no-shrink'] && !this.#names.isShortest(plan),
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
      line: (room) => this.#findings.progress ?? summaryWithin(room, this.#options.tally.summary(elapsedMs())),
    })
  }

  /** Counts a run, and tells of it if it has failed. */
  judged(plan: Plan, verdict: Verdict): void {
    const { flags, output, tally } = this.#options
    const log = this.#logs.size < LOGS_MAX ? this.#logOf(plan, flags.plan) : undefined
    const shown = { file: flags.plan, log, twice: flags['check-determinism'] }
    const failure = tally.add(plan, verdict, commandsFor(plan, shown))
    if (failure === undefined) return
    if (log !== undefined) this.#logs.set(plan.seed, { plan, log })
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
    await leaveLogs(this.#logs.values(), this.#options)
  }

  #explained(failure: Failure, explanation: Explanation): void {
    const { output, tally } = this.#options
    const file = explanation.found === 'not-repeated' ? undefined : this.#save(explanation.plan)
    const shown = file === undefined ? {} : this.#show(failure, explanation.plan, file)
    const explained = { ...failure, ...shown, explanation: { ...explanation, ...(file === undefined ? {} : { file }) } }
    tally.replace(failure, explained)
    if (!output.json) this.#say(describeExplanation(explained, explanation, file))
  }

  /** The commands show the plan that was found, and so does the log. */
  #show({ seed }: Failure, plan: Plan, file: string): Pick<Failure, 'commands'> {
    const { flags } = this.#options
    const log = this.#logOf(plan, file)
    if (log !== undefined) this.#logs.set(seed, { plan, log })
    return { commands: commandsFor(plan, { file, log, twice: flags['check-determinism'] }) }
  }

  /** The file of the log that its failure leaves; undefined if there can be none. */
  #logOf(plan: Plan, shown: string | undefined): string | undefined {
    const log = this.#names.log(plan, shown)
    const problem = whyNotToBeWritten(log)
    if (problem === undefined) return log
    this.#options.output.complain(`no log of seed ${plan.seed} is left: ${log} cannot be written (${problem})`)
    return undefined
  }

  /** Undefined if it could not be saved; the explanation is worth its time without the file, too. */
  #save(plan: Plan): string | undefined {
    const file = this.#names.shortestPlan(plan)
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
