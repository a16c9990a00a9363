/**
 * The index of a run log: what every event says in its prefix, in typed columns, so that a million events take some 60 MB
 * and are filtered without being decoded. Beside it, for every source, its events and the places of its whole states.
 * Events are numbered here by their place, from 0; their sequences may have gaps where the log is damaged.
 */
import { idHash, PREFIX_BYTES } from '../../events/run-log.ts'

const FIRST_CAPACITY = 4_096

/** Numbers that may only be added. */
export class NumberList<A extends Uint8Array | Uint32Array | Float64Array> {
  items: A
  length = 0

  constructor(items: A) {
    this.items = items
  }

  push(value: number): void {
    if (this.length === this.items.length) {
      const grown = new (this.items.constructor as new (length: number) => A)(2 * this.length)
      grown.set(this.items)
      this.items = grown
    }
    this.items[this.length++] = value
  }

  at(place: number): number {
    return this.items[place]!
  }

  /** The first place whose value is not below `value`; of an ascending list. */
  firstNotBelow(value: number): number {
    let [low, high] = [0, this.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.items[middle]! < value) low = middle + 1
      else high = middle
    }
    return low
  }
}

const bytes = () => new NumberList(new Uint8Array(FIRST_CAPACITY))
const words = (capacity = FIRST_CAPACITY) => new NumberList(new Uint32Array(capacity))
const doubles = (capacity = FIRST_CAPACITY) => new NumberList(new Float64Array(capacity))

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
  readonly baseOffsets = doubles(LANE_CAPACITY)
  /** After so many of its events some may be lost. */
  readonly gaps: number[] = []

  constructor(source: number) {
    this.source = source
  }
}

export class EventTable {
  readonly offset = doubles()
  readonly kind = bytes()
  readonly outcome = bytes()
  readonly sequence = words()
  readonly source = words()
  readonly type = words()
  readonly state = words()
  readonly cause = words()
  readonly correlation = words()
  readonly at = doubles()
  readonly term = doubles()
  /** Hashes of ids and the event that each belongs to: one or more for every event that has an id. */
  readonly idHash = words()
  readonly idEvent = words()
  readonly lanes = new Map<number, Lane>()

  get length(): number {
    return this.kind.length
  }

  /** A record that is an event; returns its lane. */
  add(record: Buffer, at: number, offset: number): Lane {
    const place = this.length
    this.offset.push(offset)
    this.kind.push(record[at + 8]!)
    this.outcome.push(record[at + 9]!)
    this.sequence.push(record.readUInt32LE(at + 12))
    const source = record.readUInt32LE(at + 16)
    this.source.push(source)
    this.type.push(record.readUInt32LE(at + 20))
    this.state.push(record.readUInt32LE(at + 24))
    this.cause.push(record.readUInt32LE(at + 28))
    this.correlation.push(record.readUInt32LE(at + 32))
    this.at.push(record.readDoubleLE(at + 36))
    this.term.push(record.readDoubleLE(at + 44))
    const ids = record.readUInt16LE(at + 10)
    for (let id = 0; id < ids; id++) this.#addId(record.readUInt32LE(at + PREFIX_BYTES + 4 * id), place)
    const lane = this.lane(source)
    lane.events.push(place)
    return lane
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
