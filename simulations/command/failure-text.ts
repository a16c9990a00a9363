/** A failure as people see it: what was violated, what had happened before, and which commands show it again. */
import { describeFaults, describePlan } from '../plan/describe.ts'
import type { Plan } from '../plan/plan.ts'
import type { Failure } from './tally.ts'

/** Of faults; the commands show them all. */
const FAULTS_SHOWN_MAX = 60

/** The run log that a failure leaves; a plan from a file is not that of its seed. */
export function failureLog({ seed }: Plan, file: string | undefined): string {
  return file === undefined ? `loch-seed-${seed}.loch` : `loch-plan-${seed}.loch`
}

/** How to run a plan again that came from a seed, or from `file`. */
export function commandsFor(plan: Plan, file: string | undefined, twice: boolean, log: string): readonly string[] {
  const { seed } = plan
  const which = file === undefined ? `--seed ${seed}` : `--plan ${quote(file)}`
  const name = file === undefined ? `seed-${seed}` : `plan-${seed}`
  const twiceAgain = `npx loch simulate ${which}${file === undefined ? ' --seeds 1' : ''} --check-determinism`
  return [
    `npx loch simulate ${which}`,
    `npx loch simulate ${which} --report ${name}.html`,
    ...(twice ? [twiceAgain] : []),
    `npx loch replay ${quote(log)}`,
  ]
}

export function describeFailure(failure: Failure, plan: Plan): string {
  const faults = describeFaults(plan)
  const more = faults.length - FAULTS_SHOWN_MAX
  return [
    `FAILED: seed ${failure.seed}`,
    indent(failure.violation),
    ' plan:',
    indent(describePlan(plan)),
    ' faults:',
    ...(faults.length === 0 ? ['  none'] : faults.slice(0, FAULTS_SHOWN_MAX).map((line) => `  ${line}`)),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ' show it:',
    ...failure.commands.map((line) => `  ${line}`),
  ].join('\n')
}

export function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}

/** For a shell. */
function quote(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
