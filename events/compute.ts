/**
 * What is said to a compute (one Postgres instance and the volume under it): orders of its endpoint and results of the
 * effects it asked for. A compute journals nothing: what must outlive it, its term, stands in the timeline's journal.
 * Results carry the term of the reign they belong to, so that an answer from a former reign is recognised and ignored.
 */
import * as Schema from 'effect/Schema'
import { Count, variant } from './envelope.ts'
import { ComputeId, EndpointId, Term, TimelineId, ZoneId } from './identifiers.ts'
import { LogPlace, TermGrant } from './timeline.ts'

export const ComputeState = Schema.Literals([
  'stopped',
  'electing',
  'fencing',
  'attaching',
  'recovering',
  'serving.active',
  'serving.idle',
  'following',
  'promoting',
  'suspending',
  'fenced',
  'failed',
])
export type ComputeState = typeof ComputeState.Type

const ofReign = { term: Term }
const failure = { problem: Schema.String, retryable: Schema.Boolean }

export const ComputeEvent = Schema.Union([
  /** `launch` numbers the endpoint's decisions: a repeated Start has the same, a restart the next. */
  variant('Start', { endpoint: EndpointId, timeline: TimelineId, zone: ZoneId, launch: Count }),
  /** Clean stop of this launch or an earlier one: checkpoint, seal, unmount. */
  variant('Stop', { launch: Count }),
  TermGrant,
  variant('TermRefused', failure),
  /** A majority of safekeepers holds the log up to `tail` and refuses every lower term. */
  variant('FenceGranted', { ...ofReign, tail: LogPlace }),
  /** `higherTerm`: the highest term a safekeeper answered with, 0 if none. */
  variant('FenceFailed', { ...ofReign, problem: Schema.String, higherTerm: Term }),
  /** The volume is mounted and the term's first entry is durable. */
  variant('Attached', ofReign),
  variant('AttachFailed', { ...ofReign, ...failure }),
  variant('PostgresReady', ofReign),
  /** `code`: exit status, or -1 if a signal ended it. */
  variant('PostgresExited', { ...ofReign, code: Schema.Number }),
  /** A safekeeper or the archive refused bytes of this term: another reign exists, or our log is not theirs. */
  variant('AppendRejected', { ...ofReign, problem: Schema.String }),
  /** No majority of safekeepers was heard for the length of the serving lease. */
  variant('LeaseLapsed', ofReign),
  variant('LeaseRenewed', ofReign),
  variant('ClientsActive', ofReign),
  /** No client, no open transaction. */
  variant('ClientsIdle', ofReign),
  /** Postgres is gone and the volume unmounted. */
  variant('Stopped', ofReign),
  variant('TimerFired', { name: Schema.String }),
])
export type ComputeEvent = typeof ComputeEvent.Type

/** What a compute tells its endpoint: on every change, and repeatedly in case a message got lost. */
export const ComputeReport = variant('ComputeReport', {
  compute: ComputeId,
  zone: ZoneId,
  launch: Count,
  term: Term,
  state: ComputeState,
  /** Why it is not (yet) serving; '' if nothing is wrong. */
  problem: Schema.String,
})
export type ComputeReport = typeof ComputeReport.Type
