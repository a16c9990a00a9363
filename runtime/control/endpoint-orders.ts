/**
 * Orders to endpoints: `computes.start` and `computes.stop` become messages to the endpoint's actor, wherever it is
 * hosted, and its answer becomes the answer to the order. Whether an order is carried out is the actor's decision alone.
 */
import * as Effect from 'effect/Effect'
import type { Done } from '../../events/envelope.ts'
import type { BusShape } from '../bus/bus.ts'
import { BadArgument, type LochError } from '../errors.ts'
import { askActor } from '../system/ask.ts'
import type { EndpointAnswer } from './schemas.ts'

export type EndpointOrderType = 'Wake' | 'Suspend'

/** Errors: what the actor refuses with; NoAnswer while no zone hosts it. */
export const orderEndpoint = Effect.fnUntraced(function* (
  bus: BusShape,
  project: string,
  endpoint: string,
  type: EndpointOrderType,
): Effect.fn.Return<EndpointAnswer, LochError> {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(endpoint)) return yield* malformed(endpoint)
  const answer = yield* askActor(bus, project, `endpoint.${endpoint}`, { type, at: Date.now() })
  const { state, note } = answer as Done
  return { endpoint, state, note }
})

function malformed(endpoint: string): BadArgument {
  return new BadArgument({
    component: 'endpoint',
    value: endpoint,
    problem: 'this is not the name of an endpoint',
    remedy: 'Take a name from the status, like main.',
  })
}
