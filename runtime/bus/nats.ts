/**
 * The bus over NATS, by the `nats` client library. The library stays behind this file: nothing else imports it, and who
 * serves its services API takes the types from here. Credentials travel in the address and are never part of an error.
 *
 * Once connected, the bus reconnects for ever. What is published while the connection is down is lost, as the port says:
 * the library keeps it for the next attempt only, so no command of yesterday surfaces in a reconnect.
 */
import * as Effect from 'effect/Effect'
import type * as Scope from 'effect/Scope'
import { connect, type Msg, type NatsConnection, headers as newHeaders, type ServicesAPI } from 'nats'
import { BadArgument, BusUnavailable, type NoAnswer } from '../errors.ts'
import { addressOf, type BusAddress, parseAddress } from './address.ts'
import * as bus from './bus.ts'
import { connectFailed, malformedSubject, payloadTooLarge, payloadTooSmall } from './nats-errors.ts'
import { Requests } from './requests.ts'
import { isPublishable, isSubscribable, replyOf } from './subject.ts'

export type { ServiceMsg } from 'nats'

export interface ConnectOptions {
  /** Shown by NATS's own tools: which process this is. */
  readonly name: string
  /** For the first connection, to each server of the address. */
  readonly connectTimeoutMs?: number
  /** Hears what the server complains about (permissions, slow consumer), one line each. */
  readonly report?: (line: string) => void
}

/** A bus over NATS, which can also register services that `$SRV.INFO`, `$SRV.PING` and `$SRV.STATS` discover (ADR-32). */
export interface NatsBus extends bus.BusShape {
  readonly services: ServicesAPI
}

const CONNECT_TIMEOUT_MS = 5_000
/** Between attempts to reconnect: a broker that is restarted is back within a second, and computes wait for it. */
const RECONNECT_WAIT_MS = 100
/** Two unanswered pings at this interval, and the connection counts as dead. */
const PING_INTERVAL_MS = 10_000
/** What is still to be sent at the end must be sent within this time. */
const DRAIN_TIMEOUT_MS = 2_000

/**
 * Connects, and closes with the scope. `url` as in address.ts.
 * Errors: BadArgument for a malformed address; BusUnavailable when no server can be reached, one refuses the credentials,
 * or carries less than PAYLOAD_BYTES_MAX.
 */
export function connectBus(
  url: string,
  options: ConnectOptions,
): Effect.Effect<NatsBus, BusUnavailable | BadArgument, Scope.Scope> {
  const address = parseAddress(url)
  if (address instanceof BadArgument) return Effect.fail(address)
  const open = Effect.tryPromise({
    try: () => openConnection(address, options),
    catch: (cause) => connectFailed(address, cause),
  })
  return Effect.acquireRelease(open, closeConnection).pipe(
    Effect.tap((connection) => checkPayload(connection, address)),
    Effect.map((connection) => new ConnectedBus(connection, address, options.report ?? (() => {}))),
  )
}

function openConnection(address: BusAddress, options: ConnectOptions): Promise<NatsConnection> {
  return connect({
    servers: [...address.servers],
    name: options.name,
    timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    // A server that restarts may refuse everybody until its configuration is complete.
    ignoreAuthErrorAbort: true,
    pingInterval: PING_INTERVAL_MS,
    noAsyncTraces: true,
    ...(address.user === '' ? {} : { user: address.user, pass: address.password }),
    ...(address.token === '' ? {} : { token: address.token }),
    ...(address.tls ? { tls: {} } : {}),
  })
}

function closeConnection(connection: NatsConnection): Effect.Effect<void> {
  return Effect.promise(async () => {
    if (connection.isClosed()) return
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_TIMEOUT_MS)
    })
    await Promise.race([connection.drain().catch(() => {}), patience])
    clearTimeout(timer)
    await connection.close()
  })
}

function checkPayload(connection: NatsConnection, address: BusAddress): Effect.Effect<void, BusUnavailable> {
  const bytes = connection.info?.max_payload ?? 0
  return bytes >= bus.PAYLOAD_BYTES_MAX ? Effect.void : Effect.fail(payloadTooSmall(address, bytes))
}

class ConnectedBus implements NatsBus {
  readonly #connection: NatsConnection
  readonly #address: BusAddress
  readonly #report: (line: string) => void
  readonly #requests: Requests<Msg>
  readonly #listeners = new Set<(status: bus.BusStatus) => void>()
  #status: bus.BusStatus = 'connected'

  constructor(connection: NatsConnection, address: BusAddress, report: (line: string) => void) {
    this.#connection = connection
    this.#address = address
    this.#report = report
    this.#requests = new Requests({
      publish: (subject, data, reply) => this.publish(subject, data, { reply }),
      listen: (inbox, handler) => this.#listen(inbox, undefined, (message) => handler(message.subject, message)),
      isNoResponders: (message) => message.data.length === 0 && message.headers?.code === 503,
    })
    void this.#watch()
  }

  get url(): string {
    return addressOf(this.#address, this.#connection.getServer())
  }

  get services(): ServicesAPI {
    return this.#connection.services
  }

  publish(subject: string, data: Uint8Array, options?: bus.PublishOptions): void {
    if (!isPublishable(subject)) throw malformedSubject(subject)
    if (options?.reply !== undefined && !isPublishable(options.reply)) throw malformedSubject(options.reply)
    const headers = encodeHeaders(options?.headers)
    const bytes = data.length + headerBytes(options?.headers)
    if (bytes > bus.PAYLOAD_BYTES_MAX) throw payloadTooLarge(subject, bytes)
    // After the end there is nobody to send to, which is no reason to fail those who still have something to say.
    if (this.#status === 'closed' || this.#connection.isClosed()) return
    this.#connection.publish(subject, data, {
      ...(options?.reply === undefined ? {} : { reply: options.reply }),
      ...(headers === undefined ? {} : { headers }),
    })
  }

  subscribe(
    subject: string,
    handler: (message: bus.BusMessage) => void,
    options?: bus.SubscribeOptions,
  ): bus.Subscription {
    if (!isSubscribable(subject)) throw malformedSubject(subject)
    if (this.#connection.isClosed() || this.#connection.isDraining()) throw this.#unavailable('subscribe')
    const end = this.#listen(subject, options?.queue, (message) => handler(new ReceivedMessage(message, this)))
    return { subject, unsubscribe: end }
  }

  request(
    subject: string,
    data: Uint8Array,
    options: bus.RequestOptions,
  ): Effect.Effect<bus.BusMessage, NoAnswer | BusUnavailable> {
    return Effect.callback((resume) => {
      if (this.#status !== 'connected') {
        resume(Effect.fail(this.#unavailable('send a request')))
        return
      }
      const giveUp = this.#requests.send(subject, data, options.timeoutMs, (answer) => {
        resume(answer instanceof Error ? Effect.fail(answer) : Effect.succeed(new ReceivedMessage(answer, this)))
      })
      return Effect.sync(giveUp)
    })
  }

  flush(): Effect.Effect<void, BusUnavailable> {
    return Effect.tryPromise({ try: () => this.#connection.flush(), catch: () => this.#unavailable('flush') })
  }

  status(): bus.BusStatus {
    return this.#status
  }

  onStatus(listener: (status: bus.BusStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A subscription of the library; its handler must not throw, since that would end the library's read loop. */
  #listen(subject: string, queue: string | undefined, handler: (message: Msg) => void): () => void {
    let ended = false
    const subscription = this.#connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (ended) return
        if (error !== null) this.#report(`NATS ended the subscription to ${subject}: ${error.message}`)
        else guard(handler, message)
      },
    })
    return () => {
      ended = true
      subscription.unsubscribe()
    }
  }

  async #watch(): Promise<void> {
    void this.#connection.closed().then(() => this.#become('closed'))
    for await (const { type, data } of this.#connection.status()) {
      if (type === 'disconnect') this.#become('reconnecting')
      else if (type === 'reconnect') this.#become('connected')
      else if (type === 'error') this.#report(`NATS reported an error: ${String(data)}`)
    }
  }

  #become(status: bus.BusStatus): void {
    if (status === this.#status || this.#status === 'closed') return
    this.#status = status
    for (const listener of this.#listeners) guard(listener, status)
  }

  #unavailable(doing: string): BusUnavailable {
    const isClosed = this.#connection.isClosed() || this.#connection.isDraining()
    return new BusUnavailable({
      component: 'bus',
      value: this.#address.shown,
      problem: `cannot ${doing}: ${isClosed ? 'the connection to NATS was closed' : 'the connection to NATS is down'}`,
      remedy: isClosed ? 'Loch is stopping: start it again.' : 'It reconnects by itself: check that the server runs.',
    })
  }
}

/** Decoded only as far as its reader asks. */
class ReceivedMessage implements bus.BusMessage {
  readonly #message: Msg
  readonly #bus: bus.BusShape

  constructor(message: Msg, owner: bus.BusShape) {
    this.#message = message
    this.#bus = owner
  }

  get subject(): string {
    return this.#message.subject
  }

  get data(): Uint8Array {
    return this.#message.data
  }

  get reply(): string | undefined {
    return replyOf(this.#message.reply)
  }

  get headers(): bus.BusHeaders | undefined {
    const { headers } = this.#message
    return headers === undefined ? undefined : Object.fromEntries(headers.keys().map((key) => [key, headers.get(key)]))
  }

  respond(data: Uint8Array): void {
    const { reply } = this
    if (reply !== undefined) this.#bus.publish(reply, data)
  }
}

/** An exception in a handler is a defect: it ends the process from a place of its own. */
function guard<A>(handler: (value: A) => void, value: A): void {
  try {
    handler(value)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function encodeHeaders(values: bus.BusHeaders | undefined): ReturnType<typeof newHeaders> | undefined {
  if (values === undefined) return undefined
  const headers = newHeaders()
  for (const [name, value] of Object.entries(values)) headers.set(name, value)
  return headers
}

/** On the wire: "NATS/1.0", a line per header, and an empty line. */
function headerBytes(values: bus.BusHeaders | undefined): number {
  if (values === undefined) return 0
  const lines = Object.entries(values).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.byteLength(`NATS/1.0\r\n${lines.join('')}\r\n`)
}
