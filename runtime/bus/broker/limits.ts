/**
 * Every bound of the embedded broker, with its reason. A broker without bounds is taken down by its worst client.
 * Nothing here is read from anywhere: what an operator may change is an option of `startBroker`.
 */
import { PAYLOAD_BYTES_MAX } from '../bus.ts'

export interface BrokerLimits {
  /** Header and payload of one message. */
  readonly payloadBytesMax: number
  /** Bytes that wait for one client. Beyond, it is a slow consumer and is cut off: others must not wait for it. */
  readonly pendingBytesMax: number
  /** A client that takes nothing for this long while bytes wait for it is cut off too. */
  readonly writeDeadlineMs: number
  readonly pingIntervalMs: number
  /** Unanswered pings after which the connection counts as dead. */
  readonly pingsUnansweredMax: number
  /** For the CONNECT of a client that must authenticate. */
  readonly authenticationMs: number
  readonly connectionsMax: number
  readonly subscriptionsPerClientMax: number
}

export const DEFAULT_LIMITS: BrokerLimits = {
  payloadBytesMax: PAYLOAD_BYTES_MAX,
  // As nats-server's max_pending: more than a second of log at full speed.
  pendingBytesMax: 64 * 1024 * 1024,
  // As nats-server's write_deadline: longer than any disk stalls a safekeeper, shorter than an operator's patience.
  writeDeadlineMs: 10_000,
  // A peer that vanished without a FIN is noticed within (2 + 1) × 20 s; local ones close their sockets and are noticed at once.
  pingIntervalMs: 20_000,
  pingsUnansweredMax: 2,
  authenticationMs: 2_000,
  // Three zones hold a handful each; the rest is room for the outside world. Each costs at most pendingBytesMax.
  connectionsMax: 1_024,
  // A subscription takes about 300 bytes of ours.
  subscriptionsPerClientMax: 65_536,
}

/** Longest line of the protocol, as in nats-server: it bounds what is kept of a line that never ends. */
export const LINE_BYTES_MAX = 4_096

/** How often deadlines and pings are looked at, at most; shorter than the shortest of them. */
export const SWEEP_INTERVAL_MS = 1_000

/** What a closing broker gives its clients to take what was sent to them. */
export const CLOSE_GRACE_MS = 500
