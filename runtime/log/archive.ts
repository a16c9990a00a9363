/**
 * The archived log of a timeline, as its readers see it: where it ends, and its bytes. A reader that does both should use
 * one ArchiveReader, which lists and fetches things once. Writing is the safekeepers' (runtime/safekeeper/archiver.ts).
 */
import type * as Effect from 'effect/Effect'
import type { ArchiveTail } from '../../actors/compute/election.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import type { LochError } from '../errors.ts'
import { attempt } from '../system/run.ts'
import { type ArchiveStore, type LogName, LogObjects, listLog } from './archive-objects.ts'
import { type LogPlace, readRange, type TakeLogBytes } from './archive-read.ts'
import { type ArchivePlace, findTail } from './archive-tail.ts'

export type { ArchiveStore } from './archive-objects.ts'
export type { LogPlace, TakeLogBytes } from './archive-read.ts'
export type { ArchivePlace } from './archive-tail.ts'

export class ArchiveReader {
  readonly #store: ArchiveStore
  readonly #timeline: string
  readonly #objects: LogObjects
  #names: { readonly fromTerm: number; readonly list: readonly LogName[] } | undefined

  constructor(store: ArchiveStore, timeline: string) {
    this.#store = store
    this.#timeline = timeline
    this.#objects = new LogObjects(store)
  }

  /**
   * The end of the log that continues from `from`: a snapshot's place, or {term 0, position 0, chainSeed(timeline)}.
   * Undefined if nothing was ever archived. Errors: the store's; if it `isAlone`, with no disk to say how far the log went,
   * Damaged too.
   */
  findTail(from: ArchivePlace, isAlone = false): Effect.Effect<ArchiveTail | undefined, LochError> {
    return attempt(async () => {
      const list = await listLog(this.#store, this.#timeline, from.term)
      this.#names = { fromTerm: from.term, list }
      return findTail(this.#objects, list, from, isAlone)
    })
  }

  /**
   * Hands the bytes [from, to) of the log of `history` to `take`, in order, checked. Errors: Damaged and ObjectMissing name
   * the object that is needed; the store's.
   */
  read(history: TermHistory, from: LogPlace, to: number, take: TakeLogBytes): Effect.Effect<void, LochError> {
    return attempt(async () => {
      if (from.position >= to) return
      const names = await this.#namesFrom(history, from.position)
      await readRange(this.#objects, this.#timeline, names, history, from, to, take)
    })
  }

  async #namesFrom(history: TermHistory, position: number): Promise<readonly LogName[]> {
    const term = history.findLast(({ begin }) => begin <= position)?.term ?? 0
    if (this.#names === undefined || this.#names.fromTerm > term) {
      this.#names = { fromTerm: term, list: await listLog(this.#store, this.#timeline, term) }
    }
    return this.#names.list
  }
}

/** See ArchiveReader.findTail. */
export function findArchiveTail(
  store: ArchiveStore,
  timeline: string,
  from: ArchivePlace,
  isAlone = false,
): Effect.Effect<ArchiveTail | undefined, LochError> {
  return new ArchiveReader(store, timeline).findTail(from, isAlone)
}

/** See ArchiveReader.read. */
export function readArchived(
  store: ArchiveStore,
  timeline: string,
  history: TermHistory,
  from: LogPlace,
  to: number,
  take: TakeLogBytes,
): Effect.Effect<void, LochError> {
  return new ArchiveReader(store, timeline).read(history, from, to, take)
}
