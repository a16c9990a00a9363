/**
 * The parts of which the messages of safekeeper-wire.ts are made, and how they are checked: a message is one MessagePack
 * array, and every field is taken from it with the check that it must pass. Nothing here knows a single message.
 */
import { decode } from './codec.ts'

export const SAFEKEEPER_WIRE_VERSION = 1
/** A history has an entry per reign that wrote: far beyond any real timeline, far below a message's limit. */
const HISTORY_ENTRIES_MAX = 65_536

/** Where a term's log begins. A history is ordered: terms ascend strictly, begins never descend. */
export interface TermBegin {
  readonly term: number
  readonly begin: number
}
export type TermHistory = readonly TermBegin[]

export interface WireFault {
  readonly fault: 'malformed' | 'newer'
  readonly problem: string
}

export function isWireFault<T extends object>(value: T | WireFault): value is WireFault {
  return 'fault' in value && (value.fault === 'malformed' || value.fault === 'newer') && 'problem' in value
}

/** Thrown and caught within this file only, so that a decoder reads as the list of its fields. */
class Malformed {
  readonly problem: string
  constructor(problem: string) {
    this.problem = problem
  }
}

/** What `read` makes of the fields, or why it cannot. */
export function decoded<T extends object>(bytes: Uint8Array, read: (fields: Fields) => T): T | WireFault {
  try {
    const fields = new Fields(decode(bytes))
    const version = fields.count()
    if (version > SAFEKEEPER_WIRE_VERSION) {
      return { fault: 'newer', problem: `version ${version}, this Loch knows ${SAFEKEEPER_WIRE_VERSION}` }
    }
    return read(fields)
  } catch (error) {
    return { fault: 'malformed', problem: error instanceof Malformed ? error.problem : 'not MessagePack' }
  }
}

/** Takes the fields of an array one by one, each with its check. */
class Fields {
  readonly #values: readonly unknown[]
  #at = 0

  constructor(values: unknown) {
    if (!Array.isArray(values)) throw new Malformed('not an array')
    this.#values = values
  }

  count(): number {
    return this.#checked('a count', (value) => Number.isSafeInteger(value) && (value as number) >= 0) as number
  }

  text(): string {
    return this.#checked('a text', (value) => typeof value === 'string') as string
  }

  flag(): boolean {
    return this.#checked('a flag', (value) => typeof value === 'boolean') as boolean
  }

  optional<T>(read: () => T): T | undefined {
    if (this.#values[this.#at] !== null) return read()
    this.#at++
    return undefined
  }

  history(): TermHistory {
    const value = this.#checked('a history', (it) => Array.isArray(it) && it.length <= HISTORY_ENTRIES_MAX)
    const history = (value as readonly unknown[]).map((entry) => {
      const fields = new Fields(entry)
      return { term: fields.count(), begin: fields.count() }
    })
    const isOrdered = history.every(({ term, begin }, at) => {
      const before = history[at - 1]
      return before === undefined ? term > 0 : term > before.term && begin >= before.begin
    })
    if (!isOrdered) throw new Malformed('the history is not in order')
    return history
  }

  #checked(what: string, holds: (value: unknown) => boolean): unknown {
    const at = this.#at++
    const value = this.#values[at]
    if (!holds(value)) throw new Malformed(`field ${at} is not ${what}`)
    return value
  }
}
