/** Which plans a campaign runs, by its flags. */
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { loadPlan } from './files.ts'
import type { SimulateFlags } from './flags.ts'

/** One plan after the other. Without a seed, one begins where nobody has been before: at the time. */
export function plansFor(flags: SimulateFlags, elapsedMs: () => number): () => Plan | undefined {
  const { seeds, seed } = flags
  const plan = flags.plan === undefined ? undefined : loadPlan(flags.plan)
  const isAlone = plan !== undefined || (seed !== undefined && seeds === undefined && flags.for === undefined)
  const most = isAlone ? 1 : (seeds ?? Number.POSITIVE_INFINITY)
  const first = seed ?? Date.now()
  let begun = 0
  return () => {
    if (
      begun >= most ||
      first + begun > Number.MAX_SAFE_INTEGER ||
      elapsedMs() >= (flags.for ?? Number.POSITIVE_INFINITY)
    )
      return undefined
    begun++
    return plan ?? generatePlan(first + begun - 1)
  }
}
