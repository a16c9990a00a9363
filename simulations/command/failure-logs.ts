/**
 * What failures leave behind: a run log of each, for `loch replay`. A campaign does not record, which would cost every seed;
 * a run is a function of its plan, so the failed ones are run once more, in a process of their own since they may crash.
 */
import type { Output } from '../../runtime/control/output.ts'
import type { Plan } from '../plan/plan.ts'
import { WorkerProcess } from './worker-process.ts'

export interface FailedPlan {
  readonly plan: Plan
  /** The file that its log goes to. */
  readonly log: string
}

/** With --keep-going: beyond this they all have the same cause. */
const LOGS_MAX = 10

export async function leaveLogs(
  failed: readonly FailedPlan[],
  output: Output,
  worker = new WorkerProcess(),
): Promise<void> {
  for (const { plan, log } of failed.slice(0, LOGS_MAX)) {
    const answer = await worker.run({ plan, withDigest: false, log })
    // What it wrote before it ended can be read all the same.
    if (answer.kind === 'crash') output.complain(`${log} may not be whole: ${answer.words}`)
  }
  worker.stop()
}
