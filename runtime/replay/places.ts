/**
 * Places in a log as people write them: a sequence, a time of day, an offset from the start, an id of an event or fact, `first`
 * or `last`. A text that names no event is answered with what would; no place is ever guessed.
 */
import { KINDS } from '../../events/run-log.ts'
import { BadArgument } from '../errors.ts'
import { firstNotBelow } from './event-table.ts'
import type { RunLog } from './open-log.ts'
import { parseTime } from './times.ts'

const FIRST_KIND_OF_THE_WORLD = KINDS.indexOf('fault')

/** The place of the event that `text` names. @throws BadArgument */
export function parsePlace(log: RunLog, text: string, flag: string): number {
  if (log.length === 0) throw refuse(text, flag, 'the log holds no events', 'Choose another log.')
  if (text === 'first') return 0
  if (text === 'last') return log.length - 1
  if (/^\d+$/.test(text)) return placeOfSequence(log, Number(text), flag)
  const at = parseTime(text, log.header.startedAt)
  if (at !== undefined) return placeOfTime(log, at)
  const place = log.placeOfId(text)
  if (place !== undefined) return place
  const remedy = 'Write a sequence, a time (12:00:01.5, 2026-01-31T12:00:00Z, +1.5s), an id, first or last.'
  throw refuse(text, flag, 'no event has this sequence, time or id', remedy)
}

/**
 * Whether the event's time is that of the log. Clocks of a simulation are wrong on purpose, and what the world does has the time
 * of the world; in production there is no better clock than that of the host.
 */
export function tellsTime({ table, header }: RunLog, place: number): boolean {
  return header.kind === 'production' || table.isInOrderOfTime || table.kind[place]! >= FIRST_KIND_OF_THE_WORLD
}

/** The first event at that time or later; the last one if there is none. */
function placeOfTime(log: RunLog, at: number): number {
  const { table, length } = log
  if (table.isInOrderOfTime) return Math.min(firstNotBelow(table.at, length, at), length - 1)
  let first = -1
  for (let place = 0; place < length; place++) {
    if (table.at[place]! < at) continue
    if (tellsTime(log, place)) return place
    if (first < 0) first = place
  }
  return first < 0 ? length - 1 : first
}

function placeOfSequence(log: RunLog, sequence: number, flag: string): number {
  const { table } = log
  const place = firstNotBelow(table.sequence, log.length, sequence)
  if (place < log.length && table.sequence[place]! === sequence) return place
  const [first, last] = [table.sequence[0]!, table.sequence[log.length - 1]!]
  const isLost = sequence > first && sequence < last
  const problem = isLost ? 'this event is lost: the log is damaged there' : 'there is no such event'
  throw refuse(String(sequence), flag, problem, `The log holds the events ${first} to ${last}.`)
}

function refuse(value: string, flag: string, problem: string, remedy: string): BadArgument {
  return new BadArgument({ component: flag, value, problem, remedy })
}
