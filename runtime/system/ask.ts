/**
 * Asks an actor over the bus, wherever it is hosted, and gives its answer back as an event; a refusal becomes the error of
 * the closed set that it names. One door for everybody who is not an actor: an answer that is read in two places is soon
 * read in two ways.
 */
import { randomUUID } from 'node:crypto'
import * as Effect from 'effect/Effect'
import {
  type ActorEvent,
  type Cause,
  decodeEnvelope,
  encodeEnvelope,
  isFault,
  type Refusal,
  unwrap,
  wrap,
} from '../../events/envelope.ts'
import type { BusShape } from '../bus/bus.ts'
import { errorFrom } from '../control/error-report.ts'
import { type LochError, NoAnswer } from '../errors.ts'
import { actorSubject } from './ports.ts'

/** The actor writes its journal before it answers, which takes a PUT or two. */
export const ASK_TIMEOUT_MS = 10_000

/** Errors: what the actor refuses with; NoAnswer while no zone hosts it. */
export const askActor = Effect.fnUntraced(function* (
  bus: BusShape,
  project: string,
  actor: string,
  event: ActorEvent,
  newId: () => string = randomUUID,
  cause?: Cause,
): Effect.fn.Return<ActorEvent, LochError> {
  const envelope = wrap(event, { id: newId(), actor, sequence: 0, term: 0 }, cause)
  const subject = actorSubject(project, actor)
  const message = yield* bus.request(subject, encodeEnvelope(envelope), { timeoutMs: ASK_TIMEOUT_MS })
  const answer = decodeEnvelope(message.data)
  if (isFault(answer)) return yield* misunderstood(actor, answer.problem)
  const said = unwrap(answer)
  return said.type === 'Refusal' ? yield* errorFrom(said as Refusal) : said
})

function misunderstood(actor: string, problem: string): NoAnswer {
  return new NoAnswer({
    component: actor,
    value: 'answer',
    problem: `the answer cannot be read: ${problem}`,
    remedy: 'Run all zones and the supervisor with the same version of Loch.',
  })
}
