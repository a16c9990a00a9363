/**
 * Orders to endpoints: `computes.start` and `computes.stop` become messages to the endpoint's actor, wherever it is
 * hosted, and its answer becomes the answer to the order. Whether an order is carried out is the actor's decision alone.
 */
import { randomUUID } from 'node:crypto'
import * as Effect from 'effect/Effect'
import { decodeEnvelope, encodeEnvelope, isFault, unwrap, wrap } from '../../events/envelope.ts'
import type { BusShape } from '../bus/bus.ts'
import { BadArgument, type LochError, NoAnswer } from '../errors.ts'
import { actorSubject } from '../system/ports.ts'
import { errorFrom } from './error-report.ts'
import type { EndpointAnswer } from './schemas.ts'

/** The actor writes its journal before it answers, which takes a PUT or two. */
const ORDER_TIMEOUT_MS = 10_000

export type EndpointOrderType = 'Wake' | 'Suspend'

/** Errors: what the actor refuses with; NoAnswer while no zone hosts it. */
export const orderEndpoint = Effect.fnUntraced(function* (
  bus: BusShape,
  project: string,
  endpoint: string,
  type: EndpointOrderType,
): Effect.fn.Return<EndpointAnswer, LochError> {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(endpoint)) return yield* malformed(endpoint)
  const actor = `endpoint.${endpoint}`
  const event = { type, at: Date.now() }
  const envelope = wrap(event, { id: randomUUID(), actor, sequence: 0, term: 0 })
  const message = yield* bus.request(actorSubject(project, actor), encodeEnvelope(envelope), {
    timeoutMs: ORDER_TIMEOUT_MS,
  })
  const answer = decodeEnvelope(message.data)
  if (isFault(answer)) return yield* misunderstood(actor, answer.problem)
  const { state, note, tag, component, value, problem, remedy } = unwrap(answer) as unknown as Record<string, unknown>
  if (answer.type === 'Refusal') {
    return yield* errorFrom({
      tag: String(tag),
      component: String(component),
      value: String(value),
      problem: String(problem),
      remedy: String(remedy),
    })
  }
  return { endpoint, state: String(state ?? ''), note: String(note ?? '') }
})

function malformed(endpoint: string): BadArgument {
  return new BadArgument({
    component: 'endpoint',
    value: endpoint,
    problem: 'this is not the name of an endpoint',
    remedy: 'Take a name from the status, like main.',
  })
}

function misunderstood(actor: string, problem: string): NoAnswer {
  return new NoAnswer({
    component: actor,
    value: 'answer',
    problem: `the answer cannot be read: ${problem}`,
    remedy: 'Run all zones and the supervisor with the same version of Loch.',
  })
}
