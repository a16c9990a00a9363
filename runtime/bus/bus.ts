/**
 * The bus: how actors, zones and the outside world talk to each other. This is the port that the rest of Loch is written
 * against; nats.ts implements it over NATS and the simulator by its own network. No durability may be built on it: a
 * message reaches each subscriber at most once, in order per publisher and connection, and is lost with the connection.
 * What must not get lost is in a journal or in a log.
 */
import type * as Effect from 'effect/Effect'
import type { BusUnavailable, NoAnswer } from '../errors.ts'

/** What every server on the way must carry; the default of nats-server, so a cluster needs no setting for Loch. */
export const PAYLOAD_BYTES_MAX = 1024 * 1024

/** One value per name. Names are case-sensitive; names and values hold no line breaks. */
export type BusHeaders = Readonly<Record<string, string>>

export interface BusMessage {
  readonly subject: string
  /** A view of what arrived in one read of the socket: copy what you keep. */
  readonly data: Uint8Array
  /** Where the sender waits for an answer. Absent, too, if what stands there is no subject. */
  readonly reply?: string | undefined
  readonly headers?: BusHeaders | undefined
  /** Publishes to `reply`; does nothing if nobody waits. */
  respond(data: Uint8Array): void
}

export interface PublishOptions {
  readonly reply?: string | undefined
  readonly headers?: BusHeaders | undefined
}

export interface SubscribeOptions {
  /** Of all subscribers with the same queue, one receives each message. */
  readonly queue?: string | undefined
}

export interface Subscription {
  readonly subject: string
  /** No message is handed over after this returns. Harmless when repeated. */
  unsubscribe(): void
}

export interface RequestOptions {
  readonly timeoutMs: number
  readonly headers?: BusHeaders | undefined
}

/** `reconnecting`: what is published now is lost. `closed`: by us, for good. */
export type BusStatus = 'connected' | 'reconnecting' | 'closed'

export interface BusShape {
  /** The server of the present connection, with credentials: `nats://[user:password@]host:port`. Not for display. */
  readonly url: string
  /**
   * Sends, buffered until the end of the tick. Never fails for want of a connection.
   * @throws BadArgument for a subject that cannot be published to, or more than PAYLOAD_BYTES_MAX with headers.
   */
  publish(subject: string, data: Uint8Array, options?: PublishOptions): void
  /**
   * Calls `handler` for each message whose subject matches; `*` stands for one token, `>` at the end for one or more.
   * Survives reconnects. A handler that throws is a defect and ends the process.
   * @throws BadArgument for a malformed subject, and BusUnavailable on a closed bus.
   */
  subscribe(subject: string, handler: (message: BusMessage) => void, options?: SubscribeOptions): Subscription
  /**
   * Asks and takes the first answer. NoAnswer: nobody serves the subject (known at once), or nothing came in time (then
   * the request may have been carried out). BusUnavailable: not sent. BadArgument is thrown as by `publish`, as a defect.
   */
  request(
    subject: string,
    data: Uint8Array,
    options: RequestOptions,
  ): Effect.Effect<BusMessage, NoAnswer | BusUnavailable>
  /** Succeeds when the server has taken all that was published and subscribed before. */
  flush(): Effect.Effect<void, BusUnavailable>
  status(): BusStatus
  /** Calls `listener` on each change; returns what ends that. */
  onStatus(listener: (status: BusStatus) => void): () => void
}
