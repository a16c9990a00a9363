/**
 * When it was too late: the last moment of a plan at which healing the world would still have avoided its failure. What struck
 * then is where to look first. The moments are those of the plan's faults: healing at a moment means that neither its
 * faults nor later ones strike, and that what lasts ends.
 */
import type { Fault } from '../faults/fault.ts'
import type { Plan } from '../plan/plan.ts'
import { BUDGET, type Run } from './attempts.ts'
import { violationKind } from './violation-kind.ts'

export interface Cause {
  /** Healed then, the run holds. */
  readonly healedAtMs: number
  /** Healed then, it fails; it does so, too, if it is never healed before the plan's end. */
  readonly tooLateAtMs: number
  /** What struck in between. */
  readonly faults: readonly Fault[]
  /** True if healing at each of the later moments was tried as well, and failed. */
  readonly isLast: boolean
  readonly runs: number
}

export interface CauseOptions {
  /** Fails with `violation`. */
  readonly plan: Plan
  readonly violation: string
  readonly run: Run
  readonly runsMax?: number
}

/** Undefined if the run fails even without any fault. Rejects with `GivenUp` if `run` does: half a search tells nothing. */
export async function findCause({
  plan,
  violation,
  run,
  runsMax = BUDGET.runsMax,
}: CauseOptions): Promise<Cause | undefined> {
  const kind = violationKind(violation)
  const moments = [...new Set(plan.faults.map(({ atMs }) => atMs))].filter((atMs) => atMs < plan.durationMs)
  moments.sort((left, right) => left - right)
  const known = new Map<number, boolean>()
  const holds = async (at: number): Promise<boolean> => {
    const before = known.get(at)
    if (before !== undefined) return before
    const { violation: found } = await run(healedAt(plan, moments[at]!))
    const isHeld = found === undefined || violationKind(found) !== kind
    known.set(at, isHeld)
    return isHeld
  }
  if (moments.length === 0 || !(await holds(0))) return undefined
  let last = await bisect(moments.length, holds)
  // Bisection finds a moment after which it is too late; that there is none later is not said by that.
  let isLast = true
  for (let at = moments.length - 1; at > last; at--) {
    if (!known.has(at) && known.size >= runsMax) {
      isLast = false
      break
    }
    if (await holds(at)) last = at
  }
  const healedAtMs = moments[last]!
  const tooLateAtMs = moments[last + 1] ?? plan.durationMs
  const faults = plan.faults.filter(({ atMs }) => atMs >= healedAtMs && atMs < tooLateAtMs)
  return { healedAtMs, tooLateAtMs, faults, isLast, runs: known.size }
}

/** A moment that holds while the next does not; the first holds, and the one after the last does not. */
async function bisect(count: number, holds: (at: number) => Promise<boolean>): Promise<number> {
  let low = 0
  let high = count
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (await holds(middle)) low = middle
    else high = middle
  }
  return low
}

/** The plan as it is until `atMs`, when the world heals for good. */
export function healedAt(plan: Plan, atMs: number): Plan {
  return { ...plan, durationMs: atMs, faults: plan.faults.filter((fault) => fault.atMs < atMs) }
}
