/**
 * Every way in which Loch says no, as one closed set of tagged errors.
 *
 * Each names the component that refuses, the value it refuses and the remedy, because the reader of an error is
 * somebody whose database does not answer. Nothing else may be thrown across a module boundary in runtime/, and no
 * error may be created without a remedy: "unknown error" is not a member of the set.
 */
import { TaggedError } from 'effect/Data'

export interface Complaint {
  /** The part of Loch that refuses, as a reader knows it: "object store", "safekeeper zone-2", "--listen". */
  readonly component: string
  /** The value refused: an address, a key, a path, a flag. */
  readonly value: string
  /** What happened, in one clause. */
  readonly problem: string
  /** What the reader can do about it. */
  readonly remedy: string
  readonly cause?: unknown
}

/** A flag, an environment variable or a request that cannot be understood. */
export class BadArgument extends TaggedError('BadArgument')<Complaint> {}
/** A listen address that somebody else holds. */
export class AddressTaken extends TaggedError('AddressTaken')<Complaint> {}
/** Something of the host is missing: root, /dev/fuse, a program. */
export class HostUnfit extends TaggedError('HostUnfit')<Complaint> {}
/** Bytes written by a newer Loch. */
export class FormatTooNew extends TaggedError('FormatTooNew')<Complaint> {}
/** The object store cannot be reached, or answers 5xx beyond the retry budget. */
export class StoreUnavailable extends TaggedError('StoreUnavailable')<Complaint> {}
/** The object store is reachable but unfit or unwilling: wrong credentials, no bucket, conditions ignored. */
export class StoreRefused extends TaggedError('StoreRefused')<Complaint> {}
/** The named object does not exist. */
export class ObjectMissing extends TaggedError('ObjectMissing')<Complaint> {}
/** Stored bytes fail their checksum: a log object, an index run, a segment, a journal entry, a safekeeper's log. */
export class Damaged extends TaggedError('Damaged')<Complaint> {}
/** A create-if-absent name is taken by another writer: our knowledge of the journal or log is old. */
export class Conflict extends TaggedError('Conflict')<Complaint> {}
/** NATS cannot be reached or refuses us. */
export class BusUnavailable extends TaggedError('BusUnavailable')<Complaint> {}
/** A request got no answer in time, or nobody serves its subject. */
export class NoAnswer extends TaggedError('NoAnswer')<Complaint> {}
/** A higher term exists: this writer must stop. */
export class Fenced extends TaggedError('Fenced')<Complaint> {}
/** Too few safekeepers, or no archive, to make anything durable. */
export class QuorumLost extends TaggedError('QuorumLost')<Complaint> {}
/** A local disk is full or fails. */
export class DiskFailed extends TaggedError('DiskFailed')<Complaint> {}
/** The volume could not be mounted or unmounted. */
export class MountFailed extends TaggedError('MountFailed')<Complaint> {}
/** Postgres did not start, did not answer, or died. */
export class PostgresFailed extends TaggedError('PostgresFailed')<Complaint> {}
/** The request is well formed, but not now: the actor's state refuses it. */
export class Refused extends TaggedError('Refused')<Complaint> {}

export type LochError =
  | BadArgument
  | AddressTaken
  | HostUnfit
  | FormatTooNew
  | StoreUnavailable
  | StoreRefused
  | ObjectMissing
  | Damaged
  | Conflict
  | BusUnavailable
  | NoAnswer
  | Fenced
  | QuorumLost
  | DiskFailed
  | MountFailed
  | PostgresFailed
  | Refused

const PERMANENT: ReadonlySet<LochError['_tag']> = new Set([
  'BadArgument',
  'HostUnfit',
  'FormatTooNew',
  'StoreRefused',
  'Damaged',
])

/** True for what no repetition mends: somebody has to do something first. */
export function isPermanent(error: LochError): boolean {
  return PERMANENT.has(error._tag)
}

/** One line for a terminal or a log: component, problem, value, remedy. */
export function describe(error: LochError): string {
  return `${error.component}: ${error.problem} (${error.value}). ${error.remedy}`
}

/** True for members of the closed set; anything else that is caught is a defect of ours. */
export function isLochError(error: unknown): error is LochError {
  return error instanceof Error && 'component' in error && 'remedy' in error && '_tag' in error
}

/** Any failure as one line: members of the set as `describe` says them, a defect with its stack. */
export function problemOf(error: unknown): string {
  if (isLochError(error)) return describe(error)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
