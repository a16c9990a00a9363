/**
 * Hears what a safekeeper says: every answer and every acknowledgement, in the very event in which it leaves, before anybody can act
 * on it. What is said is passed on unchanged.
 */
import {
  type AppendAck,
  decodeAck,
  decodeElectedResponse,
  decodeStatus,
  decodeVoteResponse,
  type ElectedResponse,
  isWireFault,
  type SafekeeperStatus,
  type VoteResponse,
} from '../../events/safekeeper-wire.ts'
import type { BusShape } from '../../runtime/bus/bus.ts'
import type { Lane } from '../../runtime/bus/fast-lane.ts'

export type Said =
  | ({ readonly kind: 'vote' } & VoteResponse)
  | ({ readonly kind: 'elected' } & ElectedResponse)
  | ({ readonly kind: 'status' } & SafekeeperStatus)
  | ({ readonly kind: 'ack' } & AppendAck)

type Hear = (said: Said) => void
type SafekeeperBus = Pick<BusShape, 'publish' | 'subscribe' | 'request'>

const ANSWERS = {
  vote: decodeVoteResponse,
  elected: decodeElectedResponse,
  status: decodeStatus,
}

export function watchBus(bus: SafekeeperBus, hear: Hear): SafekeeperBus {
  return {
    publish: (subject, data, options) => bus.publish(subject, data, options),
    request: (subject, data, options) => bus.request(subject, data, options),
    subscribe: (subject, handler, options) => {
      const kind = subject.slice(subject.lastIndexOf('.') + 1)
      if (!isAnswered(kind)) return bus.subscribe(subject, handler, options)
      const watched: typeof handler = (message) =>
        handler({
          ...message,
          respond: (data) => {
            const said = ANSWERS[kind](data)
            if (!isWireFault(said)) hear({ kind, ...said } as Said)
            message.respond(data)
          },
        })
      return bus.subscribe(subject, watched, options)
    },
  }
}

/** Only acknowledgements are published there. */
export function watchLane(lane: Lane, hear: Hear): Lane {
  return {
    publish: (subject, data, options) => {
      const said = decodeAck(data)
      if (said) hear({ kind: 'ack', ...said })
      lane.publish(subject, data, options)
    },
    subscribe: (subject, handler) => lane.subscribe(subject, handler),
  }
}

function isAnswered(kind: string): kind is keyof typeof ANSWERS {
  return Object.hasOwn(ANSWERS, kind)
}
