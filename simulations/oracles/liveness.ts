/**
 * Once faults have ended for good, service must come back within a bound, or the run says who waits for what. While faults
 * strike nothing is asked of it: a Loch that does not serve then is unlucky, not wrong.
 */
import type { SimCluster } from '../cluster/sim-cluster.ts'
import { WORLD } from '../kernel/kernel.ts'
import { whoWaits } from '../run/who-waits.ts'
import { Violated } from './violated.ts'

/** After the last fault: elections, an attach, recovery, and the longest backoffs on the way. */
export const RECOVERY_MS_MAX = 120_000
const AUDIT_AGAIN_MS = 500
/** Of the last look: a register may cost a request to the store, which takes this long in the mean where the store is far and its line bad. */
const AUDIT_MS_A_KEY_MAX = 500

/** Runs until every client could have been answered once; throws if that takes too long. Returns the moment until which it may. */
export async function awaitService(cluster: SimCluster, clients: number): Promise<number> {
  const { kernel, ledger } = cluster
  const answers = () => ledger.counts.acknowledgedReads + ledger.counts.acknowledgedWrites
  const wanted = answers() + clients
  const deadline = kernel.nowMs + RECOVERY_MS_MAX
  await kernel.run(deadline, () => answers() >= wanted)
  if (answers() < wanted)
    throw new Violated(`no service within ${RECOVERY_MS_MAX} ms after the last fault: ${whoWaits(cluster)}`)
  return deadline
}

/** How long the last look at so many registers may take. It is no service that is promised: it must only come to an end. */
export function auditMsMax(keys: number): number {
  return RECOVERY_MS_MAX + keys * AUDIT_MS_A_KEY_MAX
}

/** Whatever was acknowledged is looked at once more. */
export async function audit(cluster: SimCluster, deadline: number): Promise<void> {
  const { kernel, workload } = cluster
  let isDone = false
  const attempt = () => {
    const { server } = cluster
    const again = () => void kernel.after(WORLD, AUDIT_AGAIN_MS, attempt)
    if (!server?.isServing) return again()
    workload.audit(server).then(() => {
      isDone = true
    }, again)
  }
  attempt()
  await kernel.run(deadline, () => isDone)
  if (!isDone) throw new Violated(`the last look at all registers was not answered: ${whoWaits(cluster)}`)
}
