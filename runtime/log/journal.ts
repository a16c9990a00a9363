/**
 * An actor's journal in object storage: appended create-if-absent, so that of two hosts which decide at once one learns
 * that it was late; that slot is all the mutual exclusion the control plane has. Objects are named by the sequence of the
 * first event they add. Nothing here knows an actor or folds anything: it moves envelopes.
 *
 *   <prefix>/<12 digits>             a batch: recap of its group, then the new envelopes (events/journal-format.ts)
 *   <prefix>/snapshots/<12 digits>   the fold up to that sequence; derived, the newest two are kept
 *
 * Opening an old journal costs two LISTs of bounded length (snapshots; entries after the newest of them) and two GETs,
 * because an object repeats the events of its group. Every event stays readable for replay: see `history`.
 */
import * as Effect from 'effect/Effect'
import type { Envelope } from '../../events/envelope.ts'
import {
  decodeBatch,
  decodeSnapshot,
  encodeBatch,
  encodeSnapshot,
  isJournalFault,
  type JournalFault,
  type JournalSnapshot,
  SEQUENCE_DIGITS,
} from '../../events/journal-format.ts'
import { Conflict, Damaged, FormatTooNew, type LochError, type ObjectMissing } from '../errors.ts'

/** After so many events a snapshot is due, and a recap starts anew: it bounds what opening reads. Readers need not know it. */
export const SNAPSHOT_INTERVAL_EVENTS = 64
/** The newest, and the one before it for a reader that has just listed it. */
const SNAPSHOTS_KEPT = 2

/** What a journal needs of the object store. `create` must be atomic: an object is there whole or not at all. */
export interface JournalStore {
  readonly create: (key: string, body: Uint8Array[]) => Effect.Effect<'created' | 'exists', LochError>
  readonly read: (key: string) => Effect.Effect<Uint8Array, LochError>
  /** Keys in byte order. */
  readonly list: (
    prefix: string,
    options?: { readonly startAfter?: string },
  ) => Effect.Effect<ReadonlyArray<{ readonly key: string }>, LochError>
  readonly remove: (key: string) => Effect.Effect<void, LochError>
}

export interface JournalContent {
  readonly snapshot: JournalSnapshot | undefined
  /** Events after the snapshot, or all. */
  readonly events: ReadonlyArray<Envelope>
}

export interface Journal {
  readonly prefix: string
  /** True if the events (before, now] have made a snapshot due. */
  readonly isSnapshotDue: (before: number, now: number) => boolean
  /** Newest snapshot and what follows it. Errors: Damaged, FormatTooNew, StoreUnavailable, StoreRefused. */
  readonly load: () => Effect.Effect<JournalContent, LochError>
  /** Events after `sequence`, written by anybody. */
  readonly eventsAfter: (sequence: number) => Effect.Effect<ReadonlyArray<Envelope>, LochError>
  /** All events since the first, without the help of snapshots. */
  readonly history: () => Effect.Effect<ReadonlyArray<Envelope>, LochError>
  /**
   * Makes `envelopes` durable as the events from `expectedSequence` on, all or none. Conflict: somebody else wrote that
   * slot; call `eventsAfter`, fold, decide again. Any other error leaves open whether they were written: fold, then ask.
   */
  readonly append: (expectedSequence: number, envelopes: ReadonlyArray<Envelope>) => Effect.Effect<void, LochError>
  /** Stores a fold and forgets older ones. */
  readonly keepSnapshot: (snapshot: JournalSnapshot) => Effect.Effect<void, LochError>
}

/** Opens nothing yet: all reading happens in `load`. `prefix` has no slash at its end. */
export function openJournal(store: JournalStore, prefix: string, interval = SNAPSHOT_INTERVAL_EVENTS): Journal {
  const entryKey = (sequence: number) => `${prefix}/${digits(sequence)}`
  const snapshotKey = (sequence: number) => `${prefix}/snapshots/${digits(sequence)}`
  /** Events of the present group, to be repeated in the next object; must end where the journal ends. */
  let group: ReadonlyArray<Envelope> = []

  const readBatch = (key: string) => Effect.flatMap(store.read(key), (bytes) => orFault(key, decodeBatch(bytes)))

  const listEntries = (after: number) =>
    Effect.map(store.list(`${prefix}/`, after > 0 ? { startAfter: entryKey(after) } : {}), (objects) =>
      objects.map(({ key }) => key).filter((key) => isEntry(prefix, key)),
    )

  /** The events after `after`, from as few objects as hold them: newest first, each with its recap. */
  const readBackTo = Effect.fnUntraced(function* (after: number, keys: ReadonlyArray<string>) {
    const events: Envelope[] = []
    for (let at = keys.length - 1; at >= 0; at--) {
      const key = keys[at]!
      const next = events[0]?.sequence
      if (next !== undefined && next <= after + 1) break
      if (next !== undefined && sequenceOf(key) >= next) continue
      const batch = yield* readBatch(key)
      const last = batch.at(-1)!.sequence
      if (next !== undefined && last < next - 1) return yield* gap(key, last + 1, next)
      // A batch may straddle two groups; then the recap that follows repeats its end.
      events.unshift(...batch.filter((event) => next === undefined || event.sequence < next))
    }
    const wanted = events.filter((event) => event.sequence > after)
    if (wanted.length > 0 && wanted[0]!.sequence !== after + 1) {
      return yield* gap(keys[0]!, after + 1, wanted[0]!.sequence)
    }
    return wanted
  })

  const eventsAfter = Effect.fnUntraced(function* (after: number) {
    const events = yield* readBackTo(after, yield* listEntries(after))
    group = groupOf([...group.filter((event) => event.sequence <= after), ...events], interval)
    return events
  })

  const newestSnapshot = Effect.fnUntraced(function* () {
    const key = (yield* store.list(`${prefix}/snapshots/`)).at(-1)?.key
    if (key === undefined) return undefined
    return yield* orFault(key, decodeSnapshot(yield* store.read(key)))
  })

  const load = Effect.fnUntraced(function* () {
    // A snapshot that vanished between LIST and GET was superseded: look again.
    const snapshot = yield* newestSnapshot().pipe(
      Effect.catchTag('ObjectMissing', (_: ObjectMissing) => newestSnapshot()),
    )
    group = []
    return { snapshot, events: yield* eventsAfter(snapshot?.sequence ?? 0) }
  })

  const append = Effect.fnUntraced(function* (expectedSequence: number, envelopes: ReadonlyArray<Envelope>) {
    checkBatch(expectedSequence, envelopes)
    const recap = group.at(-1)?.sequence === expectedSequence - 1 ? group : []
    const all = [...recap, ...envelopes]
    const key = entryKey(expectedSequence)
    const body = encodeBatch(all)
    // A taken name may be our own write whose answer got lost.
    if ((yield* store.create(key, [body])) === 'exists' && !sameBytes(yield* store.read(key), body)) {
      return yield* new Conflict({
        component: 'journal',
        value: key,
        problem: 'another host wrote this slot first',
        remedy: 'Nothing is lost: fold what it wrote and decide again.',
      })
    }
    group = groupOf(all, interval)
  })

  const keepSnapshot = Effect.fnUntraced(function* (snapshot: JournalSnapshot) {
    yield* store.create(snapshotKey(snapshot.sequence), [encodeSnapshot(snapshot)])
    const keys = (yield* store.list(`${prefix}/snapshots/`)).map(({ key }) => key)
    for (const key of keys.slice(0, -SNAPSHOTS_KEPT)) yield* store.remove(key)
  })

  const history = Effect.fnUntraced(function* () {
    return yield* readBackTo(0, yield* listEntries(0))
  })

  const isSnapshotDue = (before: number, now: number) => Math.floor(before / interval) < Math.floor(now / interval)

  return { prefix, isSnapshotDue, load, eventsAfter, history, append, keepSnapshot }
}

/** Those events that share their group with the next one to come. */
function groupOf(events: ReadonlyArray<Envelope>, interval: number): ReadonlyArray<Envelope> {
  const last = events.at(-1)?.sequence ?? 0
  const from = Math.floor(last / interval) * interval
  return events.filter((event) => event.sequence > from)
}

function digits(sequence: number): string {
  return String(sequence).padStart(SEQUENCE_DIGITS, '0')
}

function isEntry(prefix: string, key: string): boolean {
  const name = key.slice(prefix.length + 1)
  return name.length === SEQUENCE_DIGITS && /^\d+$/.test(name)
}

function sequenceOf(key: string): number {
  return Number(key.slice(-SEQUENCE_DIGITS))
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}

function checkBatch(expectedSequence: number, envelopes: ReadonlyArray<Envelope>): void {
  const misnumbered = envelopes.some((envelope, at) => envelope.sequence !== expectedSequence + at)
  if (envelopes.length === 0 || misnumbered) {
    throw new Error(`journal append at ${expectedSequence}: events must be numbered from there on, without gaps`)
  }
}

function gap(key: string, from: number, to: number): Effect.Effect<never, Damaged> {
  return Effect.fail(
    new Damaged({
      component: 'journal',
      value: key,
      problem: `events ${from} to ${to - 1} are missing`,
      remedy: 'Restore the missing objects of this journal from a backup; nothing has been changed.',
    }),
  )
}

function orFault<T extends object>(key: string, value: T | JournalFault): Effect.Effect<T, Damaged | FormatTooNew> {
  if (!isJournalFault(value)) return Effect.succeed(value)
  const complaint = { component: 'journal', value: key, problem: value.problem }
  if (value.fault === 'newer') {
    return Effect.fail(
      new FormatTooNew({ ...complaint, remedy: 'Start the version of Loch that wrote it, or a newer.' }),
    )
  }
  const remedy = key.includes('/snapshots/')
    ? 'Remove this object: it is derived, the events hold everything.'
    : 'Restore this object from a backup; nothing has been changed.'
  return Effect.fail(new Damaged({ ...complaint, remedy }))
}
