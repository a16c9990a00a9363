/**
 * An event as one line in fixed columns for people, and as one flat value for machines. Both say the same; the line leaves out
 * what does not fit, the value nothing.
 */
import { actorOf, type RunEvent } from '../../events/run-log.ts'
import type { Difference } from './changes.ts'
import { textOf } from './event-fields.ts'
import type { RunLog } from './open-log.ts'

/** Of all columns but the last, which takes what is left. */
export type Widths = readonly [sequence: number, time: number, actor: number, type: number, state: number, term: number]

const WIDTHS: Widths = [8, 12, 26, 20, 28, 4]
const SEPARATOR = '  '
const HEADINGS = ['SEQUENCE', 'TIME', 'ACTOR', 'TYPE', 'STATE', 'TERM', 'DETAIL']
/** Longer values are cut for people. */
const VALUE_LENGTH_MAX = 160

/** For a window so wide: names give way to each other and to the detail, numbers are never cut. */
export function widthsFor(columns: number): Widths {
  const [sequence, time, actor, type, state, term] = WIDTHS
  const left = Math.max(0, columns - sequence - time - term - SEPARATOR.length * WIDTHS.length)
  const share = (part: number, most: number) => Math.min(most, Math.max(NAME_COLUMNS_MIN, Math.floor(left * part)))
  return [sequence, time, share(0.3, actor), share(0.22, type), share(0.22, state), term]
}

const NAME_COLUMNS_MIN = 8

/** Behind the name of an actor whose state may have changed since. */
export const UNCERTAIN = ' (not certain: events before it are lost)'

export function rowHeading(widths: Widths = WIDTHS): string {
  return columns(HEADINGS, widths)
}

export function rowOf(log: RunLog, place: number, widths: Widths = WIDTHS): string {
  const [sequence = '', ...rest] = cellsOf(log, place)
  return columns([sequence.padStart(widths[0]), ...rest], widths)
}

/** The same without columns, where nothing is cut. */
export function lineOf(log: RunLog, place: number): string {
  return cellsOf(log, place)
    .filter((cell) => cell !== '')
    .join(' ')
}

function cellsOf(log: RunLog, place: number): readonly string[] {
  const event = log.event(place)
  const { sequence, at, source, type, term } = event
  const time = new Date(at).toISOString().slice(11, 23)
  return [String(sequence), time, source, type, stateChange(log, place), term === 0 ? '' : String(term), detail(event)]
}

/** `active → deleting`, or the one state it stayed in. */
function stateChange({ table, name }: RunLog, place: number): string {
  const lane = table.lane(table.source[place]!)
  const count = lane.events.firstNotBelow(place)
  const after = name(table.state[place]!)
  const before = count === 0 ? after : name(table.state[lane.events.at(count - 1)]!)
  return before === after || before === '' ? after : `${before} → ${after}`
}

function detail(event: RunEvent): string {
  if (event.outcome !== 'taken') return `${event.outcome}: ${event.reason}`
  if (event.facts.length > 0) return event.facts.map((fact) => fact.type).join(', ')
  if (event.kind === 'took' || event.kind === 'began') return ''
  return event.kind === 'folded' ? 'fact of another host' : shorten(event.payload)
}

function columns(cells: readonly string[], widths: Widths): string {
  return cells
    .map((cell, column) => padded(cell, widths[column]))
    .join(SEPARATOR)
    .trimEnd()
}

function padded(cell: string, width: number | undefined): string {
  if (width === undefined) return cell
  return cell.length > width ? `${cell.slice(0, width - 1)}…` : cell.padEnd(width)
}

/** Everything about an event, for `--json`. */
export function eventJson(event: RunEvent): object {
  const { source, snapshot, ...rest } = event
  return { ...rest, source, actor: actorOf(source), ...(snapshot === undefined ? {} : { snapshot }) }
}

export function differenceLine({ path, before, after }: Difference): string {
  return `${path}: ${before === undefined ? '(nothing)' : shorten(before)} → ${after === undefined ? '(nothing)' : shorten(after)}`
}

export function shorten(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX - 1)}…` : text
}

/** A state as lines of `path: value`, one for each leaf. */
export function stateLines(value: unknown): string[] {
  return stateFields(value).map(([path, text]) => `${path}: ${text}`)
}

/** Path and text of each leaf. */
export function stateFields(value: unknown, path = ''): Array<readonly [path: string, text: string]> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [[path, leafText(value)]]
  return Object.entries(value).flatMap(([key, part]) => stateFields(part, path === '' ? key : `${path}.${key}`))
}

/** A big integer is a position or a time of the world; JSON has none. */
function leafText(value: unknown): string {
  if (value === undefined) return '(nothing)'
  return typeof value === 'bigint' ? String(value) : textOf(value)
}
