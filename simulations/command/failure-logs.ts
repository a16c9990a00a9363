/**
 * What failures leave behind: a run log of each, for `loch replay`. A campaign does not record, which would cost every seed;
 * a run is a function of its plan, so the failed ones are run once more, in a process of their own since they may crash.
 */
import type { Output } from '../../runtime/control/output.ts'
import type { Plan } from '../plan/plan.ts'
import { WorkerProcess } from './worker-process.ts'

/** Runs a plan and writes its log to a file. Never rejects; in words, why the log may not be whole. */
export type LogRun = (plan: Plan, log: string) => Promise<string | undefined>

/** With --keep-going: beyond this they all have the same cause. Whatever was explained has a log as well. */
export const LOGS_MAX = 10

export interface LoggedFailure {
  readonly plan: Plan
  /** Its file. */
  readonly log: string
}

export async function logInProcess(plan: Plan, log: string, worker = new WorkerProcess()): Promise<string | undefined> {
  const answer = await worker.run({ plan, withDigest: false, log })
  worker.stop()
  return answer.kind === 'crash' ? answer.words : undefined
}

export async function leaveLogs(
  failures: Iterable<LoggedFailure>,
  { output, logRun }: { readonly output: Output; readonly logRun: LogRun },
): Promise<void> {
  for (const { plan, log } of failures) {
    const problem = await logRun(plan, log)
    // What it wrote before it ended can be read all the same.
    if (problem !== undefined) output.complain(`${log} may not be whole: ${problem}`)
  }
}
