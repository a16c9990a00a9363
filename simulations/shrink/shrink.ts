/**
 * Shrinks a failing plan: fewer faults and edits first, since they cost most to understand, then whatever else may be simpler. The result
 * fails with the same kind of violation. Nothing is drawn: a plan and a budget lead to the same result every time.
 */
import type { Edit } from '../fork/edit.ts'
import type { Plan } from '../plan/plan.ts'
import { type Attempt, Attempts, BUDGET, type Budget, type Run } from './attempts.ts'
import { minimize } from './minimize.ts'
import { SIMPLIFICATIONS } from './simplifications.ts'

export interface ShrinkOptions {
  readonly plan: Plan
  /** How `plan` fails. */
  readonly violation: string
  readonly run: Run
  readonly budget?: Partial<Budget>
  readonly progress?: (attempt: Attempt) => void
}

export interface Shrunk {
  readonly plan: Plan
  /** How it fails now. */
  readonly violation: string
  readonly runs: number
  /** False if the budget was spent, or it was given up, before nothing could be simpler. */
  readonly isComplete: boolean
}

export async function shrink({ plan, violation, run, budget, progress = () => {} }: ShrinkOptions): Promise<Shrunk> {
  const attempts = new Attempts(plan, violation, run, { ...BUDGET, ...budget }, progress)
  for (let before: Plan | undefined; before !== attempts.best && !attempts.isSpent; ) {
    before = attempts.best
    await dropFaults(attempts)
    await dropEdits(attempts)
    await simplify(attempts)
  }
  return { plan: attempts.best, violation: attempts.violation, runs: attempts.runs, isComplete: !attempts.isSpent }
}

async function dropFaults(attempts: Attempts): Promise<void> {
  const plan = attempts.best
  await minimize(plan.faults, (faults) => attempts.fails({ ...plan, faults }, `${faults.length} faults`))
}

async function dropEdits(attempts: Attempts): Promise<void> {
  const { edits = [], ...unedited } = attempts.best
  const planOf = (some: readonly Edit[]): Plan => (some.length === 0 ? unedited : { ...unedited, edits: some })
  await minimize(edits, (some) => attempts.fails(planOf(some), `${some.length} edits`))
}

/** Each respect as far as it goes, before the next. */
async function simplify(attempts: Attempts): Promise<void> {
  for (const { about, offers } of SIMPLIFICATIONS) {
    while (await takeFirst(attempts, about, offers(attempts.best)));
  }
}

async function takeFirst(attempts: Attempts, about: string, offers: readonly Plan[]): Promise<boolean> {
  for (const offer of offers) {
    if (attempts.isSpent) return false
    // One that was the best before is known to fail, and going back to it would never end.
    if ((await attempts.fails(offer, about)) && attempts.best === offer) return true
  }
  return false
}
