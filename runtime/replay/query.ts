/**
 * Temporal questions about a log: `X not preceded by Y`, `X followed by Y within 5s of the same actor`. X and Y are predicates
 * (expression.ts). The answer is every event for which it is true, so a question that names a violation finds all of them.
 *
 *   X [not] preceded|followed by Y [within DURATION] [of the same actor|correlation|term]
 */
import { compile, type EventFields, textOf, type Value } from './event-fields.ts'
import { type Expression, readOr, TokenReader } from './expression.ts'
import type { Filter } from './filter.ts'
import type { RunLog } from './open-log.ts'
import { parseDuration } from './times.ts'

const SAME = ['actor', 'correlation', 'term'] as const

export interface Query {
  readonly event: Expression
  readonly isNegated: boolean
  readonly direction: 'preceded' | 'followed'
  readonly other: Expression
  readonly withinMs: number
  readonly same: (typeof SAME)[number] | undefined
}

export interface Match {
  readonly place: number
  /** The event that precedes or follows; undefined for `not`. */
  readonly other: number | undefined
}

const EXAMPLE = 'Write for example: type = TermStarted not preceded by type = Create of the same actor.'

/** @throws BadArgument */
export function parseQuery(text: string, flag: string): Query {
  const reader = new TokenReader(text, flag)
  const event = readOr(reader)
  const isNegated = reader.takeIf('not')
  const direction = reader.takeIf('preceded') ? 'preceded' : reader.takeIf('followed') ? 'followed' : undefined
  if (direction === undefined) return reader.refuse('"preceded by" or "followed by" was expected here', EXAMPLE)
  if (!reader.takeIf('by')) reader.refuse('"by" was expected here', EXAMPLE)
  const other = readOr(reader)
  const withinMs = reader.takeIf('within') ? readDuration(reader) : Number.POSITIVE_INFINITY
  const same = reader.takeIf('of') ? readSame(reader) : undefined
  if (reader.peek() !== undefined) reader.refuse('nothing more was expected here', EXAMPLE)
  return { event, isNegated, direction, other, withinMs, same }
}

function readDuration(reader: TokenReader): number {
  const duration = parseDuration(reader.peek()?.text ?? '')
  if (duration === undefined) return reader.refuse('a duration was expected here', 'Write for example within 5s.')
  reader.take()
  return duration
}

function readSame(reader: TokenReader): Query['same'] {
  reader.takeIf('the')
  if (!reader.takeIf('same')) reader.refuse('"the same" was expected here', EXAMPLE)
  const same = SAME.find((one) => reader.takeIf(one))
  return same ?? reader.refuse('this cannot be the same', `Write of the same ${SAME.join(', or of the same ')}.`)
}

/** One pass over the log: forth for what precedes, back for what follows; matches come in that order. */
export function* runQuery(
  log: RunLog,
  fields: EventFields,
  query: Query,
  flag: string,
  isShown: Filter,
): Generator<Match> {
  const [event, other] = [compile(query.event, fields, flag), compile(query.other, fields, flag)]
  const group = groupOf(query, fields, flag)
  /** The nearest other of each group so far. */
  const nearest = new Map<string, number>()
  const isForth = query.direction === 'preceded'
  for (let count = 0; count < log.length; count++) {
    const place = isForth ? count : log.length - 1 - count
    if (event(place) && isShown(place)) {
      const found = nearest.get(group(place))
      const isNear = found !== undefined && distanceMs(log, found, place) <= query.withinMs
      if (isNear !== query.isNegated) yield { place, other: isNear ? found : undefined }
    }
    if (other(place)) nearest.set(group(place), place)
  }
}

function distanceMs({ table }: RunLog, left: number, right: number): number {
  return Math.abs(table.at[left]! - table.at[right]!)
}

function groupOf({ same }: Query, fields: EventFields, flag: string): (place: number) => string {
  if (same === undefined) return () => ''
  const value: Value = fields.resolve({ kind: 'field', path: [same], column: 1 }, flag)
  return (place) => textOf(value(place))
}
