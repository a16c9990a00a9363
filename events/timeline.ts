/**
 * What is said to a timeline, what it remembers, and what it answers. A timeline owns one log: who may write it (terms),
 * where folding may start (snapshots) and which disks vouch for it (safekeepers). Facts are what its journal holds, so a
 * fact's meaning never changes; commands may come and go.
 */
import * as Schema from 'effect/Schema'
import { Count, variant } from './envelope.ts'
import { ComputeId, Position, ProjectId, Term, TimelineId, ZoneId } from './identifiers.ts'

/** `archived`: a commit is in object storage and on a majority of disks; `quorum`: on a majority, object storage lags. */
export const Durability = Schema.Literals(['archived', 'quorum'])
export type Durability = typeof Durability.Type

/** A place in the log and the chain up to it (frame.ts). */
export const LogPlace = Schema.Struct({ term: Term, position: Position, chain: Count })
export type LogPlace = typeof LogPlace.Type

/** An index snapshot: `key` names the object from which, and `position` the place after which, an attach folds. */
export const IndexSnapshot = Schema.Struct({ ...LogPlace.fields, key: Schema.String })
export type IndexSnapshot = typeof IndexSnapshot.Type

const createTimeline = { timeline: TimelineId, project: ProjectId, zones: Schema.Array(ZoneId), durability: Durability }
const reign = { compute: ComputeId, zone: ZoneId }
const safekeeper = { zone: ZoneId, diskId: Schema.String }

export const TimelineCommand = Schema.Union([
  variant('Create', createTimeline),
  /** Asks for the next term; answered with `TermGranted`. */
  variant('StartTerm', reign),
  /** The compute's first entry stands at this place: the log of the term begins there. */
  variant('RecordTermBegan', LogPlace.fields),
  variant('RecordSnapshot', IndexSnapshot.fields),
  /** From now on this disk may vouch for the log. Sent before its safekeeper hears of the sender's election. */
  variant('RecordSafekeeper', safekeeper),
  variant('Delete', {}),
  /** Result of the effect `deleteObjects`. */
  variant('ObjectsDeleted', {}),
  /** A zone has become the timeline's host and folded its journal. */
  variant('Resumed', {}),
  variant('TimerFired', { name: Schema.String }),
])
export type TimelineCommand = typeof TimelineCommand.Type

export const TimelineFact = Schema.Union([
  variant('TimelineCreated', createTimeline),
  variant('TermStarted', { term: Term, ...reign }),
  variant('TermBegan', LogPlace.fields),
  variant('SnapshotRecorded', IndexSnapshot.fields),
  variant('SafekeeperRecorded', safekeeper),
  variant('DeletionStarted', {}),
  variant('TimelineDeleted', {}),
])
export type TimelineFact = typeof TimelineFact.Type

export const TimelineEvent = Schema.Union([...TimelineCommand.members, ...TimelineFact.members])
export type TimelineEvent = typeof TimelineEvent.Type

/** Answer to `StartTerm`: the term and all that an attach needs to know. */
export const TermGrant = variant('TermGranted', {
  term: Term,
  zones: Schema.Array(ZoneId),
  durability: Durability,
  /** By zone, the last disk that may have vouched for something there: see RecordSafekeeper. */
  disks: Schema.Record(Schema.String, Schema.String),
  /** Newest index snapshot; absent while the log is folded from its start. */
  snapshot: Schema.optionalKey(IndexSnapshot),
})
export type TermGrant = typeof TermGrant.Type
