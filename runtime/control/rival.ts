/**
 * Two instances with one project name on one NATS would take each other's messages for their own. Terms and journals keep
 * data safe even then, but nothing would work, so the second is refused at its start.
 */
import * as Effect from 'effect/Effect'
import type { BusShape } from '../bus/bus.ts'
import { Refused } from '../errors.ts'
import { decodeAs, encodeAs, encodingOf } from './encoding.ts'
import { controlSubject } from './schemas.ts'

/** If nobody serves the subject, NATS says so at once; whoever does answers within ZONE_ANSWER_MS_MAX. */
const ANSWER_WITHIN_MS = 2_000

/** Fails if another instance serves the project on this bus. */
export const refuseRival = Effect.fnUntraced(function* (
  bus: BusShape,
  project: string,
  instance: string,
): Effect.fn.Return<void, Refused> {
  const request = bus.request(controlSubject(project, 'status'), encodeAs('msgpack', {}), {
    timeoutMs: ANSWER_WITHIN_MS,
  })
  const outcome = yield* Effect.result(request)
  if (outcome._tag === 'Failure') return
  const { data } = outcome.success
  const status = decodeAs(encodingOf(data), data)
  const rival = typeof status === 'object' && status !== null && 'instance' in status ? String(status.instance) : ''
  if (rival === instance) return
  return yield* new Refused({
    component: '--nats',
    value: bus.url.replaceAll(/\/\/[^@/,]*@/g, '//'),
    problem: `another Loch serves the project ${project} on this NATS server`,
    remedy: 'Stop that one, name another --project, or use another NATS server.',
  })
})
