/**
 * What a reign tells whoever looks on: where its log begins, and how far it is durable. It is told in the very event in which
 * a durable position moves, before anybody learns of it, so nothing can be promised that was not recorded. Who looks on
 * never changes a run.
 */
import type { TermHistory } from '../../events/safekeeper-wire.ts'

/** A log that an election has opened. */
export interface OpenedLog {
  readonly term: number
  readonly compute: string
  /** Which terms its bytes come from, itself included. */
  readonly history: TermHistory
  /** Of the elected tail. Where that wrote nothing, `history` has left it out. */
  readonly lastTerm: number
  /** Where it begins: the elected tail. */
  readonly position: number
  /** Over all that is before `position`. */
  readonly chain: number
  /** An attach from an index snapshot; false if the log is folded from its start. */
  readonly fromSnapshot: boolean
}

/** What an fsync that succeeds has promised. */
export interface SyncedAnswer {
  readonly term: number
  readonly ino: number
  /** Up to where the log had to be durable, by the file's own writes and by a guard before it. */
  readonly wanted: number
  readonly durable: number
  /** Pages that it had to make safe are not. */
  readonly isUnsealed: boolean
}

export interface ReignObserver {
  opened(log: OpenedLog): void
  /** `chain` is over all that is before `position`. */
  durable(term: number, position: number, chain: number): void
  /** A safekeeper was sent log again. */
  resent?(): void
  /** A Postgres starts where another has died. */
  guarded?(): void
  /** The Postgres of the reign is started: by what its compute knows, nobody answers any more who knows less. */
  launches?(term: number, zone: string): void
  /** The Postgres of the reign listens. */
  serves?(term: number): void
  /** An fsync was answered with success. */
  synced?(answer: SyncedAnswer): void
}
