/**
 * The object store port: names that are written once, whole, and stay. Everything that Loch promises to keep is built on
 * the five operations here, and on one property of `create`: of all who create a name, exactly one is told 'created', and
 * what it wrote is durable when it is told. No knowledge of what the objects mean may enter this folder.
 *
 * Two stores implement the port, a directory (file.ts) and S3 (s3.ts), and one suite checks both (contract.ts).
 */
import type * as Effect from 'effect/Effect'
import type { BadArgument, DiskFailed, ObjectMissing, StoreRefused, StoreUnavailable } from '../errors.ts'

/**
 * 'created': the object under this name is what this call wrote. 'exists': the name was taken by another call, this
 * process's own included, and what stands there is as durable as if it had been created here.
 */
export type Creation = 'created' | 'exists'

/**
 * BadArgument: a key or a range that no store could take. StoreUnavailable: ask again later; a creation may have
 * happened, or may happen yet. StoreRefused: asking again will not help before somebody has done something, such as to
 * renew credentials; a creation may have happened, by an attempt before the one that was refused. DiskFailed: the disk
 * of the file store is full or broken; a creation may have happened.
 */
export type StoreFailure = BadArgument | StoreUnavailable | StoreRefused | DiskFailed

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

export interface ObjectEntry {
  readonly key: string
  /** Bytes. The file store leaves it out unless asked, because it costs a stat(2) per object. */
  readonly size: number | undefined
}

export interface ListOptions {
  /** Only keys after this one, which need not exist. */
  readonly startAfter?: string
  readonly limit?: number
  /** Have every entry carry its size. */
  readonly sizes?: boolean
}

export interface ObjectStoreShape {
  /** Its address, for errors and logs; opens the same store again. Never carries a secret. */
  readonly url: string
  /**
   * Creates `key` with the concatenation of `body`, if the name is free. Atomic: no reader ever sees a part of it, not
   * even after a crash. An ambiguous answer (a lost response, a refusal of one's own write) is resolved before this
   * returns; where it cannot be, this fails.
   */
  readonly create: (key: string, body: ReadonlyArray<Uint8Array>) => Effect.Effect<Creation, StoreFailure>
  /** The whole object, or what there is of `range`: nothing if it begins past the end. The bytes are the caller's own. */
  readonly read: (key: string, range?: ByteRange) => Effect.Effect<Uint8Array, ObjectMissing | StoreFailure>
  /** Bytes. */
  readonly size: (key: string) => Effect.Effect<number, ObjectMissing | StoreFailure>
  /** Keys that begin with `prefix` (a string, not a folder: 'a/b' finds 'a/bc'), in byte order, however many. */
  readonly list: (prefix: string, options?: ListOptions) => Effect.Effect<ReadonlyArray<ObjectEntry>, StoreFailure>
  /** Succeeds whether or not the object exists. A removed object may come back if the host loses power right after. */
  readonly remove: (key: string) => Effect.Effect<void, StoreFailure>
  /**
   * `create` without a promise, for the archive path of a commit; only the file store has it. Blocks the thread for one
   * fsync. Cheaper than `create` by one fsync, and in return the object may be found torn after a power failure, with a
   * part of its bytes or none: for bodies that carry their own checksum. Throws BadArgument, StoreRefused or DiskFailed.
   */
  readonly createNow?: (key: string, body: ReadonlyArray<Uint8Array>) => Creation
  /**
   * For a `createNow` that was answered 'exists' by an object whose checksum is wrong: puts `body` in its place, if
   * `isWhole` still finds it torn. Never replaces a whole object. Exactly one of several repairers is told 'created';
   * the others are told 'exists' and read what stands there. Present where `createNow` is. Throws like it.
   */
  readonly replaceTorn?: (
    key: string,
    isWhole: (bytes: Uint8Array) => boolean,
    body: ReadonlyArray<Uint8Array>,
  ) => Creation
}
