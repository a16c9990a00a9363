/**
 * The run log: what happened to the actors of one run, in production or in a simulation, in the order in which it happened.
 * An actor's inputs stand in it with their causes, and so do the outputs and what changed in its state. So a run can be looked
 * at as it was (fold the changes), and checked against today's code (decide the inputs again and compare). Equal runs have
 * equal bytes. No user data may ever get here: what carries data is noted by length and checksum.
 *
 * A file is a sequence of records, little endian:
 *   0 u32 length of what follows the checksum   4 u32 CRC-32 of it   8 u8 kind   9 the rest, by kind
 * header, name, snapshot: MessagePack. Names are numbered, and events refer to them by number.
 * An event: a prefix of fixed fields, so that an index of a million is made without decoding one, then MessagePack:
 *   9 u8 outcome  10 u16 ids  12 u32 sequence  16 u32 source  20 u32 type  24 u32 state  28 u32 hash of the cause's id
 *  32 u32 hash of the correlation's id  36 f64 at  44 f64 term  52 u32 hash of each id: its own, then those of its facts
 *
 * The header comes first. Sequences count the events from 1, so a gap shows that some are lost.
 */
import { checksum } from './checksum.ts'
import { decode, encode } from './codec.ts'
import type { Envelope } from './envelope.ts'

export const RUN_LOG_FORMAT = 'loch run log'
export const RUN_LOG_VERSION = 1
export const FRAME_BYTES = 8
export const PREFIX_BYTES = 52
/** An envelope is at most 64 KiB, and an actor's whole state is of that order. */
export const RECORD_BYTES_MAX = 4 * 2 ** 20

export interface RunLogHeader {
  readonly format: string
  readonly version: number
  readonly kind: 'simulation' | 'production'
  readonly startedAt: number
  readonly seed?: string
}

/** Kinds of records by number; those after `began` (inclusive) are events. */
export const KINDS = ['header', 'name', 'snapshot', 'began', 'took', 'folded', 'fault', 'message', 'note'] as const
export const FIRST_EVENT_KIND = 3
export type EventKind = Exclude<(typeof KINDS)[number], 'header' | 'name' | 'snapshot'>

export const OUTCOMES = ['taken', 'ignored', 'refused'] as const
export type OutcomeKind = (typeof OUTCOMES)[number]

/** What one event changed: the value at a path is now this; without a value it is gone. */
export type Change = readonly [path: readonly string[], value: unknown] | readonly [path: readonly string[]]

export interface RunSnapshot {
  readonly state: string
  readonly context: unknown
}

/**
 * One thing that happened.
 *   began    an actor is hosted from here on, with this whole snapshot
 *   took     an actor heard a message and decided
 *   folded   an actor learned of a fact that another host of it had made durable
 *   fault    the world did something bad
 *   message  bytes went from `source` to somebody; `payload` says to whom, how many, and their checksum
 *   note     anything else worth knowing: an operation of a client, a report, a verdict
 */
export interface RunEvent {
  readonly kind: EventKind
  readonly sequence: number
  readonly at: number
  /** `<kind>.<id>@<host>` for actors, else any name: `client-1`, `world`. */
  readonly source: string
  /** Of the message, fact, fault or note; the subject of a `message`. */
  readonly type: string
  /** Of the actor, after the event; '' if there is none. */
  readonly state: string
  readonly term: number
  readonly outcome: OutcomeKind
  /** Why it was ignored or refused. */
  readonly reason: string
  readonly id: string
  readonly causationId: string
  readonly correlationId: string
  /** Place among the actor's own events, as in its envelope. */
  readonly actorSequence: number
  readonly version: number
  readonly payload: Readonly<Record<string, unknown>>
  readonly facts: ReadonlyArray<Envelope>
  readonly effects: ReadonlyArray<unknown>
  readonly changes: ReadonlyArray<Change>
  readonly snapshot: RunSnapshot | undefined
}

export type NewEvent = Pick<RunEvent, 'kind' | 'at' | 'source' | 'type'> & Partial<Omit<RunEvent, 'sequence'>>

/** FNV-1a over UTF-16 units: finds candidates, which are then compared by their whole ids. */
export function idHash(id: string): number {
  let hash = 0x811c_9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x0100_0193)
  return hash >>> 0
}

/** Turns events into the bytes of one log. Its output, joined, is the file. */
export class RunLogEncoder {
  readonly #write: (bytes: Uint8Array) => void
  readonly #names = new Map<string, number>()
  sequence = 0

  constructor(header: Omit<RunLogHeader, 'format' | 'version'>, write: (bytes: Uint8Array) => void) {
    this.#write = write
    this.#plain('header', { format: RUN_LOG_FORMAT, version: RUN_LOG_VERSION, ...header })
  }

  /** Returns the event's sequence. */
  event(event: NewEvent): number {
    const { id = '', causationId = '', correlationId = '', facts = [], state = '' } = event
    const ids = [id, ...facts.map((fact) => fact.id)]
    const numbers = [event.source, event.type, state].map((name) => this.#number(name))
    const body = encode([
      id,
      causationId,
      correlationId,
      event.actorSequence ?? 0,
      event.version ?? 1,
      event.reason ?? '',
      event.payload ?? {},
      facts,
      event.effects ?? [],
      event.changes ?? [],
      event.snapshot,
    ])
    const bytes = Buffer.alloc(PREFIX_BYTES + 4 * ids.length + body.length)
    bytes[8] = KINDS.indexOf(event.kind)
    bytes[9] = OUTCOMES.indexOf(event.outcome ?? 'taken')
    bytes.writeUInt16LE(ids.length, 10)
    bytes.writeUInt32LE(++this.sequence, 12)
    for (const [at, number] of numbers.entries()) bytes.writeUInt32LE(number, 16 + 4 * at)
    bytes.writeUInt32LE(idHash(causationId), 28)
    bytes.writeUInt32LE(idHash(correlationId), 32)
    bytes.writeDoubleLE(event.at, 36)
    bytes.writeDoubleLE(event.term ?? 0, 44)
    for (const [at, one] of ids.entries()) bytes.writeUInt32LE(idHash(one), PREFIX_BYTES + 4 * at)
    bytes.set(body, PREFIX_BYTES + 4 * ids.length)
    this.#frame(bytes)
    return this.sequence
  }

  /** The whole state of `source` as of here. Not an event: without it a reader would fold from the beginning. */
  snapshot(source: string, snapshot: RunSnapshot): void {
    this.#plain('snapshot', [this.#number(source), snapshot.state, snapshot.context])
  }

  #number(name: string): number {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const number = this.#names.size
    this.#plain('name', [number, name])
    this.#names.set(name, number)
    return number
  }

  #plain(kind: (typeof KINDS)[number], content: unknown): void {
    const body = encode(content)
    const bytes = Buffer.alloc(FRAME_BYTES + 1 + body.length)
    bytes[8] = KINDS.indexOf(kind)
    bytes.set(body, FRAME_BYTES + 1)
    this.#frame(bytes)
  }

  #frame(bytes: Buffer): void {
    bytes.writeUInt32LE(bytes.length - FRAME_BYTES, 0)
    bytes.writeUInt32LE(checksum(bytes.subarray(FRAME_BYTES)), 4)
    this.#write(bytes)
  }
}

/** The MessagePack of a header, name or snapshot record, given whole. */
export function plainContent(record: Uint8Array): unknown {
  return decode(record.subarray(FRAME_BYTES + 1))
}

/** An event from its whole record, whose checksum has been verified. `name` is the meaning of a number. */
export function decodeEvent(record: Buffer, name: (number: number) => string): RunEvent {
  const body = decode(record.subarray(PREFIX_BYTES + 4 * record.readUInt16LE(10))) as readonly unknown[]
  return {
    kind: KINDS[record[8]!] as EventKind,
    sequence: record.readUInt32LE(12),
    at: record.readDoubleLE(36),
    source: name(record.readUInt32LE(16)),
    type: name(record.readUInt32LE(20)),
    state: name(record.readUInt32LE(24)),
    term: record.readDoubleLE(44),
    outcome: OUTCOMES[record[9]!]!,
    id: body[0] as string,
    causationId: body[1] as string,
    correlationId: body[2] as string,
    actorSequence: body[3] as number,
    version: body[4] as number,
    reason: body[5] as string,
    payload: body[6] as RunEvent['payload'],
    facts: body[7] as RunEvent['facts'],
    effects: body[8] as RunEvent['effects'],
    changes: body[9] as RunEvent['changes'],
    snapshot: body[10] as RunEvent['snapshot'],
  }
}

/** `timeline.main` of `timeline.main@zone-1`. */
export function actorOf(source: string): string {
  const at = source.indexOf('@')
  return at < 0 ? source : source.slice(0, at)
}
