/**
 * One connection to the embedded broker: what its client asked for in CONNECT, its subscriptions, and what each command
 * means for it. Delivery to others is the switchboard's; bytes are the parser's and the outbox's.
 */
import type { Socket } from 'node:net'
import { isPublishable, isSubscribable } from '../subject.ts'
import { type Claim, type Credentials, mayConnect } from './credentials.ts'
import type { BrokerLimits } from './limits.ts'
import { Outbox } from './outbox.ts'
import { type Commands, type Fault, Parser } from './parser.ts'
import type { Counters, Switchboard } from './switchboard.ts'

export interface Subscription {
  readonly client: Client
  readonly subject: string
  /** '' for a plain subscription. */
  readonly queue: string
  readonly sid: string
  /** Deliveries after which it ends; 0 for never. */
  max: number
  delivered: number
}

/** What a client hears before it is cut off; the texts are nats-server's, which clients recognise. */
export type CutReason =
  | Fault
  | 'Authorization Violation'
  | 'Authentication Timeout'
  | 'Slow Consumer'
  | 'Stale Connection'
  | 'maximum subscriptions exceeded'
  | 'maximum connections exceeded'
  | 'no responders requires headers support'
  | 'message headers not supported'

export interface ClientSurroundings {
  readonly switchboard: Switchboard
  readonly limits: BrokerLimits
  readonly credentials: Credentials
  readonly counters: Counters
}

export class Client implements Commands {
  readonly outbox: Outbox
  readonly subscriptions = new Map<string, Subscription>()
  /** Before CONNECT, and for what CONNECT does not mention, the protocol's defaults hold. */
  echo = true
  headers = false
  closed = false
  closedAtMs = 0
  /** In the list of those that the switchboard flushes next. */
  dirty = false
  readonly connectedAtMs = performance.now()
  /** When it last sent anything or was pinged. */
  heardAtMs = performance.now()
  #pingsUnanswered = 0
  #authorized: boolean
  #verbose = true
  #pedantic = true
  #noResponders = false
  readonly #socket: Socket
  readonly #parser: Parser
  readonly #surroundings: ClientSurroundings

  constructor(socket: Socket, surroundings: ClientSurroundings) {
    this.#socket = socket
    this.#surroundings = surroundings
    this.#authorized = surroundings.credentials.kind === 'none'
    this.#parser = new Parser(this, surroundings.limits.payloadBytesMax)
    this.outbox = new Outbox(socket)
  }

  get authorized(): boolean {
    return this.#authorized
  }

  /** What the socket read. */
  receive(chunk: Buffer): void {
    this.heardAtMs = performance.now()
    this.#parser.feed(chunk)
    this.#surroundings.switchboard.flush()
  }

  /** Sends a line of the protocol, without its CRLF. */
  say(line: string): void {
    this.#surroundings.switchboard.send(this, `${line}\r\n`, undefined)
  }

  connect(json: string): void {
    const options = parseOptions(json)
    if (options === undefined) {
      this.cut('Unknown Protocol Operation')
      return
    }
    if (!mayConnect(this.#surroundings.credentials, options)) {
      this.cut('Authorization Violation')
      return
    }
    this.#authorized = true
    this.#verbose = options['verbose'] !== false
    this.#pedantic = options['pedantic'] !== false
    this.echo = options['echo'] !== false
    this.headers = options['headers'] === true
    this.#noResponders = options['no_responders'] === true
    if (this.#noResponders && !this.headers) {
      this.cut('no responders requires headers support')
      return
    }
    this.#acknowledge()
  }

  ping(): void {
    if (this.#isUnauthorized()) return
    this.say('PONG')
  }

  pong(): void {
    this.#pingsUnanswered = 0
  }

  subscribe(subject: string, queue: string, sid: string): void {
    if (this.#isUnauthorized()) return
    if (!isSubscribable(subject)) {
      this.say("-ERR 'Invalid Subject'")
      return
    }
    // A repeated sid is the same subscription, whatever its subject: so it is in nats-server.
    if (!this.subscriptions.has(sid)) {
      if (this.subscriptions.size >= this.#surroundings.limits.subscriptionsPerClientMax) {
        this.cut('maximum subscriptions exceeded')
        return
      }
      const subscription = { client: this, subject, queue, sid, max: 0, delivered: 0 }
      this.subscriptions.set(sid, subscription)
      this.#surroundings.switchboard.add(subscription)
    }
    this.#acknowledge()
  }

  unsubscribe(sid: string, max: number): void {
    if (this.#isUnauthorized()) return
    const subscription = this.subscriptions.get(sid)
    if (subscription !== undefined) {
      if (max > subscription.delivered) subscription.max = max
      else this.drop(subscription)
    }
    this.#acknowledge()
  }

  publish(subject: string, reply: string, headerBytes: number, body: Buffer): void {
    if (this.#isUnauthorized()) return
    if (headerBytes >= 0 && !this.headers) {
      this.cut('message headers not supported')
      return
    }
    if (this.#pedantic && !isPublishable(subject)) this.say("-ERR 'Invalid Publish Subject'")
    this.#acknowledge()
    const delivered = this.#surroundings.switchboard.deliver(this, subject, reply, headerBytes, body)
    if (!delivered && this.#noResponders && reply !== '') this.#surroundings.switchboard.sayNoResponders(this, reply)
  }

  refuse(fault: Fault): void {
    this.cut(fault)
  }

  /** Ends one subscription. */
  drop(subscription: Subscription): void {
    if (this.subscriptions.delete(subscription.sid)) this.#surroundings.switchboard.remove(subscription)
  }

  /** Ends a client that misbehaves, or is gone without a word. */
  cut(reason: CutReason): void {
    if (this.closed) return
    this.#surroundings.counters.cut[reason] = (this.#surroundings.counters.cut[reason] ?? 0) + 1
    // Too much waits for a slow client already: a farewell behind it would never arrive.
    if (reason === 'Slow Consumer') {
      this.destroy()
      return
    }
    this.say(`-ERR '${reason}'`)
    this.end()
  }

  /** Sends what waits, then closes. */
  end(): void {
    if (this.closed) return
    this.forget()
    this.outbox.end()
  }

  /** The connection is gone: so are its subscriptions. */
  forget(): void {
    if (this.closed) return
    this.closed = true
    this.closedAtMs = performance.now()
    this.#parser.stop()
    for (const subscription of this.subscriptions.values()) this.#surroundings.switchboard.remove(subscription)
    this.subscriptions.clear()
  }

  destroy(): void {
    this.forget()
    this.#socket.destroy()
  }

  /** For a client that was told to go, and neither takes what waits for it nor closes its side. */
  destroyAfter(graceMs: number, nowMs: number): void {
    if (nowMs - this.closedAtMs > graceMs) this.#socket.destroy()
  }

  /** Asks whether it is still there; cuts it off if it did not answer before. */
  probe(): void {
    if (this.#pingsUnanswered >= this.#surroundings.limits.pingsUnansweredMax) {
      this.cut('Stale Connection')
      return
    }
    this.#pingsUnanswered++
    this.heardAtMs = performance.now()
    this.say('PING')
  }

  #acknowledge(): void {
    if (this.#verbose) this.say('+OK')
  }

  #isUnauthorized(): boolean {
    if (!this.#authorized) this.cut('Authorization Violation')
    return !this.#authorized
  }
}

/** The JSON object of CONNECT, or undefined. Unknown members are for other servers and are ignored. */
function parseOptions(json: string): (Record<string, unknown> & Claim) | undefined {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return { ...value }
  } catch {
    return undefined
  }
}
