/**
 * The index of a run log: what every event says in its prefix, in typed columns, so that a million events take some 60 MB
 * and are filtered without being decoded. Beside it, for every source, its events and the places of its whole states.
 * Events are numbered here by their place, from 0; their sequences may have gaps where the log is damaged.
 */
import { idHash, PREFIX_BYTES } from '../../events/run-log.ts'

const FIRST_CAPACITY = 4_096

/** 32-bit numbers that may only be added. */
export class WordList {
  items: Uint32Array<ArrayBuffer>
  length = 0

  constructor(capacity: number) {
    this.items = new Uint32Array(capacity)
  }

  push(value: number): void {
    if (this.length === this.items.length) this.items = doubled(this.items)
    this.items[this.length++] = value
  }

  at(place: number): number {
    return this.items[place]!
  }

  /** The first place whose value is not below `value`; of an ascending list. */
  firstNotBelow(value: number): number {
    return firstNotBelow(this.items, this.length, value)
  }
}

/** The first of the first `length` places whose value is not below `value`; of ascending numbers. */
export function firstNotBelow(items: Uint32Array | Float64Array, length: number, value: number): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (items[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

function doubled<A extends Uint8Array | Uint32Array | Float64Array>(items: A): A {
  const grown = new (items.constructor as new (length: number) => A)(2 * items.length)
  grown.set(items)
  return grown
}

const words = (capacity: number) => new WordList(capacity)

const LANE_CAPACITY = 16

/** What happened at one source. */
export class Lane {
  /** Number of the source's name. */
  readonly source: number
  /** Places of its events. */
  readonly events = words(LANE_CAPACITY)
  /** After so many of its events a whole state stands in the log … */
  readonly baseCounts = words(LANE_CAPACITY)
  /** … at this offset: a snapshot, or the event `began`. */
  readonly baseOffsets: number[] = []

  constructor(source: number) {
    this.source = source
  }
}

/** Fixed fields of all events, a column each, grown together. */
export class EventTable {
  length = 0
  /** False if clocks differ: then the order of events is not that of their times. */
  isInOrderOfTime = true
  offset = new Float64Array(FIRST_CAPACITY)
  kind = new Uint8Array(FIRST_CAPACITY)
  outcome = new Uint8Array(FIRST_CAPACITY)
  sequence = new Uint32Array(FIRST_CAPACITY)
  source = new Uint32Array(FIRST_CAPACITY)
  type = new Uint32Array(FIRST_CAPACITY)
  state = new Uint32Array(FIRST_CAPACITY)
  cause = new Uint32Array(FIRST_CAPACITY)
  correlation = new Uint32Array(FIRST_CAPACITY)
  at = new Float64Array(FIRST_CAPACITY)
  term = new Float64Array(FIRST_CAPACITY)
  /** Hashes of ids and the event that each belongs to: one or more for every event that has an id. */
  readonly idHash = words(FIRST_CAPACITY)
  readonly idEvent = words(FIRST_CAPACITY)
  readonly lanes = new Map<number, Lane>()

  /** A record that is an event; returns its lane. */
  add(record: DataView, at: number, offset: number): Lane {
    if (this.length === this.kind.length) this.#grow()
    const place = this.length++
    const source = record.getUint32(at + 16, true)
    this.offset[place] = offset
    this.kind[place] = record.getUint8(at + 8)
    this.outcome[place] = record.getUint8(at + 9)
    this.sequence[place] = record.getUint32(at + 12, true)
    this.source[place] = source
    this.type[place] = record.getUint32(at + 20, true)
    this.state[place] = record.getUint32(at + 24, true)
    this.cause[place] = record.getUint32(at + 28, true)
    this.correlation[place] = record.getUint32(at + 32, true)
    this.at[place] = record.getFloat64(at + 36, true)
    if (place > 0 && this.at[place]! < this.at[place - 1]!) this.isInOrderOfTime = false
    this.term[place] = record.getFloat64(at + 44, true)
    const ids = record.getUint16(at + 10, true)
    for (let id = 0; id < ids; id++) this.#addId(record.getUint32(at + PREFIX_BYTES + 4 * id, true), place)
    const lane = this.lane(source)
    lane.events.push(place)
    return lane
  }

  #grow(): void {
    this.offset = doubled(this.offset)
    this.kind = doubled(this.kind)
    this.outcome = doubled(this.outcome)
    this.sequence = doubled(this.sequence)
    this.source = doubled(this.source)
    this.type = doubled(this.type)
    this.state = doubled(this.state)
    this.cause = doubled(this.cause)
    this.correlation = doubled(this.correlation)
    this.at = doubled(this.at)
    this.term = doubled(this.term)
  }

  #addId(hash: number, place: number): void {
    if (hash === NO_ID) return
    this.idHash.push(hash)
    this.idEvent.push(place)
  }

  lane(source: number): Lane {
    let lane = this.lanes.get(source)
    if (lane === undefined) {
      lane = new Lane(source)
      this.lanes.set(source, lane)
    }
    return lane
  }
}

const NO_ID = idHash('')

/** Values by 32-bit hashes, for columns that are made once: all places with a hash, newest first. */
export class HashIndex {
  readonly #heads: Int32Array
  readonly #next: Int32Array
  readonly #hashes: Uint32Array
  readonly #mask: number

  constructor(hashes: Uint32Array, length: number) {
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, length)))
    this.#mask = buckets - 1
    this.#heads = new Int32Array(buckets).fill(-1)
    this.#next = new Int32Array(length)
    this.#hashes = hashes
    for (let place = 0; place < length; place++) {
      const bucket = hashes[place]! & this.#mask
      this.#next[place] = this.#heads[bucket]!
      this.#heads[bucket] = place
    }
  }

  *places(hash: number): Generator<number> {
    for (let place = this.#heads[hash & this.#mask]!; place >= 0; place = this.#next[place]!) {
      if (this.#hashes[place] === hash) yield place
    }
  }
}
