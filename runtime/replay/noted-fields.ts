/**
 * What notes say of their sources: positions on the data path, which no state of an actor holds. A field's notes are looked for
 * once, when somebody first asks for it, so that asking at each of a million events costs no search back.
 */
import { actorOf, KINDS } from '../../events/run-log.ts'
import { WordList } from './event-table.ts'
import type { RunLog } from './open-log.ts'

const NOTE_KIND = KINDS.indexOf('note')
const FIRST_CAPACITY = 16

export class NotedFields {
  readonly #log: RunLog
  /** By source and field: places of the notes that tell of it, ascending. */
  readonly #places = new Map<string, WordList>()

  constructor(log: RunLog) {
    this.#log = log
  }

  /** Whether anything in the log is of this source, whatever its host. */
  isSource(name: string): boolean {
    return this.#lanesOf(name).length > 0
  }

  /** What was said of it last, up to `place`. */
  at(place: number, source: string, [field, ...rest]: readonly string[]): unknown {
    if (field === undefined) return undefined
    const places = this.#placesOf(source, field)
    const count = places.firstNotBelow(place + 1)
    return count === 0 ? undefined : partAt(this.#log.event(places.at(count - 1)).payload[field], rest)
  }

  #placesOf(source: string, field: string): WordList {
    const key = `${source} ${field}`
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const found = this.#lanesOf(source).flatMap(({ events }) => {
      return [...events.items.subarray(0, events.length)].filter((place) => this.#isNoteOf(place, field))
    })
    const places = new WordList(Math.max(FIRST_CAPACITY, found.length))
    for (const place of found.sort((left, right) => left - right)) places.push(place)
    this.#places.set(key, places)
    return places
  }

  #isNoteOf(place: number, field: string): boolean {
    return this.#log.table.kind[place] === NOTE_KIND && Object.hasOwn(this.#log.event(place).payload, field)
  }

  #lanesOf(name: string) {
    return [...this.#log.table.lanes.values()].filter(({ source }) => actorOf(this.#log.name(source)) === name)
  }
}

/** The part of a value at a path; undefined if there is none. */
export function partAt(value: unknown, path: readonly string[]): unknown {
  let inner = value
  for (const key of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, key)) return undefined
    inner = (inner as Record<string, unknown>)[key]
  }
  return inner
}
