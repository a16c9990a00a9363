/**
 * What is said to a safekeeper about its life: open, follow, catch up, archive, retire. Votes, appends and flushes are
 * not here: they are the data path and go to the acceptor as bytes. A safekeeper journals nothing in object storage:
 * its own disk holds its term and its log.
 */
import * as Schema from 'effect/Schema'
import { variant } from './envelope.ts'
import { Position, Term } from './identifiers.ts'

const place = { term: Term, position: Position }

export const SafekeeperEvent = Schema.Union([
  /** The local log was opened and checked; (0, 0) if there was none. */
  variant('Opened', place),
  /** A writer was elected and this safekeeper adopted its history, cut to `position`. */
  variant('Elected', place),
  /** Frames do not join on: bytes from `position` on were missed. */
  variant('FellBehind', place),
  variant('CaughtUp', place),
  variant('CatchUpFailed', { problem: Schema.String }),
  /** This safekeeper archives the log of `term`. */
  variant('DutyGranted', { term: Term }),
  variant('DutyRevoked', { term: Term }),
  /** The local log or disk failed: nothing it holds counts any more. */
  variant('DamageFound', { problem: Schema.String }),
  /** The damaged log was moved away; the safekeeper starts with none. */
  variant('Wiped', {}),
  variant('Retire', {}),
  variant('TimerFired', { name: Schema.String }),
])
export type SafekeeperEvent = typeof SafekeeperEvent.Type
