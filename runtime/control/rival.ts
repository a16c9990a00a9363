/**
 * Two instances with one project name on one NATS would take each other's messages for their own. Terms and journals keep
 * data safe even then, but nothing would work, so the second is refused at its start. Two that start in the same moment
 * may both be refused: there is no clock that they share to tell who came first.
 */
import { randomBytes } from 'node:crypto'
import * as Effect from 'effect/Effect'
import { withoutCredentials } from '../bus/address.ts'
import type { BusMessage, BusShape } from '../bus/bus.ts'
import { Refused } from '../errors.ts'
import { SERVICE_NAME } from './api.ts'
import { encodeAs } from './encoding.ts'
import { controlSubject } from './schemas.ts'

/**
 * If nobody serves the subject, NATS says so at once; whoever does answers within ZONE_ANSWER_MS_MAX. Later than this is
 * never: NATS goes on delivering to a machine that lost its power until it has missed its pings.
 */
const ANSWER_WITHIN_MS = 2_000

/**
 * Fails if anybody serves the project on this bus; for who does not serve it yet. An instance that calls itself by our own
 * name is another one, too: that name is made of a path, which two machines may share.
 */
export const refuseRival = Effect.fnUntraced(function* (
  bus: BusShape,
  project: string,
): Effect.fn.Return<void, Refused> {
  const subject = controlSubject(project, 'status')
  const outcome = yield* Effect.result(bus.request(subject, encodeAs('msgpack', {}), { timeoutMs: ANSWER_WITHIN_MS }))
  if (outcome._tag === 'Success') yield* rivalOf(bus, project)
})

/**
 * Asks all who serve, and fails when another than `own` (the id of our service) says that it serves the project. Never
 * succeeds, since an answer may take any time: race it with what would be in vain.
 */
export function hearRival(bus: BusShape, project: string, own: string): Effect.Effect<never, Refused> {
  return Effect.callback((resume) => {
    const inbox = `_INBOX.${randomBytes(12).toString('hex')}`
    const subscription = bus.subscribe(inbox, (message) => {
      const id = servesProject(message, project)
      if (id !== undefined && id !== own) resume(Effect.fail(rivalOf(bus, project)))
    })
    // Answered by every service of the name (ADR-32), where a request to an endpoint reaches one of them.
    bus.publish(`$SRV.PING.${SERVICE_NAME}`, new Uint8Array(), { reply: inbox })
    return Effect.sync(subscription.unsubscribe)
  })
}

/** The id of the service that answers, if it serves `project`. */
function servesProject({ data }: BusMessage, project: string): string | undefined {
  try {
    const { id, metadata } = JSON.parse(Buffer.from(data).toString('utf8'))
    return metadata?.project === project ? String(id) : undefined
  } catch {
    // NATS's word that nobody serves, or somebody else's business.
    return undefined
  }
}

function rivalOf(bus: BusShape, project: string): Refused {
  return new Refused({
    component: '--nats',
    value: withoutCredentials(bus.url),
    problem: `another Loch serves the project ${project} on this NATS server`,
    remedy: 'Stop that one, name another --project, or use another NATS server.',
  })
}
