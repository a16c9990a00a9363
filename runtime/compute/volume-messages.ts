/**
 * What the main thread and the volume's worker say to each other, apart from the shared log. Everything here may be slow
 * (object store reads and writes, the fold at attach); nothing here is on the way of a commit.
 */
import type { MessagePort } from 'node:worker_threads'
import { type Complaint, Damaged, problemOf } from '../errors.ts'
import type { SnapshotObject } from '../volume/snapshot.ts'
import type { Wanted } from '../volume/types.ts'

/** Given to the worker when it is created. */
export interface VolumeWorkerData {
  /** Path for the local files of pages; made anew, because nothing in them survives the process. */
  readonly cacheFile: string
  readonly slotCount: number
  /** Pages of a segment object at most. */
  readonly segmentPages: number
  /** Log since the last snapshot after which the next one is taken, at most. */
  readonly snapshotLogBytes: number
  readonly timeline: string
  readonly term: number
}

export type ToVolume =
  /** Start from a snapshot's file table, or from nothing. */
  | { readonly kind: 'restore'; readonly fileTable: Uint8Array | undefined }
  /** Log bytes (whole entries) to fold; `position` is where they begin. */
  | { readonly kind: 'fold'; readonly bytes: Uint8Array; readonly position: number }
  | ServeMessage
  | ToServingVolume

/** The term began at the log's end: serve the mount from now on. */
export interface ServeMessage {
  readonly kind: 'serve'
  readonly device: number
  readonly memory: SharedArrayBuffer
  readonly compute: string
  readonly writer: Uint8Array
  readonly subject: string
  readonly reply: string
  readonly inbox: MessagePort
}

/** Sent through the inbox port while the worker serves; each is followed by a wake. */
export type ToServingVolume =
  | { readonly kind: 'fetched'; readonly wanted: Wanted; readonly bytes: Uint8Array | undefined }
  | { readonly kind: 'sealed'; readonly seal: number; readonly ok: boolean; readonly buffer: ArrayBuffer }
  | { readonly kind: 'snapshotWritten'; readonly ok: boolean }
  /** Seal everything and take a snapshot; answered by 'flushed'. */
  | { readonly kind: 'flush' }
  /** No fsync is answered any more before everything that was written by now is durable; answered by 'guarded'. */
  | { readonly kind: 'guard' }
  | { readonly kind: 'stop' }

/** The image at `position`: store its objects, of which the last is the file table, then announce it in the journal. */
export interface SnapshotMessage {
  readonly kind: 'snapshot'
  readonly position: number
  readonly chain: number
  readonly objects: readonly SnapshotObject[]
}

export type FromVolume =
  | { readonly kind: 'restored' }
  | { readonly kind: 'folded'; readonly position: number }
  | { readonly kind: 'serving' }
  | { readonly kind: 'fetch'; readonly wanted: Wanted }
  /** What came for it fails its checksum. */
  | { readonly kind: 'damaged'; readonly wanted: Wanted }
  /** Pages to store as segment `number` of this term: bytes [0, length) of the buffer, which comes back with 'sealed'. */
  | {
      readonly kind: 'seal'
      readonly seal: number
      readonly number: number
      readonly buffer: ArrayBuffer
      readonly length: number
    }
  | SnapshotMessage
  /** Log bytes from `begin` on wait in the ring, but there is no socket to send them through. */
  | { readonly kind: 'unsent'; readonly begin: number }
  | { readonly kind: 'flushed'; readonly position: number }
  | { readonly kind: 'guarded' }
  | { readonly kind: 'stopped' }
  /** The volume cannot go on; `damage` if stored bytes are the reason, so that another attempt would meet them again. */
  | { readonly kind: 'broken'; readonly problem: string; readonly damage: Complaint | undefined }

/** What the worker says when it fails with `error`: instances do not survive the way between threads. */
export function brokenBy(error: unknown): Extract<FromVolume, { kind: 'broken' }> {
  const problem = problemOf(error)
  if (!(error instanceof Damaged)) return { kind: 'broken', problem, damage: undefined }
  const { component, value, problem: what, remedy } = error
  return { kind: 'broken', problem, damage: { component, value, problem: what, remedy } }
}
