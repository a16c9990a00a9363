/**
 * What a fork does with faults: one of the plan is spared, one is added, and to change one is both. One that is put before what an
 * actor takes strikes when that is taken, at whatever moment.
 */
import { BadArgument } from '../../runtime/errors.ts'
import type { RunLog } from '../../runtime/replay/open-log.ts'
import { tellsTime } from '../../runtime/replay/places.ts'
import type { Fault } from '../faults/fault.ts'
import { neverStrikes, type Plan, withEdits } from '../plan/plan.ts'
import type { Edit, Fields } from './edit.ts'
import { checkChange, checkIntake, refuse } from './refusals.ts'
import { isSameFault } from './same-fault.ts'

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
  return withEdits(plan, { kind: 'add', fault: { ...what, atMs: momentOf(log, place) } as unknown as Fault })
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

/** One that was recorded does not strike, or another one does instead. */
export function withFault(log: RunLog, place: number, plan: Plan, alteration: FaultAlteration): Plan {
  const { type, payload } = log.event(place)
  const recorded = { kind: type, ...payload } as unknown as Fault
  const spared = without(plan, recorded)
  if (spared === undefined)
    throw refuse(log.event(place), 'it struck at what an actor took', 'Fork the log without it.')
  if (alteration.kind === 'drop') return spared
  checkChange({ ...recorded }, alteration.fields)
  const instead = { ...recorded, ...alteration.fields } as Fault
  checkMoment(instead, momentOf(log, place), plan)
  return withEdits(spared, { kind: 'add', fault: instead })
}

/** Undefined if neither the plan nor its edits have such a fault. */
function without(plan: Plan, fault: Fault): Plan | undefined {
  const { edits = [] } = plan
  const added = edits.findIndex((edit) => edit.kind === 'add' && isSameFault(edit.fault, fault))
  if (added >= 0) return { ...plan, edits: edits.toSpliced(added, 1) }
  if (!plan.faults.some((one) => isSameFault(one, fault))) return undefined
  return withEdits(plan, { kind: 'spare', fault })
}

function checkMoment(fault: Fault, fromMs: number, plan: Plan): void {
  if (fault.atMs >= fromMs && !neverStrikes(plan, fault)) return
  throw new BadArgument({
    component: '--change',
    value: `atMs ${fault.atMs}`,
    problem: 'it cannot strike then',
    remedy: `Write a moment from ${fromMs} to before ${plan.durationMs}.`,
  })
}

/** Since the beginning of the run, as the world counts: what an actor takes has the time of a clock that may be set wrong. */
function momentOf(log: RunLog, place: number): number {
  let told = place
  while (told > 0 && !tellsTime(log, told)) told--
  return Math.max(0, log.event(told).at - log.header.startedAt)
}
