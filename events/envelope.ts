/**
 * The envelope: the one shape in which anything is said to an actor and in which anything it decided is remembered.
 * A command on the bus, a result coming back and a fact in a journal differ only in `type` and `payload`, so one replay
 * tool reads everything, and `correlationId` (the root command) and `causationId` (the direct cause) lead from any fact
 * back to the request that wanted it. Nothing here may know an actor: the unions of the neighbouring files do.
 *
 * Inside an actor an event is flat, `{type, at, ...payload}`, because that is what a state machine reads; `wrap` and
 * `unwrap` convert. Faults are values: a malformed message is the sender's mistake, never an exception of ours.
 */
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import { decode, encode } from './codec.ts'

/** Version of every event's payload. A reader refuses a higher one instead of guessing what it means. */
export const EVENT_VERSION = 1
/** Control messages are small; a NATS server refuses 1 MiB, and a journal object repeats up to 64 of them. */
export const ENVELOPE_BYTES_MAX = 64 * 1024

export const Count = Schema.Number.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: 2 ** 53 - 1 }))
/** Milliseconds since 1970, as the process that made the event read its clock. Never used to order events. */
export const TimeMs = Schema.Finite

export const Envelope = Schema.Struct({
  /** Unique; a retry of the same message keeps it. */
  id: Schema.String,
  /** `<kind>.<id>`, for example `timeline.main`. */
  actor: Schema.String,
  /** Place among the events of the actor, from 1; 0 for a message that is not (yet) one of them. */
  sequence: Count,
  /** The reign that the event belongs to; 0 if none. */
  term: Count,
  at: TimeMs,
  type: Schema.String,
  version: Count,
  correlationId: Schema.String,
  causationId: Schema.String,
  payload: Schema.Record(Schema.String, Schema.Unknown),
})
export type Envelope = typeof Envelope.Type

/** An event as actors see it. */
export interface ActorEvent {
  readonly type: string
  readonly at: number
}

/** One member of an actor's union: `{type, at, ...fields}`. */
export function variant<const Type extends string, const Fields extends Schema.Struct.Fields>(
  type: Type,
  fields: Fields,
) {
  return Schema.Struct({ type: Schema.Literal(type), at: TimeMs, ...fields })
}

export interface Identity {
  readonly id: string
  readonly actor: string
  readonly sequence: number
  readonly term: number
}

/** What led to an event, and the command that began it all; as it stands in messages that are no events themselves. */
export const Cause = Schema.Struct({ id: Schema.String, correlationId: Schema.String })
export type Cause = typeof Cause.Type

/** The cause of what a message led to that is not itself hosted as an event: whatever led to the message. */
export function causeOf({ causationId, correlationId }: Envelope): Cause {
  return { id: causationId, correlationId }
}

/** The envelope of `event`; without a cause it starts a correlation of its own. Keys stand in one order: stable bytes. */
export function wrap(event: ActorEvent, identity: Identity, cause?: Cause): Envelope {
  const { type, at, ...payload } = event
  return {
    id: identity.id,
    actor: identity.actor,
    sequence: identity.sequence,
    term: identity.term,
    at,
    type,
    version: EVENT_VERSION,
    correlationId: cause?.correlationId ?? identity.id,
    causationId: cause?.id ?? identity.id,
    payload,
  }
}

/** The flat event, not yet checked against any actor's union. */
export function unwrap(envelope: Envelope): ActorEvent {
  return { ...envelope.payload, type: envelope.type, at: envelope.at }
}

export interface EnvelopeFault {
  readonly fault: 'malformed' | 'newer' | 'too-large'
  readonly problem: string
}

export function isFault<T extends object>(value: T | EnvelopeFault): value is EnvelopeFault {
  return 'fault' in value
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return encode(envelope)
}

const parse = Schema.decodeUnknownResult(Envelope)

/**
 * What `parse` makes of a sound envelope, without the interpreter of schemas: it was most of what receiving a heartbeat cost.
 * Undefined if `parse` shall look at it, which has the words for what is wrong.
 */
function soundEnvelope(value: unknown): Envelope | undefined {
  if (!isPlain(value)) return undefined
  const { id, actor, sequence, term, at, type, version, correlationId, causationId, payload } = value as Partial<
    Record<keyof Envelope, unknown>
  >
  if (!isPlain(payload)) return undefined
  if (typeof id !== 'string' || typeof actor !== 'string' || typeof type !== 'string') return undefined
  if (typeof correlationId !== 'string' || typeof causationId !== 'string') return undefined
  if (!isCount(sequence) || !isCount(term) || !isCount(version)) return undefined
  if (typeof at !== 'number' || !Number.isFinite(at)) return undefined
  return { id, actor, sequence, term, at, type, version, correlationId, causationId, payload }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Checks an already unpacked envelope. */
export function checkEnvelope(value: unknown): Envelope | EnvelopeFault {
  let envelope = soundEnvelope(value)
  if (envelope === undefined) {
    const parsed = parse(value)
    if (Result.isFailure(parsed)) return { fault: 'malformed', problem: String(parsed.failure) }
    envelope = parsed.success
  }
  const { type, version } = envelope
  if (version <= EVENT_VERSION) return envelope
  return { fault: 'newer', problem: `event ${type} has version ${version}, this Loch knows ${EVENT_VERSION}` }
}

/** Decodes a message from the bus. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | EnvelopeFault {
  if (bytes.length > ENVELOPE_BYTES_MAX) return { fault: 'too-large', problem: `message of ${bytes.length} bytes` }
  try {
    return checkEnvelope(decode(bytes))
  } catch (cause) {
    return { fault: 'malformed', problem: `not MessagePack: ${String(cause)}` }
  }
}

/** Answer to a message that the actor took, or had no need to act on (`note` says why), and that has no other answer. */
export const Done = variant('Done', { state: Schema.String, sequence: Count, note: Schema.String })
export type Done = typeof Done.Type

/** Answer to a message that was not taken: an error of the closed set, as data. `tag` names its class. */
export const Refusal = variant('Refusal', {
  tag: Schema.String,
  component: Schema.String,
  value: Schema.String,
  problem: Schema.String,
  remedy: Schema.String,
})
export type Refusal = typeof Refusal.Type
