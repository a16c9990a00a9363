/** One run with what it was asked to leave: its log while it goes on, and its page when it has ended. */
import type { Output } from '../../runtime/control/output.ts'
import { pageOf } from '../../runtime/replay/page/page.ts'
import type { Plan } from '../plan/plan.ts'
import { Recorder } from '../report/recorder.ts'
import { SimulationLog } from '../report/simulation-log.ts'
import { commandsFor } from './failure-text.ts'
import { LogFile, save } from './files.ts'
import type { SimulateFlags } from './flags.ts'
import { type OneRun, runOne } from './one-run.ts'

export interface RecordedRun extends OneRun {
  readonly elapsedMs: number
  /** Of the processor. */
  readonly cpuMs: number
}

/** @throws BadArgument for a file that cannot be written, before the run if that can be known by then */
export async function runRecorded(plan: Plan, flags: SimulateFlags, output: Output): Promise<RecordedRun> {
  const recorder = flags.report === undefined ? undefined : new Recorder(plan)
  if (flags.report !== undefined) save('--report', flags.report, '')
  const file = flags.log === undefined ? undefined : new LogFile('--log', flags.log)
  const log = file && new SimulationLog(plan, file.write)
  file?.check()
  const beganMs = performance.now()
  const cpuBefore = process.cpuUsage()
  const run = await runOne(plan, output, [recorder, log])
  const { user, system } = process.cpuUsage(cpuBefore)
  const elapsedMs = performance.now() - beganMs
  log?.end(run.outcome)
  file?.close()
  if (flags.report !== undefined) {
    const command = commandsFor(plan, { file: flags.plan, log: undefined, twice: false })[0]!
    save('--report', flags.report, pageOf(recorder!.shown(run.outcome, run.digest, command)))
  }
  return { ...run, elapsedMs, cpuMs: (user + system) / 1000 }
}
