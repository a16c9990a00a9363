/** What the zone's main thread and its safekeepers' thread say to each other. Types only: both sides import it. */
import type { ErrorReport, SafekeeperStatus } from '../control/schemas.ts'

export interface SafekeepersConfig {
  readonly project: string
  readonly zone: string
  readonly timelines: readonly string[]
  /** Other zones: asked for log that is missing here and not archived yet. */
  readonly peers: readonly string[]
  /** With credentials. */
  readonly natsUrl: string
  /** Address for `openObjectStore`. */
  readonly objectStore: string
  /** Each timeline's log is in a directory of its own below it. */
  readonly directory: string
}

export type ToSafekeepers =
  | { readonly kind: 'add'; readonly id: number; readonly timeline: string }
  | { readonly kind: 'statuses'; readonly id: number }
  | { readonly kind: 'stop'; readonly id: number }

export type FromSafekeepers =
  | { readonly kind: 'ready' }
  /** The thread cannot start, or cannot go on. */
  | { readonly kind: 'failed'; readonly error: ErrorReport }
  | { readonly kind: 'report'; readonly line: string }
  | { readonly kind: 'answer'; readonly id: number; readonly statuses: readonly SafekeeperStatus[] }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: ErrorReport }
