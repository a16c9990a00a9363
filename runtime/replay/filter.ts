/**
 * Which events are shown. A filter hides and never drops: sequences, states, causes and predicates are the same with it and
 * without. Names are looked at once each, so hiding a million events costs a million comparisons of numbers.
 */
import { actorOf, idHash } from '../../events/run-log.ts'
import { BadArgument } from '../errors.ts'
import { compile, type EventFields, textOf } from './event-fields.ts'
import { parseExpression } from './expression.ts'
import type { RunLog } from './open-log.ts'
import { lineOf } from './rows.ts'
import { parseTime } from './times.ts'

export interface FilterOptions {
  /** Actors, with or without host, or kinds of actors; separated by commas. */
  readonly actor?: string | undefined
  /** Types, separated by commas. */
  readonly type?: string | undefined
  readonly term?: number | undefined
  readonly correlation?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** A regular expression over an event's line and its payload. */
  readonly grep?: string | undefined
  /** An expression. */
  readonly where?: string | undefined
}

export type Filter = (place: number) => boolean

/** @throws BadArgument for a time, pattern or expression that cannot be understood. */
export function filterOf(log: RunLog, fields: EventFields, options: FilterOptions): Filter {
  const { table } = log
  const tests: Filter[] = []
  const { actor, type, term, correlation, from, to, grep, where } = options
  if (actor !== undefined) tests.push(byName(log, (place) => table.source[place]!, actor, namesOfSource))
  if (type !== undefined)
    tests.push(
      byName(
        log,
        (place) => table.type[place]!,
        type,
        (name) => [name],
      ),
    )
  if (term !== undefined) tests.push((place) => table.term[place]! === term)
  if (correlation !== undefined) tests.push(byCorrelation(log, correlation))
  if (from !== undefined) tests.push(since(log, from, '--from', (at, bound) => at >= bound))
  if (to !== undefined) tests.push(since(log, to, '--to', (at, bound) => at <= bound))
  if (where !== undefined) {
    const value = compile(parseExpression(where, '--where'), fields, '--where')
    tests.push((place) => Boolean(value(place)))
  }
  if (grep !== undefined) tests.push(byPattern(log, grep))
  return (place) => tests.every((test) => test(place))
}

/** What a source can be called in a filter: whole, without its host, and by its kind. */
export function namesOfSource(source: string): readonly string[] {
  const actor = actorOf(source)
  return [source, actor, actor.split('.', 1)[0]!]
}

function byName(
  log: RunLog,
  numberAt: (place: number) => number,
  wanted: string,
  namesOf: (name: string) => readonly string[],
): Filter {
  const wantedNames = wanted.split(',').map((name) => name.trim())
  const matching = new Set<number>()
  for (const [number, name] of log.names.entries()) {
    if (name !== undefined && namesOf(name).some((one) => wantedNames.includes(one))) matching.add(number)
  }
  return (place) => matching.has(numberAt(place))
}

function byCorrelation(log: RunLog, correlation: string): Filter {
  const hash = idHash(correlation)
  return (place) => log.table.correlation[place]! === hash && log.event(place).correlationId === correlation
}

function since(log: RunLog, text: string, flag: string, holds: (at: number, bound: number) => boolean): Filter {
  const bound = parseTime(text, log.header.startedAt)
  if (bound === undefined) {
    const remedy = 'Write a time like 12:00:01.5, 2026-01-31T12:00:00Z, or +1.5s after the start.'
    throw new BadArgument({ component: flag, value: text, problem: 'this is not a time', remedy })
  }
  return (place) => holds(log.table.at[place]!, bound)
}

function byPattern(log: RunLog, grep: string): Filter {
  const pattern = patternOf(grep)
  return (place) => {
    const { id, payload } = log.event(place)
    return pattern.test(`${lineOf(log, place)} ${id} ${textOf(payload)}`)
  }
}

function patternOf(grep: string): RegExp {
  try {
    return new RegExp(grep)
  } catch (error) {
    throw new BadArgument({
      component: '--grep',
      value: grep,
      problem: `this is not a regular expression: ${error instanceof Error ? error.message : String(error)}`,
      remedy: 'Write for example --grep "Term(Started|Began)"; put a backslash before ( ) [ ] . * + ? meant as such.',
    })
  }
}
