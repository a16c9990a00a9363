/**
 * One connection between a client and the simulated NATS server, from its handshake to its end, and what travels over it.
 * A client that reconnects has a new one, while the old one may live on at the server for a while. What the messages cause
 * is the server's business (network.ts) and the client's (sim-bus.ts).
 */
import type { BusHeaders } from '../../runtime/bus/bus.ts'
import { type Kernel, type Process, WORLD } from '../kernel/kernel.ts'
import { Link, type LinkConditions, type LinkSettings } from './link.ts'

export interface Publication {
  readonly subject: string
  /** The network's own copy; subscribers share it. */
  readonly data: Uint8Array
  readonly reply: string | undefined
  readonly headers: BusHeaders | undefined
}

/** From the client to the server. */
export type ToServer =
  | { readonly kind: 'publish'; readonly publication: Publication }
  | { readonly kind: 'subscribe'; readonly sid: number; readonly subject: string; readonly queue: string }
  | { readonly kind: 'unsubscribe'; readonly sid: number }
  | { readonly kind: 'ping' }
  | { readonly kind: 'end' }

/** From the server to the client. */
export type ToClient =
  | { readonly kind: 'message'; readonly sid: number; readonly publication: Publication }
  /** Nobody serves what was published with this reply subject. */
  | { readonly kind: 'no-responders'; readonly sid: number; readonly reply: string }
  | { readonly kind: 'pong' }
  /** The server closed the connection. */
  | { readonly kind: 'end' }

/** The server's view of a subscription. */
export interface ServerSubscription {
  readonly session: Session
  readonly sid: number
  readonly subject: string
  readonly queue: string
}

export interface Client {
  readonly name: string
  /** Another name that faults may use. */
  readonly alias?: string | undefined
  readonly process: Process
  /** False for a fast lane: it neither hears itself nor that nobody serves. */
  readonly isFullClient: boolean
  readonly conditions: readonly LinkConditions[]
  hear(session: Session, message: ToClient): void
  /** The connection is gone. */
  lost(session: Session): void
}

export class Session {
  readonly client: Client
  readonly up: Link<ToServer>
  readonly down: Link<ToClient>
  readonly subscriptions = new Map<number, ServerSubscription>()
  /** At the server. */
  isOpen = true

  constructor(
    kernel: Kernel,
    client: Client,
    settings: LinkSettings,
    serve: (from: Session, message: ToServer) => void,
  ) {
    this.client = client
    const { name, process, conditions } = client
    const [up, down] = [`network.up.${name}`, `network.down.${name}`]
    this.up = new Link(kernel, WORLD, 'up', up, settings, conditions, (message) => serve(this, message))
    this.down = new Link(kernel, process, 'down', down, settings, conditions, (message) => client.hear(this, message))
  }
}

/** Roughly what a message takes on the wire beside its payload. */
export const ENVELOPE_BYTES = 64
