/**
 * `loch simulate`: runs simulated clusters under faults and says what it found. It is the one part of simulations/ that
 * touches the world: processes, files, the terminal, the clock on the wall. Exit codes are those of every command: 0 all
 * held, 1 something failed, 2 not understood.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { commandHelp } from '../../runtime/control/arguments.ts'
import { explainError } from '../../runtime/control/cli.ts'
import { type Output, standardOutput } from '../../runtime/control/output.ts'
import { pageOf } from '../../runtime/replay/page/page.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { formatPlan } from '../plan/read.ts'
import { Recorder } from '../report/recorder.ts'
import { SimulationLog } from '../report/simulation-log.ts'
import { Campaign } from './campaign.ts'
import { type FailedPlan, leaveLogs } from './failure-logs.ts'
import { commandsFor, describeFailure, failureLog } from './failure-text.ts'
import { LogFile, loadPlan, save } from './files.ts'
import { declaration, isOfOneRun, parseFlags, type SimulateFlags } from './flags.ts'
import { forkedPlan } from './fork-plan.ts'
import { runLogged } from './logged-run.ts'
import { describeOutcome, runOne } from './one-run.ts'
import { ProgressLine } from './progress-line.ts'
import { OnceRunner, type Runner, TwiceRunner } from './runner.ts'
import { describeSummary, Tally } from './tally.ts'

const EXIT_FAILED = 1
const EXIT_IMPATIENT = 130

/** Runs one command line (without node, the script and `simulate`); failures leave their logs in `directory`. Returns the exit
 * code, and never rejects. */
export async function main(
  words: readonly string[],
  makeOutput: (json: boolean) => Output = standardOutput,
  directory = '.',
): Promise<number> {
  const output = makeOutput(words.includes('--json'))
  try {
    if (words.includes('--help') || words.includes('-h')) {
      output.text(commandHelp('simulate', declaration))
      return 0
    }
    const flags = parseFlags(words)
    return isOfOneRun(flags) ? await one(flags, output, directory) : await many(flags, output, directory)
  } catch (error) {
    return explainError(error, output)
  }
}

async function one(flags: SimulateFlags, output: Output, directory: string): Promise<number> {
  const plan = await planOfOne(flags)
  // Of a fork there is no seed that tells it.
  const savedPlan = flags['save-plan'] ?? (flags.fork && join(directory, `loch-fork-${plan.seed}.json`))
  const planFile = flags.plan ?? (flags.fork && savedPlan)
  if (savedPlan !== undefined) save('--save-plan', savedPlan, formatPlan(plan))
  const recorder = flags.report === undefined ? undefined : new Recorder(plan)
  // Refused before the run, and not after it.
  if (flags.report !== undefined) save('--report', flags.report, '')
  const file = flags.log === undefined ? undefined : new LogFile('--log', flags.log)
  const log = file && new SimulationLog(plan, file.write)
  const beganMs = performance.now()
  const run = await runOne(plan, output, [recorder, log])
  const elapsedMs = performance.now() - beganMs
  log?.end(run.outcome)
  file?.close()
  const tally = new Tally()
  const { violation } = run.outcome
  const leftLog = join(directory, failureLog(plan, planFile))
  const commands = commandsFor(plan, planFile, false, flags.log ?? leftLog)
  const verdict = violation === undefined ? { outcome: run.outcome } : { outcome: run.outcome, violation }
  const failure = tally.add(plan, verdict, commands)
  if (flags.report !== undefined) {
    save('--report', flags.report, pageOf(recorder!.shown(run.outcome, run.digest, commands[0]!)))
  }
  if (failure !== undefined && log === undefined) await runLogged(plan, leftLog)
  if (output.json) output.line(JSON.stringify(tally.summary(elapsedMs)))
  else {
    if (failure !== undefined) output.text(`\n${describeFailure(failure, plan)}\n`)
    output.text(`\n${describeOutcome(run, elapsedMs)}\n`)
  }
  return failure === undefined ? 0 : EXIT_FAILED
}

async function planOfOne(flags: SimulateFlags): Promise<Plan> {
  if (flags.fork !== undefined) return forkedPlan(flags)
  return flags.plan === undefined ? generatePlan(flags.seed!) : loadPlan(flags.plan)
}

async function many(flags: SimulateFlags, output: Output, directory: string): Promise<number> {
  const beganMs = performance.now()
  const elapsedMs = () => performance.now() - beganMs
  const tally = new Tally()
  const failed: FailedPlan[] = []
  const progress = new ProgressLine({
    isTerminal: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 80,
    write: (text) => process.stderr.write(text),
    line: () => describeSummary(tally.summary(elapsedMs())),
  })
  const campaign = new Campaign({
    runners: runnersFor(flags),
    next: plansFor(flags, elapsedMs),
    keepGoing: flags['keep-going'],
    judged: (plan, verdict) => {
      const log = join(directory, failureLog(plan, flags.plan))
      const failure = tally.add(plan, verdict, commandsFor(plan, flags.plan, flags['check-determinism'], log))
      if (failure === undefined) return
      failed.push({ plan, log })
      if (output.json) return
      progress.clear()
      output.text(`${describeFailure(failure, plan)}\n\n`)
    },
  })
  const takeSignalsBack = onSignal(() => campaign.stop())
  await campaign.run()
  takeSignalsBack()
  progress.stop()
  await leaveLogs(failed, output)
  const summary = tally.summary(elapsedMs())
  output.line(output.json ? JSON.stringify(summary) : describeSummary(summary))
  return summary.failures.length === 0 ? 0 : EXIT_FAILED
}

/** One for each core; a run that is made twice takes two. */
function runnersFor(flags: SimulateFlags): readonly Runner[] {
  const processes = flags.processes ?? availableParallelism()
  if (!flags['check-determinism']) return Array.from({ length: processes }, () => new OnceRunner())
  return Array.from({ length: Math.max(1, Math.floor(processes / 2)) }, () => new TwiceRunner())
}

/** One plan after the other. Without a seed, one begins where nobody has been before: at the time. */
function plansFor(flags: SimulateFlags, elapsedMs: () => number): () => Plan | undefined {
  const { seeds, seed } = flags
  const plan = flags.plan === undefined ? undefined : loadPlan(flags.plan)
  const isAlone = plan !== undefined || (seed !== undefined && seeds === undefined && flags.for === undefined)
  const most = isAlone ? 1 : (seeds ?? Number.POSITIVE_INFINITY)
  const first = seed ?? Date.now()
  let begun = 0
  return () => {
    if (begun >= most || elapsedMs() >= (flags.for ?? Number.POSITIVE_INFINITY)) return undefined
    begun++
    return plan ?? generatePlan(first + begun - 1)
  }
}

/** The first signal ends the work, and what there is by then is printed; a second one ends the process. */
function onSignal(stop: () => void): () => void {
  let signals = 0
  const take = () => {
    signals++
    if (signals > 1) process.exit(EXIT_IMPATIENT)
    stop()
  }
  process.on('SIGINT', take)
  process.on('SIGTERM', take)
  return () => {
    process.off('SIGINT', take)
    process.off('SIGTERM', take)
  }
}

/** Called by the launcher (bin/loch.mjs). Exits explicitly: after the end nothing is worth waiting for. */
export async function runAndExit(words: readonly string[]): Promise<never> {
  process.exit(await main(words))
}
