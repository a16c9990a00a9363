/**
 * What the main thread and the volume's worker say to each other, apart from the shared log. Everything here may be slow
 * (object store reads and writes, the fold at attach); nothing here is on the way of a commit.
 */
import type { SnapshotObject } from '../volume/snapshot.ts'
import type { Wanted } from '../volume/types.ts'

/** Given to the worker when it is created. */
export interface VolumeWorkerData {
  /** Local file of page slots; made anew, because nothing in it survives the process. */
  readonly slotFile: string
  readonly slotCount: number
}

export type ToVolume =
  /** Start from a snapshot's file table, or from nothing. */
  | { readonly kind: 'restore'; readonly fileTable: Uint8Array | undefined }
  /** Log bytes (whole entries) to fold; `position` is where they begin. */
  | { readonly kind: 'fold'; readonly bytes: Uint8Array; readonly position: number }
  /** The term began at the log's end: serve the mount from now on. */
  | {
      readonly kind: 'serve'
      readonly device: number
      readonly memory: SharedArrayBuffer
      readonly term: number
      readonly compute: string
      readonly writer: Uint8Array
      readonly subject: string
      readonly reply: string
      readonly inbox: MessagePort
    }
  | ToServingVolume

/** Sent through the inbox port while the worker serves; each is followed by a wake. */
export type ToServingVolume =
  | { readonly kind: 'fetched'; readonly wanted: Wanted; readonly bytes: Uint8Array | undefined }
  | { readonly kind: 'sealed'; readonly seal: number; readonly ok: boolean; readonly buffer: ArrayBuffer }
  | { readonly kind: 'snapshotWritten'; readonly ok: boolean }
  /** Seal everything and take a snapshot; answered by 'flushed'. */
  | { readonly kind: 'flush' }
  | { readonly kind: 'stop' }

export type FromVolume =
  | { readonly kind: 'restored' }
  | { readonly kind: 'folded'; readonly position: number }
  | { readonly kind: 'serving' }
  | { readonly kind: 'fetch'; readonly wanted: Wanted }
  /** Pages to store as segment `number` of this term: bytes [0, length) of the buffer, which comes back with 'sealed'. */
  | {
      readonly kind: 'seal'
      readonly seal: number
      readonly number: number
      readonly buffer: ArrayBuffer
      readonly length: number
    }
  /** The image at `position`: store its objects, then announce it in the journal. */
  | {
      readonly kind: 'snapshot'
      readonly position: number
      readonly chain: number
      readonly objects: readonly SnapshotObject[]
    }
  /** Log bytes wait in the ring, but there is no socket to send them through. */
  | { readonly kind: 'unsent' }
  | { readonly kind: 'flushed'; readonly position: number }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'broken'; readonly problem: string }
