/**
 * One run, told of while it goes on: its plan, then faults, what zones report and who serves, each with its moment, and the
 * outcome. It runs in this very process, so that a debugger finds it here.
 */
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import type { Output } from '../../runtime/control/output.ts'
import { describeFault, describePlan, moment } from '../plan/describe.ts'
import type { Plan } from '../plan/plan.ts'
import { Digest } from '../run/digest.ts'
import type { RunEvent, RunObserver } from '../run/observer.ts'
import type { Outcome } from '../run/run.ts'
import { indent } from './failure-text.ts'
import { runGuarded } from './guarded-run.ts'

export interface OneRun {
  readonly outcome: Outcome
  readonly digest: string
}

/** `observers` see what is told, and more. */
export async function runOne(
  plan: Plan,
  output: Output,
  observers: ReadonlyArray<RunObserver | undefined>,
): Promise<OneRun> {
  useChecksum((bytes, before) => crc32(bytes, before))
  if (!output.json) output.text(`seed ${plan.seed}\n${indent(describePlan(plan))}\n\n`)
  const digest = new Digest()
  const teller = { observe: (event: RunEvent) => tell(event, plan, output) }
  const outcome = await runGuarded(plan, [digest, teller, ...observers.filter((one) => one !== undefined)])
  return { outcome, digest: digest.value }
}

export function describeOutcome({ outcome, digest }: OneRun, elapsedMs: number): string {
  const { violation, simulatedMs, steps, commits, servings, lastDraw } = outcome
  return [
    violation === undefined ? 'all held' : 'FAILED',
    `${(simulatedMs / 1000).toFixed(1)} s simulated in ${(elapsedMs / 1000).toFixed(1)} s`,
    `${steps} events`,
    `${commits} commits`,
    `${servings} servings`,
    `last draw ${lastDraw}`,
    `digest ${digest}`,
  ].join(' · ')
}

function tell({ kind, lane, text, atMs }: RunEvent, plan: Plan, output: Output): void {
  if (output.json) return
  const say = (what: string, line: string) => output.line(`${moment(atMs)}  ${what.padEnd(8)} ${line}`)
  // Faults come as events of their own, which say more.
  if (kind === 'report' && !['FAULT', 'WORLD'].includes(lane)) say(lane, text)
  if (kind === 'serving') say(lane, text)
  if (kind === 'fault') say('fault', describeFault(JSON.parse(text), plan.zones))
  if (kind === 'heal') say('heal', text)
}
