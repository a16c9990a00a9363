/**
 * A run log, opened: its header, its index, and any event by its place. Opening reads and verifies the whole file once and
 * decodes nothing but names; events are decoded when somebody looks at them. Damage is found here and kept as findings, so
 * that what can be read is. Nothing here writes.
 */
import {
  decodeEvent,
  FIRST_EVENT_KIND,
  FRAME_BYTES,
  idHash,
  KINDS,
  plainContent,
  RUN_LOG_FORMAT,
  RUN_LOG_VERSION,
  type RunEvent,
  type RunLogHeader,
  type RunSnapshot,
} from '../../events/run-log.ts'
import { BadArgument, Damaged, FormatTooNew } from '../errors.ts'
import type { ByteSource } from './byte-source.ts'
import { EventTable, HashIndex } from './event-table.ts'
import { type Damage, isRecord, scanRecords } from './log-scan.ts'

const EVENTS_KEPT_MAX = 4_096
const HEADER_KIND = KINDS.indexOf('header')
const SNAPSHOT_KIND = KINDS.indexOf('snapshot')
const NAME_KIND = KINDS.indexOf('name')
const BEGAN_KIND = KINDS.indexOf('began')

export class RunLog {
  readonly source: ByteSource
  readonly header: RunLogHeader
  /** What is wrong, in the order in which it stands in the file. */
  readonly table = new EventTable()
  readonly damages: Damage[] = []
  /** The sequence that the next event should have; undefined behind damage, where any may come. */
  #nextSequence: number | undefined = 1
  readonly #names: string[] = []
  readonly #kept = new Map<number, RunEvent>()
  #viewed: Buffer | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))
  #ids: HashIndex | undefined
  #causes: HashIndex | undefined

  /** @throws BadArgument if nothing of it is a run log; FormatTooNew */
  constructor(source: ByteSource) {
    this.source = source
    const header = readHeader(source)
    scanRecords(source, {
      record: (bytes, at, end, offset) => this.#index(bytes, at, end, offset),
      damage: (damage) => this.#noteDamage(damage),
    })
    if (header === undefined && this.length === 0 && this.#names.length === 0) throw notALog(source)
    this.header = header ?? { ...HEADER_ASSUMED, startedAt: this.length > 0 ? this.table.at[0]! : 0 }
  }

  get length(): number {
    return this.table.length
  }

  /** Where the last damage before the event at `place` ends; 0 if nothing before it is lost. */
  lastDamageEnd(place: number): number {
    const offset = this.table.offset[place]!
    let [low, high] = [0, this.damages.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.damages[middle]!.end <= offset) low = middle + 1
      else high = middle
    }
    return this.damages[low - 1]?.end ?? 0
  }

  /** False if the name of the event's type or source is lost, so that nobody knows what it was. */
  isNamed(place: number): boolean {
    const { type, source } = this.table
    return this.#names[type[place]!] !== undefined && this.#names[source[place]!] !== undefined
  }

  /** A name by its number; one whose record is lost is shown as such. */
  readonly name = (number: number): string => this.#names[number] ?? `?${number}`

  /** The number of a name; undefined if nothing in the log has it. */
  numberOf(name: string): number | undefined {
    const number = this.#names.indexOf(name)
    return number < 0 ? undefined : number
  }

  get names(): readonly string[] {
    return this.#names
  }

  event(place: number): RunEvent {
    const kept = this.#kept.get(place)
    if (kept) return kept
    const event = decodeEvent(this.#record(this.table.offset[place]!), this.name)
    if (this.#kept.size >= EVENTS_KEPT_MAX) this.#kept.clear()
    this.#kept.set(place, event)
    return event
  }

  /** The whole state that stands at `offset`. */
  snapshotAt(offset: number): RunSnapshot {
    const record = this.#record(offset)
    if (record[FRAME_BYTES] === BEGAN_KIND) return decodeEvent(record, this.name).snapshot!
    const [, state, context] = plainContent(record) as [number, string, unknown]
    return { state, context }
  }

  /** The event with this id, or one of whose facts has it; the newest if a message came repeatedly. */
  placeOfId(id: string): number | undefined {
    const { idHash: hashes, idEvent } = this.table
    this.#ids ??= new HashIndex(hashes.items, hashes.length)
    for (const entry of this.#ids.places(idHash(id))) {
      const place = idEvent.at(entry)
      const event = this.event(place)
      if (event.id === id || event.facts.some((fact) => fact.id === id)) return place
    }
    return undefined
  }

  /** Events whose direct cause has this id, oldest first. */
  causedBy(id: string): readonly number[] {
    const { cause } = this.table
    this.#causes ??= new HashIndex(cause, this.length)
    const places = [...this.#causes.places(idHash(id))]
    return places.filter((place) => this.#isCausedBy(this.event(place), id)).sort((left, right) => left - right)
  }

  #isCausedBy(event: RunEvent, id: string): boolean {
    return event.causationId === id && event.id !== id
  }

  /** What is wrong with the log, as one error; undefined if nothing is. */
  get problem(): Damaged | undefined {
    const [first, ...others] = this.damages
    if (first === undefined) return undefined
    const more = others.length === 0 ? '' : `, and ${others.length} more places`
    const lost = `${whereOf(first)}${first.problem}${more}`
    return new Damaged({
      component: 'run log',
      value: this.source.name,
      problem: `${lost}. ${this.length} events can be read`,
      remedy:
        'They are shown; states after a gap may be unknown until the next whole one. Copy or export the log again.',
    })
  }

  #record(offset: number): Buffer {
    const length = this.source.read(offset, FRAME_BYTES).readUInt32LE(0)
    // Not copied: a log holds no binary values, which alone would refer to it when decoded.
    return this.source.read(offset, FRAME_BYTES + length)
  }

  #index(bytes: Buffer, at: number, end: number, offset: number): void {
    const kind = bytes[at + FRAME_BYTES]!
    if (kind >= FIRST_EVENT_KIND) {
      const lane = this.table.add(this.#viewOf(bytes), at, offset)
      this.#followSequence(offset)
      if (kind !== BEGAN_KIND) return
      lane.baseCounts.push(lane.events.length)
      lane.baseOffsets.push(offset)
    } else if (kind === NAME_KIND) {
      const [number, name] = plainContent(bytes.subarray(at, end)) as [number, string]
      this.#names[number] = name
    } else if (kind === SNAPSHOT_KIND) {
      const [source] = plainContent(bytes.subarray(at, end)) as [number]
      const lane = this.table.lane(source)
      lane.baseCounts.push(lane.events.length)
      lane.baseOffsets.push(offset)
    }
  }

  /** One for a whole chunk: a million would be garbage. */
  #viewOf(bytes: Buffer): DataView {
    if (this.#viewed !== bytes) {
      this.#viewed = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    return this.#view
  }

  #noteDamage(damage: Damage): void {
    this.damages.push(damage)
    this.#nextSequence = undefined
  }

  /** Whole records can be missing without a trace but this: the sequences of events have a gap. */
  #followSequence(offset: number): void {
    const sequence = this.table.sequence[this.length - 1]!
    const expected = this.#nextSequence ?? sequence
    if (sequence !== expected) {
      this.damages.push({ offset, end: offset, problem: missing(expected, sequence) })
    }
    this.#nextSequence = sequence + 1
  }

  close(): void {
    this.source.close()
  }
}

function missing(expected: number, sequence: number): string {
  if (sequence < expected) return 'events come again'
  return sequence === expected + 1
    ? `event ${expected} is missing`
    : `events ${expected} to ${sequence - 1} are missing`
}

function whereOf({ offset, end }: Damage): string {
  return end > offset ? `bytes ${offset} to ${end} cannot be read: ` : `before byte ${offset} `
}

const HEADER_BYTES_MAX = 4_096
/** Of a log whose header is lost: times are taken for what they say, as in production. */
const HEADER_ASSUMED = { format: RUN_LOG_FORMAT, version: RUN_LOG_VERSION, kind: 'production' } as const

function notALog(source: ByteSource): BadArgument {
  return new BadArgument({
    component: 'run log',
    value: source.name,
    problem: source.size === 0 ? 'the file is empty' : 'this is not a run log',
    remedy: 'Name a file made by `loch log export > FILE`, or one that a failed simulation left.',
  })
}

/** Undefined if it is damaged. @throws FormatTooNew */
function readHeader(source: ByteSource): RunLogHeader | undefined {
  const header = decodeHeader(Buffer.from(source.read(0, HEADER_BYTES_MAX)))
  if (header === undefined) return undefined
  if (header.version <= RUN_LOG_VERSION) return header
  const about = `a ${header.kind} of ${new Date(header.startedAt).toISOString()}${header.seed === undefined ? '' : `, seed ${header.seed}`}`
  throw new FormatTooNew({
    component: 'run log',
    value: source.name,
    problem: `it was written in version ${header.version} (${about}; ${source.size} bytes), and this Loch knows ${RUN_LOG_VERSION}`,
    remedy: 'Open it with the version of Loch that wrote it, or a newer one.',
  })
}

function decodeHeader(bytes: Buffer): RunLogHeader | undefined {
  if (bytes.length <= FRAME_BYTES || bytes[FRAME_BYTES] !== HEADER_KIND) return undefined
  const end = FRAME_BYTES + bytes.readUInt32LE(0)
  if (!isRecord(bytes, 0, end)) return undefined
  const header = plainContent(bytes.subarray(0, end)) as RunLogHeader
  return header.format === RUN_LOG_FORMAT ? header : undefined
}
