/**
 * The journals in the object store, found and read for whoever asks over NATS. Reading only: a journal is written by the
 * host of its actor. Logs and segments lie beside the journals under `timelines/` in any number, so actors are found by
 * skipping from one name to the next instead of listing everything.
 */
import * as Effect from 'effect/Effect'
import type { Envelope } from '../../events/envelope.ts'
import { BadArgument, type LochError, ObjectMissing } from '../errors.ts'
import { openJournal } from '../log/journal.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import { ANSWER_BYTES_MAX, JOURNAL_EVENTS_MAX } from './schemas.ts'

export interface JournalName {
  /** `timelines/main/journal`: the prefix of its objects. */
  readonly journal: string
  /** `timeline.main`. */
  readonly actor: string
}

/** Folders of the object store (named in log/keys.ts) and the kinds of actors in them. */
const KINDS: Readonly<Record<string, string>> = {
  projects: 'project',
  timelines: 'timeline',
  endpoints: 'endpoint',
  zones: 'zone',
}
/** The byte after `/`: where a listing that skips everything below a name goes on. */
const AFTER_SLASH = '0'
/** More actors than this are not listed; a project has dozens. */
const JOURNALS_MAX = 2_000

export const listJournals = Effect.fnUntraced(function* (
  store: ObjectStoreShape,
): Effect.fn.Return<readonly JournalName[], LochError> {
  const found: JournalName[] = []
  for (const [folder, kind] of Object.entries(KINDS)) {
    let startAfter = ''
    while (found.length < JOURNALS_MAX) {
      const [next] = yield* store.list(`${folder}/`, { limit: 1, ...(startAfter === '' ? {} : { startAfter }) })
      const id = next?.key.split('/')[1]
      if (id === undefined) break
      const journal = `${folder}/${id}/journal`
      if ((yield* store.list(`${journal}/`, { limit: 1 })).length > 0) found.push({ journal, actor: `${kind}.${id}` })
      startAfter = `${folder}/${id}${AFTER_SLASH}`
    }
  }
  return found
})

export interface JournalPage {
  readonly journal: string
  readonly events: readonly Envelope[]
  readonly more: boolean
}

/** Events after sequence `after`. Errors: BadArgument, ObjectMissing, Damaged, FormatTooNew, and the store's. */
export const readJournal = Effect.fnUntraced(function* (
  store: ObjectStoreShape,
  name: string,
  after: number,
  limit: number,
): Effect.fn.Return<JournalPage, LochError> {
  if (!/^(projects|timelines|endpoints|zones)\/[a-z0-9][a-z0-9-]{0,62}\/journal$/.test(name))
    return yield* malformed(name)
  // Not `eventsAfter`, which is for a reader whose fold ends where a batch ends; anybody may ask for any sequence.
  const history = yield* openJournal(store, name).history()
  const events = history.filter((event) => event.sequence > after)
  if (history.length === 0 && (yield* store.list(`${name}/`, { limit: 1 })).length === 0) return yield* missing(name)
  const page = events.slice(0, fitting(events, Math.min(limit, JOURNAL_EVENTS_MAX)))
  return { journal: name, events: page, more: page.length < events.length }
})

/** How many of the events fit into one message of NATS; at least one, which is small by contract (ENVELOPE_BYTES_MAX). */
function fitting(events: readonly Envelope[], limit: number): number {
  let bytes = 0
  for (const [at, event] of events.entries()) {
    bytes += JSON.stringify(event).length
    if (at >= limit || (at > 0 && bytes > ANSWER_BYTES_MAX)) return at
  }
  return events.length
}

function malformed(name: string): BadArgument {
  return new BadArgument({
    component: 'journals',
    value: name,
    problem: 'this is not the name of a journal',
    remedy: 'Take a name from the list of journals, like timelines/main/journal.',
  })
}

function missing(name: string): ObjectMissing {
  return new ObjectMissing({
    component: 'journals',
    value: name,
    problem: 'there is no such journal',
    remedy: 'Take a name from the list of journals.',
  })
}
