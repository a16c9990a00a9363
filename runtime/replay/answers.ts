/**
 * What `loch replay` prints without a terminal: every question that the view answers, as lines for people or one JSON value a
 * line. Questions are asked of the cursor; nothing is found out here. What was asked for and does not exist is an error, so that
 * an exit code tells a script; what is left out because nobody asked for all of it is said on stderr.
 */
import type { Output } from '../control/output.ts'
import { BadArgument, Refused } from '../errors.ts'
import { missingCause } from './causes.ts'
import { type Difference, differences } from './changes.ts'
import type { Cursor, Direction } from './cursor.ts'
import { changed } from './event-fields.ts'
import { namesOfSource } from './filter.ts'
import { placeNamed } from './places.ts'
import { FILTERS, type Question } from './question.ts'
import { type Divergence, reExecute } from './re-execute.ts'
import { differenceLine, eventJson, rowHeading, rowOf, shorten, stateLines, UNCERTAIN } from './rows.ts'
import { mermaidDiagram, textDiagram } from './sequence-diagram.ts'

const LIMIT_DEFAULT = 100

interface Limit {
  readonly count: number
  /** By whoever asked the question; nobody else is told of what is left out, since it takes a look at all of it. */
  readonly isAsked: boolean
}

/** @throws BadArgument; Refused if what was asked for is not in the log, or re-execution diverges or decides nothing. */
export function answer(cursor: Cursor, question: Question, output: Output): void {
  const { at, back, until } = question
  cursor.show(question)
  if (question['re-execute']) {
    printReExecution(cursor, output)
    return
  }
  if (cursor.log.length === 0) throw nothing(cursor, 'the log holds no events', 'Choose another log.')
  cursor.seek(placeOf(cursor, at ?? (back ? 'last' : 'first')))
  const direction = back ? -1 : 1
  if (until !== undefined && !findFrom(cursor, until, direction)) {
    throw nothing(cursor, `no event ${back ? 'before' : 'from'} here on makes it true`, 'Check it with --print.', until)
  }
  ask(cursor, question, output, direction)
}

function ask(cursor: Cursor, question: Question, output: Output, direction: Direction): void {
  const { watch, print, state, diff, why, effects, query, diagram } = question
  const limit = limitOf(question)
  if (watch !== undefined) {
    printValues(cursor, question, watch, take(changes(cursor, watch, direction), limit, output), output)
  } else if (print !== undefined) {
    const all = { count: question.limit ?? Number.MAX_SAFE_INTEGER, isAsked: true }
    printValues(cursor, question, print, take(cursor.shown(direction), all, output), output)
  } else if (state !== undefined) printState(cursor, state, output)
  else if (diff !== undefined) printDiff(cursor, diff, question.actor, output)
  else if (why !== undefined) printWhy(cursor, placeOf(cursor, why), output)
  else if (effects !== undefined) printEffects(cursor, placeOf(cursor, effects), limit, output)
  else if (query !== undefined) printMatches(cursor, query, limit, output)
  else if (question.microsteps) printMicrosteps(cursor, output)
  else if (diagram !== undefined) printDiagram(cursor, diagram, take(cursor.shown(direction), limit, output), output)
  else if (printEvents(cursor, take(cursor.shown(direction), limit, output), output) === 0)
    throw nothingShown(cursor, question)
}

/** @throws Refused */
function placeOf(cursor: Cursor, text: string): number {
  const place = placeNamed(cursor.log, text)
  if (typeof place === 'number') return place
  throw nothing(cursor, place.problem, place.remedy, text)
}

/** Filters hide and never drop, so who sees nothing has asked for what is not there. */
function nothingShown({ log, states }: Cursor, question: Question): Refused {
  const given = FILTERS.filter((filter) => question[filter] !== undefined)
  const value = given.map((filter) => `--${filter} ${question[filter]}`).join(' ') || log.source.name
  const types = [...new Set(log.table.type.subarray(0, log.length))].map(log.name).sort()
  const known: Readonly<Record<string, () => string>> = {
    actor: () => `Actors with states are ${states.actors().join(', ') || 'none'}.`,
    type: () => `Types are ${types.join(', ')}.`,
  }
  const remedy = given.flatMap((filter) => known[filter]?.() ?? []).join(' ') || 'Begin elsewhere, or hide less.'
  return new Refused({ component: 'replay', value, problem: 'there is no such event from here on', remedy })
}

function limitOf({ limit, until }: Question): Limit {
  if (limit !== undefined) return { count: limit, isAsked: true }
  return until === undefined ? { count: LIMIT_DEFAULT, isAsked: false } : { count: 1, isAsked: true }
}

/** Here counts, too: whoever names no place begins at the first event. */
function findFrom(cursor: Cursor, until: string, direction: Direction): boolean {
  const holds = cursor.value(until, '--until')
  if (cursor.isShown(cursor.place) && holds(cursor.place)) return true
  return cursor.until(until, direction)
}

function* changes(cursor: Cursor, field: string, direction: Direction): Generator<number> {
  const isChanged = changed(cursor.value(field, '--watch'))
  for (const place of cursor.shown(direction)) if (isChanged(place)) yield place
}

/** The first ones; how many more there are is complained of. */
function* take<A>(found: Iterable<A>, { count, isAsked }: Limit, output: Output): Generator<A> {
  let seen = 0
  for (const one of found) {
    if (++seen <= count) yield one
    if (isAsked && seen >= count) return
  }
  if (seen > count) output.complain(`… ${seen - count} more, --limit shows them`)
}

/** Returns how many there were. */
function printEvents({ log }: Cursor, places: Iterable<number>, output: Output): number {
  let count = 0
  for (const place of places) {
    if (count++ === 0 && !output.json) output.line(rowHeading())
    output.line(output.json ? JSON.stringify(eventJson(log.event(place))) : rowOf(log, place))
  }
  return count
}

function printDiagram(cursor: Cursor, kind: 'text' | 'mermaid', found: Iterable<number>, output: Output): void {
  const places = [...found].sort((left, right) => left - right)
  const diagram = kind === 'mermaid' ? mermaidDiagram(cursor.log, places) : textDiagram(cursor.log, places)
  output.line(output.json ? JSON.stringify({ diagram }) : diagram)
}

function printValues(cursor: Cursor, question: Question, text: string, places: Iterable<number>, output: Output): void {
  const flag = question.watch === undefined ? '--print' : '--watch'
  const value = cursor.value(text, flag)
  let hasValue = false
  let isAsked = false
  for (const place of places) {
    const now = value(place)
    isAsked = true
    hasValue ||= now !== undefined
    const { sequence, at, type } = cursor.log.event(place)
    if (output.json) output.line(JSON.stringify({ sequence, at, value: now ?? null }))
    else
      output.line(
        `${String(sequence).padStart(8)}  ${new Date(at).toISOString().slice(11, 23)}  ${type.padEnd(22)}  ${now === undefined ? '-' : shorten(now)}`,
      )
  }
  if (hasValue) return
  if (!isAsked && question.watch === undefined) throw nothingShown(cursor, question)
  const problem = isAsked ? 'it never has a value here' : 'no event from here on changes it'
  throw new Refused({ component: flag, value: text, problem, remedy: '--state ACTOR shows what there is.' })
}

function printState(cursor: Cursor, actor: string, output: Output): void {
  const known = cursor.stateAt(actor)
  if (known === undefined) {
    const remedy = `Actors of this log: ${cursor.states.actors().join(', ') || 'none'}.`
    throw nothing(cursor, 'this actor has no state here, or is not in the log', remedy, actor)
  }
  const { source, snapshot, isCertain } = known
  const { sequence } = cursor.event
  if (output.json) {
    output.line(JSON.stringify({ sequence, actor: source, isCertain, ...snapshot }))
    return
  }
  output.line(`${source} after event ${sequence}${isCertain ? '' : UNCERTAIN}`)
  for (const line of stateLines(snapshot)) output.line(`  ${line}`)
}

function printDiff(cursor: Cursor, range: string, actors: string | undefined, output: Output): void {
  const [from, to, ...rest] = range.split('..')
  if (!from || !to || rest.length > 0) {
    const remedy = 'Write two places with two dots between, like 100..250 or 12:00:01..12:00:02.'
    throw new BadArgument({ component: '--diff', value: range, problem: 'these are not two places', remedy })
  }
  const found = diffOf(cursor, placeOf(cursor, from), placeOf(cursor, to), actors)
  for (const one of found) output.line(output.json ? JSON.stringify(one) : differenceLine(one))
  if (found.length === 0 && !output.json) output.line('No state of any actor differs.')
}

function diffOf(cursor: Cursor, from: number, to: number, actors: string | undefined): readonly Difference[] {
  if (actors === undefined) return cursor.diff(from, to)
  const wanted = actors.split(',').map((name) => name.trim())
  const found = cursor.states.actors().filter((actor) => namesOfSource(actor).some((name) => wanted.includes(name)))
  if (found.length > 0) return found.flatMap((actor) => cursor.diff(from, to, actor))
  throw nothing(cursor, 'no such actor has states', `Those that have: ${cursor.states.actors().join(', ')}.`, actors)
}

function printWhy(cursor: Cursor, place: number, output: Output): void {
  const { places, missing } = cursor.why(place)
  if (missing !== undefined && output.json) output.line(JSON.stringify({ missing }))
  printEvents(cursor, places, output)
  if (missing !== undefined && !output.json) output.complain(missingCause(missing))
}

function printEffects(cursor: Cursor, place: number, limit: Limit, output: Output): void {
  const { log } = cursor
  output.line(output.json ? JSON.stringify({ depth: 0, ...eventJson(log.event(place)) }) : rowOf(log, place))
  const found = cursor.effectsOf(place, limit.isAsked ? limit.count : undefined)
  for (const { place: one, depth } of take(found, limit, output)) {
    const shown = output.json
      ? JSON.stringify({ depth, ...eventJson(log.event(one)) })
      : `${'  '.repeat(depth)}└ ${rowOf(log, one).trimStart()}`
    output.line(shown)
  }
}

function printMatches(cursor: Cursor, query: string, limit: Limit, output: Output): void {
  let isTrue = false
  for (const { place, other } of take(cursor.query(query), limit, output)) {
    isTrue = true
    const event = cursor.log.event(place)
    const partner = other === undefined ? undefined : cursor.log.event(other).sequence
    const beside = partner === undefined ? '' : `  (${partner})`
    output.line(
      output.json
        ? JSON.stringify({ ...eventJson(event), other: partner ?? null })
        : `${rowOf(cursor.log, place)}${beside}`,
    )
  }
  if (!isTrue) throw nothing(cursor, 'this is true of no event', 'Nothing is wrong if none was expected.', query)
}

function printMicrosteps(cursor: Cursor, output: Output): void {
  const steps = cursor.microsteps()
  if (!output.json) output.line(rowOf(cursor.log, cursor.place))
  for (const [at, { type, snapshot, effects }] of steps.entries()) {
    const found = at === 0 ? [] : differences(steps[at - 1]!.snapshot, snapshot)
    if (output.json) {
      output.line(JSON.stringify({ microstep: at, type, differences: found, effects }))
      continue
    }
    output.line(`  ${at}  ${type}`)
    for (const one of found) output.line(`       ${differenceLine(one)}`)
    for (const effect of effects) output.line(`       effect ${shorten(effect)}`)
  }
}

function printReExecution(cursor: Cursor, output: Output): void {
  const { executed, skipped, divergence } = reExecute(cursor.log)
  if (output.json) output.line(JSON.stringify({ executed, skipped, divergence: divergence ?? null }))
  else for (const line of reExecutionLines(executed, skipped, divergence)) output.line(line)
  if (executed === 0) throw nothing(cursor, 'nothing was decided again', nothingDecided(skipped))
  if (!divergence) return
  throw new Refused({
    component: 're-execution',
    value: cursor.log.source.name,
    problem: `today's code diverges from the log at event ${divergence.sequence}`,
    remedy: `See it with --at ${divergence.sequence} --microsteps; check out the version that wrote the log to compare.`,
  })
}

/** A check that looked at nothing has not passed. */
function nothingDecided(skipped: number): string {
  if (skipped === 0) return 'Choose a log in which actors hear something.'
  return 'Choose a log that has whole states of actors that this Loch has, or open it with the version that wrote it.'
}

function* reExecutionLines(executed: number, skipped: number, divergence: Divergence | undefined): Generator<string> {
  yield `${executed} inputs were decided again${skipped === 0 ? '' : `, ${skipped} could not be`}.`
  if (executed === 0) return
  if (divergence === undefined) {
    yield skipped === 0 ? 'Everything came out as it was recorded.' : 'What was decided came out as it was recorded.'
    return
  }
  const { sequence, type, actor } = divergence
  yield `Event ${sequence}, ${type} at ${actor}, comes out differently (recorded → now):`
  for (const one of divergence.differences) yield `  ${differenceLine(one)}`
}

function nothing({ log }: Cursor, problem: string, remedy: string, value = log.source.name): Refused {
  return new Refused({ component: 'replay', value, problem, remedy })
}
