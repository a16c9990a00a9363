/**
 * Bytes to checked events, and outcomes to answers. Whatever comes from outside is checked here against the actor's own
 * schema before any decision sees it; what does not fit is answered with an error of the closed set, as data, and changes
 * nothing.
 */
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import { type ActorEffect, isFact, type Outcome } from '../../actors/definition.ts'
import {
  type ActorEvent,
  type Done,
  decodeEnvelope,
  type Envelope,
  isFault,
  type Refusal,
  unwrap,
} from '../../events/envelope.ts'
import { BadArgument, Damaged, FormatTooNew, type LochError, Refused } from '../errors.ts'

interface Understood<Event> {
  readonly kind: string
  readonly schema: Schema.Codec<Event, unknown>
  readonly facts: ReadonlyArray<string>
}

export type ReadMessage<Event> =
  | { readonly event: Event; readonly envelope: Envelope }
  | { readonly error: LochError; readonly envelope: Envelope | undefined }

/** A message from the bus. Facts are refused: only the host records them, after they are durable. */
export function readMessage<Event extends ActorEvent>(
  definition: Understood<Event>,
  actor: string,
  data: Uint8Array,
): ReadMessage<Event> {
  const envelope = decodeEnvelope(data)
  if (isFault(envelope)) {
    const complaint = { component: actor, value: `message of ${data.length} bytes`, problem: envelope.problem }
    const remedy = 'Send a MessagePack envelope as described in events/envelope.ts.'
    const error =
      envelope.fault === 'newer'
        ? new FormatTooNew({ ...complaint, remedy: 'Update this Loch.' })
        : new BadArgument({ ...complaint, remedy })
    return { error, envelope: undefined }
  }
  const parsed = Schema.decodeUnknownResult(definition.schema)(unwrap(envelope))
  if (Result.isSuccess(parsed) && !isFact(definition, envelope.type)) return { event: parsed.success, envelope }
  const problem = Result.isFailure(parsed) ? parsed.failure.message : 'a fact cannot be sent, only recorded by its host'
  const remedy = `Send one of the messages in events/${definition.kind}.ts.`
  return { error: new BadArgument({ component: actor, value: envelope.type, problem, remedy }), envelope }
}

/** A fact of the journal. One that is not understood must stop the fold: skipped, it would be forgotten silently. */
export function readFact<Event extends ActorEvent>(
  definition: Understood<Event>,
  envelope: Envelope,
): Event | LochError {
  const parsed = Schema.decodeUnknownResult(definition.schema)(unwrap(envelope))
  if (Result.isSuccess(parsed) && isFact(definition, envelope.type)) return parsed.success
  const problem = Result.isFailure(parsed) ? parsed.failure.message : `${envelope.type} is not a fact`
  const remedy = 'Start the version of Loch that wrote it, or a newer; nothing has been changed.'
  return new FormatTooNew({ component: envelope.actor, value: `event ${envelope.sequence}`, problem, remedy })
}

/** A fact that cannot stand where it stands in the journal. */
export function misplacedFact(actor: string, sequence: number, problem: string): Damaged {
  const remedy = 'Compare the journal with a backup; nothing has been changed.'
  return new Damaged({ component: actor, value: `event ${sequence}`, problem, remedy })
}

/** What the asker hears: the actor's own reply if it made one, else the outcome. */
export function answerOf(
  actor: string,
  event: ActorEvent,
  outcome: Outcome,
  effects: ReadonlyArray<ActorEffect>,
  now: { readonly state: string; readonly sequence: number },
): ActorEvent {
  const reply = effects.find((effect) => effect.type === 'reply') as { readonly event: ActorEvent } | undefined
  if (reply) return reply.event
  if (outcome.kind === 'refused') {
    const { as: tag, reason: problem } = outcome
    const remedy = `The ${actor} is ${now.state}; see its status.`
    const refusal: Refusal = {
      type: 'Refusal',
      at: event.at,
      tag,
      component: actor,
      value: event.type,
      problem,
      remedy,
    }
    return refusal
  }
  const note = outcome.kind === 'ignored' ? outcome.reason : ''
  const done: Done = { type: 'Done', at: event.at, state: now.state, sequence: now.sequence, note }
  return done
}

/** An error of the closed set as an answer. */
export function refusalOf(error: LochError, at: number): Refusal {
  const { _tag: tag, component, value, problem, remedy } = error
  return { type: 'Refusal', at, tag, component, value, problem, remedy }
}

export function notHostedHere(actor: string): Refused {
  const remedy = 'Ask again: another zone hosts it, or will.'
  return new Refused({ component: actor, value: 'message', problem: 'it is no longer hosted here', remedy })
}

export function queueFull(actor: string, type: string, length: number): Refused {
  const remedy = 'Try again later; if it stays so, look at its zone.'
  return new Refused({ component: actor, value: type, problem: `${length} messages wait already`, remedy })
}

export function defectAt(actor: string, type: string, cause: unknown): Refused {
  const remedy = 'This is a mistake in Loch; please report it with the log of this zone.'
  return new Refused({ component: actor, value: type, problem: 'handling it failed', remedy, cause })
}
