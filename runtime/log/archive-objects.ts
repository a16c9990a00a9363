/**
 * Archived log objects, one by one: their names, listed and parsed, and their content, fetched ahead and checked. What a
 * log is made of is one level up (archive-tail.ts, archive-read.ts). An object whose checksum is wrong counts as absent:
 * a crash may tear it, and then its writer never acknowledged it.
 */
import type * as Effect from 'effect/Effect'
import {
  chainOver,
  checkPayload,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  readFrameHeader,
} from '../../events/frame.ts'
import type { LochError } from '../errors.ts'
import { run } from '../system/run.ts'
import { logPrefix, termText } from './keys.ts'

/** Requests in flight: S3 answers each after tens of milliseconds, and there may be thousands of small objects. */
export const READS_IN_FLIGHT = 16
/** Objects are read to find the end of the log and then to fold it: this much of them is kept from one to the other. */
export const KEPT_PAYLOAD_BYTES_MAX = 32 * 1024 * 1024

/** What reading the archive needs of the object store. */
export interface ArchiveStore {
  readonly list: (
    prefix: string,
    options?: { readonly startAfter?: string },
  ) => Effect.Effect<ReadonlyArray<{ readonly key: string; readonly size?: number | undefined }>, LochError>
  readonly read: (
    key: string,
    range?: { readonly offset: number; readonly length: number },
  ) => Effect.Effect<Uint8Array, LochError>
  /** There only where a crash may tear an object. */
  readonly createNow?: unknown
}

/** All of an object, as a range: the file store syncs what is read whole, which costs more than all else together. */
const WHOLE = { offset: 0, length: FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX }

/** A name, which promises nothing. */
export interface LogName {
  readonly key: string
  readonly term: number
  readonly begin: number
  /** Where it ends, by its size, where a listing says that. */
  readonly endBySize?: number | undefined
}

/** A checked object. */
export interface LogObject extends LogName {
  readonly end: number
  readonly chainBefore: number
  readonly chainAfter: number
  /** Its writer knew everything below to be archived, durably. */
  readonly archived: number
  readonly payload: Buffer
}

const NOTHING = Buffer.alloc(0)

const NAME = /^(\d{8,})-(\d{16,})$/

/** Names of terms from `term` on, by term and then by position. Others' names under the prefix are not ours to judge. */
export async function listLog(store: ArchiveStore, timeline: string, term: number): Promise<readonly LogName[]> {
  const prefix = logPrefix(timeline)
  const names: LogName[] = []
  for (const { key, size } of await run(store.list(prefix, { startAfter: `${prefix}${termText(term)}` }))) {
    const match = NAME.exec(key.slice(prefix.length))
    if (!match) continue
    const begin = Number(match[2])
    names.push({ key, term: Number(match[1]), begin, endBySize: size && begin + size - FRAME_HEADER_BYTES })
  }
  return names
}

/** Undefined if the bytes are not one whole frame of that name. */
export function parseLogObject(name: LogName, bytes: Uint8Array): LogObject | undefined {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const header = readFrameHeader(frame, 0)
  if (typeof header === 'string' || header.term !== name.term || header.begin !== name.begin) return undefined
  const payload = frame.subarray(FRAME_HEADER_BYTES)
  if (!checkPayload(header, payload)) return undefined
  const { key, term, begin } = name
  const { chainBefore, chainAfter, archived } = header
  return { key, term, begin, end: begin + payload.length, chainBefore, chainAfter, archived, payload }
}

/** False if it is known, without a look at it, to end at or before `position`. */
export function mayReachBeyond({ begin, endBySize }: LogName, position: number): boolean {
  return (endBySize ?? begin + FRAME_PAYLOAD_BYTES_MAX) > position
}

/** Chain at `position`, which lies within the object or at either end of it. */
export function chainWithin(object: LogObject, position: number): number {
  if (position === object.end) return object.chainAfter
  return chainOver(object.payload.subarray(0, position - object.begin), object.chainBefore)
}

/** Fetches and checks objects; remembers them up to a limit, for whoever reads them next. */
export class LogObjects {
  /** By term, the one of its objects before which the most was archived: see LogObject. */
  readonly vouching = new Map<number, LogObject>()
  /** Those whose checksum is wrong. */
  readonly torn = new Map<string, LogName>()
  readonly #store: ArchiveStore
  readonly #kept = new Map<string, LogObject>()
  #keptBytes = 0

  constructor(store: ArchiveStore) {
    this.#store = store
  }

  /** False where an object is there whole or not at all: one whose checksum is wrong was damaged since. */
  get mayTear(): boolean {
    return this.#store.createNow !== undefined
  }

  /** Undefined if it is torn. Rejects with ObjectMissing and what else the store says. */
  async get(name: LogName): Promise<LogObject | undefined> {
    const kept = this.#kept.get(name.key)
    if (kept) return kept
    const object = parseLogObject(name, await run(this.#store.read(name.key, WHOLE)))
    this.#note(name, object)
    if (object && this.#keptBytes + object.payload.length <= KEPT_PAYLOAD_BYTES_MAX) {
      this.#kept.set(name.key, object)
      this.#keptBytes += object.payload.length
    }
    return object
  }

  #note(name: LogName, object: LogObject | undefined): void {
    if (!object) this.torn.set(name.key, name)
    else if (object.archived > (this.vouching.get(name.term)?.archived ?? 0)) {
      // Without its bytes, which would be kept beyond the limit.
      this.vouching.set(name.term, { ...object, payload: NOTHING })
    }
  }

  /**
   * Makes sure that an object found by `get` is durable: its writer may have been killed between the name and the sync, and
   * what is built on it must not be lost with it. False if it is not what it was.
   */
  async confirm(name: LogName): Promise<boolean> {
    return parseLogObject(name, await run(this.#store.read(name.key))) !== undefined
  }

  /** Objects of `names` in order, with READS_IN_FLIGHT on their way. */
  async *inOrder(names: readonly LogName[]): AsyncGenerator<readonly [LogName, LogObject | undefined]> {
    const flying: Array<Promise<LogObject | undefined>> = []
    let next = 0
    for (const name of names) {
      while (next < names.length && flying.length < READS_IN_FLIGHT) {
        const started = this.get(names[next++]!)
        // Whoever stops early must not be ended by what was still on its way.
        started.catch(() => {})
        flying.push(started)
      }
      yield [name, await flying.shift()!]
    }
  }
}
