/**
 * What a fork does with faults. They stand in the plan by their moments, so that one can be dropped, changed and added there;
 * before what an actor takes, which has no moment that could be told beforehand, one is an edit.
 */
import { BadArgument } from '../../runtime/errors.ts'
import type { RunLog } from '../../runtime/replay/open-log.ts'
import { tellsTime } from '../../runtime/replay/places.ts'
import type { Fault } from '../faults/fault.ts'
import { neverStrikes, type Plan } from '../plan/plan.ts'
import type { Edit, Fields } from './edit.ts'
import { checkChange, checkIntake, refuse } from './refusals.ts'

/** Of a fault that was recorded. */
export type FaultAlteration = { readonly kind: 'drop' } | { readonly kind: 'change'; readonly fields: Fields }

export function strikeBefore(log: RunLog, place: number, plan: Plan, what: Fields): Edit {
  const event = log.event(place)
  checkIntake(event)
  checkFault(log, place, plan, what)
  return { kind: 'strike', actor: event.source, id: event.id, fault: { ...what, atMs: 0 } as unknown as Fault }
}

export function withFaultBefore(log: RunLog, place: number, plan: Plan, what: Fields): Plan {
  checkFault(log, place, plan, what)
  return withMore(plan, { ...what, atMs: momentOf(log, place) } as unknown as Fault)
}

function checkFault(log: RunLog, place: number, plan: Plan, what: Fields): void {
  const bad = (problem: string, remedy: string) =>
    new BadArgument({ component: '--insert', value: JSON.stringify(what), problem, remedy })
  if (!Object.hasOwn(what, 'kind')) {
    throw bad('only a fault goes before a fault', 'Write one with its kind, or choose an event that an actor took.')
  }
  if (Object.hasOwn(what, 'atMs')) throw bad('it strikes where --at says', 'Leave atMs out.')
  if (!neverStrikes(plan, { atMs: momentOf(log, place) })) return
  const remedy = `Choose an event of the first ${plan.durationMs} ms.`
  throw refuse(log.event(place), 'no fault strikes any more by then', remedy)
}

/** Faults stand in the plan, in the order of their moments and so in that in which they struck. */
export function withFault(log: RunLog, place: number, plan: Plan, alteration: FaultAlteration): Plan {
  const { type, payload } = log.event(place)
  const atMs = momentOf(log, place)
  const recorded = JSON.stringify({ kind: type, ...payload })
  const number = plan.faults.findIndex(({ kind, ...fields }) => JSON.stringify({ kind, ...fields }) === recorded)
  if (number < 0) throw refuse(log.event(place), 'an edit of the plan made this fault', 'Fork the log without it.')
  const others = { ...plan, faults: plan.faults.toSpliced(number, 1) }
  if (alteration.kind === 'drop') return others
  checkChange({ ...plan.faults[number]! }, alteration.fields)
  const instead = { ...plan.faults[number]!, ...alteration.fields } as Fault
  if (instead.atMs >= atMs && !neverStrikes(plan, instead)) return withMore(others, instead)
  const remedy = `Write a moment from ${atMs} to before ${plan.durationMs}.`
  throw new BadArgument({
    component: '--change',
    value: `atMs ${instead.atMs}`,
    problem: 'it cannot strike then',
    remedy,
  })
}

/** Since the beginning of the run, as the world counts: what an actor takes has the time of a clock that may be set wrong. */
function momentOf(log: RunLog, place: number): number {
  let told = place
  while (told > 0 && !tellsTime(log, told)) told--
  return Math.max(0, log.event(told).at - log.header.startedAt)
}

function withMore(plan: Plan, fault: Fault): Plan {
  return { ...plan, faults: [...plan.faults, fault].sort((left, right) => left.atMs - right.atMs) }
}
