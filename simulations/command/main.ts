/**
 * `loch simulate`: runs simulated clusters under faults and says what it found. It is the one part of simulations/ that
 * touches the world: processes, files, the terminal, the clock on the wall. Exit codes are those of every command: 0 all
 * held, 1 something failed, 2 not understood.
 */
import { availableParallelism } from 'node:os'
import { commandHelp } from '../../runtime/control/arguments.ts'
import { explainError } from '../../runtime/control/cli.ts'
import { type Output, standardOutput } from '../../runtime/control/output.ts'
import { FormatTooNew } from '../../runtime/errors.ts'
import { generatePlan } from '../plan/generate.ts'
import { formatPlan } from '../plan/read.ts'
import { Campaign } from './campaign.ts'
import { type LogRun, logInProcess } from './failure-logs.ts'
import { FailureReport } from './failure-report.ts'
import { loadPlan, save } from './files.ts'
import { declaration, isOfOneRun, parseFlags, type SimulateFlags } from './flags.ts'
import { forkedPlan } from './fork-plan.ts'
import { type StoppableLaboratory, showMutations } from './mutations.ts'
import { describeOutcome } from './one-run.ts'
import { plansFor } from './plans.ts'
import { ProcessLaboratory } from './process-laboratory.ts'
import { runRecorded } from './recorded-run.ts'
import { OnceRunner, type Runner, TwiceRunner } from './runner.ts'
import { onSignal } from './signals.ts'
import { describeSummary, describeUnreached, Tally } from './tally.ts'

const EXIT_FAILED = 1
const EXIT_NOT_UNDERSTOOD = 2

export interface MainOptions {
  readonly makeOutput?: (json: boolean) => Output
  /** Of what is run in processes of its own. */
  readonly makeRunner?: () => Runner
  readonly logRun?: LogRun
  readonly makeLaboratory?: () => StoppableLaboratory
}

/** Runs one command line (without node, the script and `simulate`) and returns the exit code. Never rejects. */
export async function main(
  words: readonly string[],
  {
    makeOutput = standardOutput,
    makeRunner = () => new OnceRunner(),
    logRun = logInProcess,
    makeLaboratory = () => new ProcessLaboratory(),
  }: MainOptions = {},
): Promise<number> {
  const output = makeOutput(words.includes('--json'))
  try {
    if (words.includes('--help') || words.includes('-h')) {
      output.text(commandHelp('simulate', declaration))
      return 0
    }
    const { flags: given, names } = parseFlags(words)
    const flags = given.fork === undefined ? given : { ...given, plan: await forkedPlan(given) }
    if (flags.mutations) return await showMutations({ flags, names, output, makeLaboratory })
    const tally = new Tally()
    const makeOne = flags['check-determinism'] ? () => new TwiceRunner() : makeRunner
    const report = new FailureReport({ flags, output, tally, makeRunner: makeOne, logRun })
    const task = { flags, output, tally, report, makeRunner: makeOne }
    return isOfOneRun(flags) ? await one(task) : await many(task)
  } catch (error) {
    const code = explainError(error, output)
    // A plan or a log of a newer Loch is no failure that was found.
    return error instanceof FormatTooNew ? EXIT_NOT_UNDERSTOOD : code
  }
}

interface Task {
  readonly flags: SimulateFlags
  readonly output: Output
  readonly tally: Tally
  readonly report: FailureReport
  readonly makeRunner: () => Runner
}

async function one({ flags, output, tally, report }: Task): Promise<number> {
  const plan = flags.plan === undefined ? generatePlan(flags.seed!) : loadPlan(flags.plan)
  const savedPlan = flags['save-plan']
  if (savedPlan !== undefined) save('--save-plan', savedPlan, formatPlan(plan))
  const run = await runRecorded(plan, flags, output)
  const { outcome, cpuMs, elapsedMs } = run
  const { violation } = outcome
  if (!output.json) output.text(`\n${describeOutcome(run, elapsedMs)}\n\n`)
  const takeSignalsBack = onSignal(() => report.hurry())
  report.showProgress(() => elapsedMs)
  report.judged(plan, violation === undefined ? { outcome, cpuMs } : { outcome, cpuMs, violation })
  await report.end()
  takeSignalsBack()
  if (output.json) output.line(JSON.stringify(tally.summary(elapsedMs)))
  return violation === undefined ? 0 : EXIT_FAILED
}

async function many({ flags, output, tally, report, makeRunner }: Task): Promise<number> {
  const beganMs = performance.now()
  const elapsedMs = () => performance.now() - beganMs
  const campaign = new Campaign({
    runners: Array.from({ length: runnersFor(flags) }, makeRunner),
    next: plansFor(flags, elapsedMs),
    keepGoing: flags['keep-going'],
    judged: (plan, verdict) => report.judged(plan, verdict),
  })
  report.showProgress(elapsedMs)
  const takeSignalsBack = onSignal(() => {
    campaign.stop()
    report.hurry()
  })
  await campaign.run()
  // Shrinking is no part of what the seeds took.
  const campaignMs = elapsedMs()
  await report.end()
  takeSignalsBack()
  const summary = tally.summary(campaignMs)
  if (!output.json) output.text(describeUnreached(summary))
  output.line(output.json ? JSON.stringify(summary) : describeSummary(summary))
  return tally.failures.length === 0 ? 0 : EXIT_FAILED
}

/** One for each core; a run that is made twice takes two. */
function runnersFor(flags: SimulateFlags): number {
  const processes = flags.processes ?? availableParallelism()
  return flags['check-determinism'] ? Math.max(1, Math.floor(processes / 2)) : processes
}

/** Called by the launcher (bin/loch.mjs). Exits explicitly: after the end nothing is worth waiting for. */
export async function runAndExit(words: readonly string[]): Promise<never> {
  process.exit(await main(words))
}
