/** A failure as people see it: what was violated, what had happened before, and which commands show it again. */
import { describeFault, describeFaults, describePlan, moment } from '../plan/describe.ts'
import { editsFaults, type Plan } from '../plan/plan.ts'
import type { Explanation } from './explain.ts'
import type { Failure } from './tally.ts'

/** Of faults; the commands show them all. */
const FAULTS_SHOWN_MAX = 60

export interface Shown {
  /** Where the plan stands; without, it is that of its seed. */
  readonly file: string | undefined
  /** The run log that the failure leaves, if it does. */
  readonly log: string | undefined
  /** With --check-determinism. */
  readonly twice: boolean
}

/** How to see a failure again. */
export function commandsFor({ seed }: Plan, { file, log, twice }: Shown): readonly string[] {
  const which = file === undefined ? `--seed ${seed}` : `--plan ${quote(file)}`
  const name = file === undefined ? `loch-seed-${seed}` : file.replace(/\.json$/, '')
  const twiceAgain = `npx loch simulate ${which}${file === undefined ? ' --seeds 1' : ''} --check-determinism`
  return [
    `npx loch simulate ${which}`,
    `npx loch simulate ${which} --report ${quote(`${name}.html`)}`,
    ...(twice ? [twiceAgain] : []),
    ...(log === undefined ? [] : [`npx loch replay ${quote(log)}`]),
  ]
}

/** What is known as soon as it has failed. */
export function describeViolation({ seed, violation }: Failure): string {
  return `FAILED: seed ${seed}\n${indent(violation)}`
}

/** Its plan as it is, if nobody has looked for a shorter one. */
export function describePlanOf(failure: Failure, plan: Plan): string {
  return [...planLines(plan), ' show it:', ...failure.commands.map((line) => `  ${line}`)].join('\n')
}

const FOUND: Readonly<Record<Explanation['found'], string>> = {
  shortest: 'the shortest plan that fails alike',
  shorter: 'the shortest plan found until the search was ended',
  'not-repeated': 'run again it held, so its plan alone is not what makes it fail',
}

/** `failure` has the commands that show the explanation's plan; `file` is where that was saved. */
export function describeExplanation(failure: Failure, explanation: Explanation, file: string | undefined): string {
  const { plan, found, runs, violation } = explanation
  const faults = `${plan.faults.length} of ${failure.faults.length} faults`
  return [
    `seed ${failure.seed}: ${FOUND[found]} (${faults}, ${runs} ${runs === 1 ? 'run' : 'runs'})`,
    ...(violation === failure.violation ? [] : [indent(violation)]),
    ...planLines(plan),
    ...causeLines(explanation),
    ...(file === undefined ? [] : [' saved:', `  ${file}`]),
    ' show it:',
    ...failure.commands.map((line) => `  ${line}`),
  ].join('\n')
}

function planLines(plan: Plan): readonly string[] {
  const faults = describeFaults(plan)
  const more = faults.length - FAULTS_SHOWN_MAX
  return [
    ' plan:',
    indent(describePlan(plan)),
    ' faults:',
    ...(faults.length === 0 ? ['  none'] : faults.slice(0, FAULTS_SHOWN_MAX).map((line) => `  ${line}`)),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}

const OF_EDITED = 'not looked for: its faults are edited'

function causeLines({ plan, cause }: Explanation): readonly string[] {
  if (cause === 'unknown') return editsFaults(plan) ? [' cause:', `  ${OF_EDITED}`] : []
  if (cause === 'no-fault-needed') return [' cause:', '  it fails without any fault']
  if (cause === 'never-saved')
    return [' cause:', '  healed at any of the moments tried, it fails in this way or another']
  const { healedAtMs, tooLateAtMs, faults, isLast } = cause
  const lines = faults.map((fault) => [fault.atMs, describeFault(fault, plan.zones)] as const)
  return [
    ' cause: the last moment found at which healing all faults leaves nothing wrong',
    ...(isLast ? [] : ['  (the search ended before all later ones were tried)']),
    ...lines.filter(([atMs]) => atMs < healedAtMs).map(line),
    line([healedAtMs, 'healing all faults now avoids it']),
    ...lines.filter(([atMs]) => atMs >= healedAtMs).map(line),
    line([tooLateAtMs, 'healing all faults now comes too late']),
  ]
}

function line([atMs, what]: readonly [number, string]): string {
  return `${moment(atMs)}  ${what}`
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
