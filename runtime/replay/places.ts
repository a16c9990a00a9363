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

/** A text that names no event. */
export interface NoPlace {
  readonly problem: string
  readonly remedy: string
}

/** The place of the event that `text` names. */
export function placeNamed(log: RunLog, text: string): number | NoPlace {
  if (log.length === 0) return { problem: 'the log holds no events', remedy: 'Choose another log.' }
  if (text === 'first') return 0
  if (text === 'last') return log.length - 1
  if (/^\d+$/.test(text)) return placeOfSequence(log, Number(text))
  const at = parseTime(text, log.header.startedAt)
  if (at !== undefined) return placeOfTime(log, at)
  const remedy = 'Write a sequence, a time (12:00:01.5, 2026-01-31T12:00:00Z, +1.5s), an id, first or last.'
  return log.placeOfId(text) ?? { problem: 'no event has this sequence, time or id', remedy }
}

/** The same for a flag or a prompt. @throws BadArgument */
export function parsePlace(log: RunLog, text: string, flag: string): number {
  const place = placeNamed(log, text)
  if (typeof place === 'number') return place
  throw new BadArgument({ component: flag, value: text, ...place })
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

function placeOfSequence({ table, length }: RunLog, sequence: number): number | NoPlace {
  const place = firstNotBelow(table.sequence, length, sequence)
  if (place < length && table.sequence[place]! === sequence) return place
  const [first, last] = [table.sequence[0]!, table.sequence[length - 1]!]
  const isLost = sequence > first && sequence < last
  const problem = isLost ? 'this event is lost: the log is damaged there' : 'there is no such event'
  return { problem, remedy: `The log holds the events ${first} to ${last}.` }
}
