/**
 * A fork: the plan of a recorded run with one thing about it changed at one of its events. What the log says of the event
 * becomes an edit (edit.ts) or, for a fault, a change of the plan itself. Reading the log only; nothing is run here.
 */
import { KINDS, type RunEvent } from '../../events/run-log.ts'
import { BadArgument } from '../../runtime/errors.ts'
import type { RunLog } from '../../runtime/replay/open-log.ts'
import { parsePlace, tellsTime } from '../../runtime/replay/places.ts'
import type { Fault } from '../faults/fault.ts'
import type { Plan } from '../plan/plan.ts'
import { checkPlan } from '../plan/read.ts'
import { PLAN_NOTE } from '../report/simulation-log.ts'
import { type Edit, type Fields, whyNotToBeChanged, whyNotToBeTold } from './edit.ts'

export type Alteration =
  | { readonly kind: 'drop' }
  /** Other values of some fields of the message or fault. */
  | { readonly kind: 'change'; readonly fields: Fields }
  /** A message with a `type`, or a fault with a `kind`, before the event. */
  | { readonly kind: 'insert'; readonly what: Fields }

export interface Fork {
  /** Of the run that was recorded. */
  readonly from: Plan
  readonly plan: Plan
  /** Place of the event in the log. */
  readonly place: number
}

/** @throws BadArgument */
export function forkOf(log: RunLog, at: string, alteration: Alteration): Fork {
  const from = planIn(log)
  const place = parsePlace(log, at, '--at')
  return { from, place, plan: checkPlan(altered(log, place, from, alteration)) }
}

function altered(log: RunLog, place: number, from: Plan, alteration: Alteration): Plan {
  const event = log.event(place)
  if (alteration.kind === 'insert' && 'kind' in alteration.what) checkStrikes(log, place, from)
  if (event.kind === 'fault') return withFault(log, place, from, alteration)
  if (alteration.kind === 'insert' && 'kind' in alteration.what && event.kind !== 'took') {
    return withMore(from, { ...alteration.what, atMs: momentOf(log, place) } as Fault)
  }
  const edit = event.kind === 'message' ? lossOf(log, place, alteration) : editOf(event, alteration)
  return { ...from, edits: [...(from.edits ?? []), edit] }
}

function checkStrikes(log: RunLog, place: number, { durationMs }: Plan): void {
  if (momentOf(log, place) < durationMs) return
  throw refuse(log.event(place), 'no fault strikes any more by then', `Choose an event of the first ${durationMs} ms.`)
}

/** @throws BadArgument if the log is not of a simulation */
function planIn(log: RunLog): Plan {
  for (let place = 0; place < log.length; place++) {
    const event = log.event(place)
    if (event.kind === 'note' && event.type === PLAN_NOTE) return checkPlan(event.payload)
  }
  const problem =
    log.header.kind === 'production' ? 'this is a log of production' : 'its beginning, with the plan, is lost'
  const remedy = 'Name the log of a simulation, as `loch simulate --log FILE` writes it: only that can be run again.'
  throw new BadArgument({ component: '--fork', value: log.source.name, problem, remedy })
}

function editOf(event: RunEvent, alteration: Alteration): Edit {
  const { source: actor, id, kind, payload, type } = event
  if (kind !== 'took' || actor.startsWith('safekeeper.')) {
    throw refuse(event, 'what happens there is not a message that an actor takes from its queue', HINT)
  }
  if (alteration.kind === 'drop') return { kind: 'drop', actor, id }
  if (alteration.kind === 'change') {
    checkChange({ ...payload, type }, alteration.fields)
    checkTold(actor, { ...payload, type, ...alteration.fields }, '--change')
    return { kind: 'change', actor, id, fields: alteration.fields }
  }
  const { what } = alteration
  if ('kind' in what) return { kind: 'strike', actor, id, fault: { atMs: 0, ...what } as unknown as Fault }
  checkTold(actor, what, '--insert')
  return { kind: 'insert', actor, id, event: what as Fields & { type: string } }
}

const HINT = 'Choose an event of kind `took` of a zone, timeline, endpoint or compute, a `message` or a `fault`.'

function checkTold(actor: string, event: Fields, flag: string): void {
  const problem = whyNotToBeTold(actor, event)
  if (problem === undefined) return
  const remedy = `Write one of the messages in events/${actor.split('.', 1)[0]}.ts, with all its fields.`
  throw new BadArgument({ component: flag, value: JSON.stringify(event), problem, remedy })
}

/** A fork that is the run as it was answers another question than the one that was asked. */
function checkChange(before: Fields, fields: Fields): void {
  const isSame = Object.entries(fields).every(([name, value]) => JSON.stringify(before[name]) === JSON.stringify(value))
  const problem = whyNotToBeChanged(fields) ?? (isSame ? 'it is like that already' : undefined)
  if (problem === undefined) return
  const remedy = `Write other values for some of ${Object.keys(before).join(', ')}.`
  throw new BadArgument({ component: '--change', value: JSON.stringify(fields), problem, remedy })
}

/** Bytes stand in no log, so a message can be lost and not changed. */
function lossOf(log: RunLog, place: number, { kind }: Alteration): Edit {
  const { table } = log
  const message = log.event(place)
  if (kind !== 'drop') throw refuse(message, 'of a message only length and checksum are known', `Drop it, or: ${HINT}`)
  const { source: from, type: subject } = message
  const to = String(message.payload['to'])
  let number = 0
  for (let before = 0; before <= place; before++) {
    if (table.kind[before] !== MESSAGE || table.source[before] !== table.source[place]) continue
    if (table.type[before] === table.type[place] && log.event(before).payload['to'] === to) number++
  }
  return { kind: 'lose', from, to, subject, number }
}

const MESSAGE = KINDS.indexOf('message')

/** Faults stand in the plan, in the order of their moments and so in that in which they struck. */
function withFault(log: RunLog, place: number, plan: Plan, alteration: Alteration): Plan {
  const { type, payload } = log.event(place)
  const atMs = momentOf(log, place)
  const recorded = JSON.stringify({ kind: type, ...payload })
  const number = plan.faults.findIndex(({ kind, ...fields }) => JSON.stringify({ kind, ...fields }) === recorded)
  if (alteration.kind === 'insert') return withMore(plan, { atMs, ...alteration.what } as unknown as Fault)
  if (number < 0) throw refuse(log.event(place), 'an edit of the plan made this fault', 'Fork the log without it.')
  const { kind } = alteration
  if (kind === 'change') checkChange({ ...plan.faults[number]! }, alteration.fields)
  const others = { ...plan, faults: plan.faults.toSpliced(number, 1) }
  if (kind === 'drop') return others
  const instead = { ...plan.faults[number]!, ...alteration.fields } as Fault
  if (instead.atMs >= atMs && instead.atMs < plan.durationMs) return withMore(others, instead)
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

function refuse({ sequence, type, kind }: RunEvent, problem: string, remedy: string): BadArgument {
  return new BadArgument({ component: '--at', value: `${sequence}, ${kind} ${type}`, problem, remedy })
}
