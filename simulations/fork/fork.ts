/**
 * A fork: the plan of a recorded run with one thing about it changed at one of its events. What the log says of the event
 * becomes an edit (edit.ts; for faults fork-faults.ts). All else of the plan stays, so that the run is the same until there. Reading the log only; nothing is run here.
 */
import { KINDS, type RunEvent } from '../../events/run-log.ts'
import { BadArgument, Damaged } from '../../runtime/errors.ts'
import type { RunLog } from '../../runtime/replay/open-log.ts'
import { parsePlace } from '../../runtime/replay/places.ts'
import { type Plan, withEdits } from '../plan/plan.ts'
import { checkPlan } from '../plan/read.ts'
import { PLAN_NOTE } from '../report/simulation-log.ts'
import { type Edit, type Fields, whyNotToBeTold } from './edit.ts'
import { type FaultAlteration, strikeBefore, withFault, withFaultBefore } from './fork-faults.ts'
import { checkChange, checkIntake, HINT, refuse } from './refusals.ts'

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

/** @throws BadArgument; Damaged if not all before the event can be read */
export function forkOf(log: RunLog, at: string, alteration: Alteration): Fork {
  const from = planIn(log)
  const place = parsePlace(log, at, '--at')
  checkWhole(log, place)
  return { from, place, plan: checkPlan(altered(log, place, from, alteration)) }
}

function altered(log: RunLog, place: number, from: Plan, alteration: Alteration): Plan {
  const event = log.event(place)
  if (alteration.kind === 'insert' && (event.kind === 'fault' || 'kind' in alteration.what)) {
    const { what } = alteration
    return event.kind === 'took'
      ? withEdits(from, strikeBefore(log, place, from, what))
      : withFaultBefore(log, place, from, what)
  }
  if (event.kind === 'fault') return withFault(log, place, from, alteration as FaultAlteration)
  return withEdits(from, event.kind === 'message' ? lossOf(log, place, alteration) : editOf(event, alteration))
}

/** What is lost cannot be compared with what today's code comes to. */
function checkWhole(log: RunLog, place: number): void {
  if (log.lastDamageEnd(place) === 0) return
  const { offset, end, problem } = log.damages[0]!
  const what = end > offset ? `bytes ${offset} to ${end} cannot be read` : problem
  throw damaged(log, `it is damaged before the event: ${what}`, 'Choose an earlier event, or write')
}

function damaged({ source }: RunLog, problem: string, remedy: string): Damaged {
  return new Damaged({
    component: '--fork',
    value: source.name,
    problem,
    remedy: `${remedy} the log anew with \`loch simulate --log\`.`,
  })
}

/** @throws BadArgument if the log is not of a simulation; Damaged if nobody can tell */
function planIn(log: RunLog): Plan {
  if (log.damages[0]?.offset === 0)
    throw damaged(log, 'its header is damaged, so its seed is lost', 'Copy it again, or write')
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
  checkIntake(event)
  const { source: actor, id, payload, type } = event
  if (alteration.kind === 'drop') return { kind: 'drop', actor, id }
  if (alteration.kind === 'change') {
    checkChange({ ...payload, type }, alteration.fields)
    checkTold(actor, { ...payload, type, ...alteration.fields }, '--change')
    return { kind: 'change', actor, id, fields: alteration.fields }
  }
  const { what } = alteration
  checkTold(actor, what, '--insert')
  return { kind: 'insert', actor, id, event: what as Fields & { type: string } }
}

function checkTold(actor: string, event: Fields, flag: string): void {
  const problem = whyNotToBeTold(actor, event)
  if (problem === undefined) return
  const remedy = `Write one of the messages in events/${actor.split('.', 1)[0]}.ts, with all its fields.`
  throw new BadArgument({ component: flag, value: JSON.stringify(event), problem, remedy })
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
