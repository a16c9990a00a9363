/**
 * One process's connection to the simulated NATS server, as the bus port: what nats.ts is to a real one, with the same
 * errors in the same words, and the same code for requests. Its handlers are called in events of its process, so a process
 * that was killed hears nothing and one that is paused hears late. No message of its own making may skip the network.
 */
import * as Effect from 'effect/Effect'
import * as bus from '../../runtime/bus/bus.ts'
import { malformedSubject, payloadTooLarge } from '../../runtime/bus/nats-errors.ts'
import { Requests } from '../../runtime/bus/requests.ts'
import { isPublishable, isSubscribable } from '../../runtime/bus/subject.ts'
import { BusUnavailable, type NoAnswer } from '../../runtime/errors.ts'
import type { Timers } from '../../runtime/system/timers.ts'
import type { Process } from '../kernel/kernel.ts'
import type { LinkConditions } from './link.ts'
import type { Network } from './network.ts'
import { type Client, ENVELOPE_BYTES, type Publication, type Session, type ToClient, type ToServer } from './session.ts'

export interface SimBusOptions {
  /** A fast lane (fast-lane.ts): it does not hear what it publishes itself, nor that nobody serves. */
  readonly isLane?: boolean
  /** What faults call it, if that is not its name. */
  readonly alias?: string
  /** Those of its process, if they go otherwise than the kernel's. */
  readonly after?: Timers['after']
}

interface Received extends bus.BusMessage {
  readonly isNoResponders: boolean
}

type Sent = readonly [message: ToServer, bytes: number]

interface Route {
  readonly subject: string
  readonly queue: string
  readonly handler: (message: Received) => void
}

/** No address of NATS, so whoever wants a socket of its own goes over this bus instead. */
export const SIM_URL = 'sim://broker'

/** As nats.ts waits between attempts to reconnect. */
const RECONNECT_WAIT_MS = 100
const NOTHING = new Uint8Array(0)

export class SimBus implements bus.BusShape, Client {
  readonly url = SIM_URL
  readonly name: string
  readonly alias: string | undefined
  readonly process: Process
  readonly isFullClient: boolean
  readonly conditions: readonly LinkConditions[]
  readonly #network: Network
  readonly #requests: Requests<Received>
  readonly #routes = new Map<number, Route>()
  readonly #listeners = new Set<(status: bus.BusStatus) => void>()
  /** Who waits for the server to have taken what was sent, first come first served. */
  #flushes: Array<(isTaken: boolean) => void> = []
  #session: Session | undefined
  /** What was published since it began to dial; absent while it does not. */
  #dialled: Sent[] | undefined
  #status: bus.BusStatus
  #lastSid = 0

  constructor(
    network: Network,
    process: Process,
    name: string,
    conditions: readonly LinkConditions[],
    options: SimBusOptions,
  ) {
    this.#network = network
    this.process = process
    this.name = name
    this.conditions = conditions
    this.alias = options.alias
    this.isFullClient = options.isLane !== true
    this.#requests = new Requests<Received>(
      {
        publish: (subject, data, reply) => this.publish(subject, data, { reply }),
        listen: (inbox, handler) => this.#route(inbox, '', (message) => handler(message.subject, message)),
        isNoResponders: (message) => message.isNoResponders,
      },
      {
        inbox: `_INBOX.${name}-${network.numberOfBus()}`,
        after: options.after ?? ((ms, fire) => network.kernel.after(process, ms, fire)),
      },
    )
    this.#session = network.open(this)
    this.#status = this.#session === undefined ? 'reconnecting' : 'connected'
    if (this.#session === undefined) this.retry()
  }

  publish(subject: string, data: Uint8Array, options?: bus.PublishOptions): void {
    if (!isPublishable(subject)) throw malformedSubject(subject)
    const reply = options?.reply
    if (reply !== undefined && !isPublishable(reply)) throw malformedSubject(reply)
    const headers = options?.headers
    const bytes = data.length + (headers === undefined ? 0 : headerBytes(headers))
    if (bytes > bus.PAYLOAD_BYTES_MAX) throw payloadTooLarge(subject, bytes)
    // Senders use their buffers again.
    const publication = { subject, data: Buffer.from(data), reply, headers }
    const message: Sent = [{ kind: 'publish', publication }, bytes + ENVELOPE_BYTES]
    if (this.#session !== undefined) this.#session.up.send(...message)
    else this.#dialled?.push(message)
  }

  subscribe(
    subject: string,
    handler: (message: bus.BusMessage) => void,
    options?: bus.SubscribeOptions,
  ): bus.Subscription {
    if (!isSubscribable(subject)) throw malformedSubject(subject)
    if (this.#status === 'closed') throw this.#unavailable('subscribe')
    const sid = this.#route(subject, options?.queue ?? '', handler)
    return { subject, unsubscribe: () => this.#endRoute(sid) }
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
        resume(answer instanceof Error ? Effect.fail(answer) : Effect.succeed(answer))
      })
      return Effect.sync(giveUp)
    })
  }

  flush(): Effect.Effect<void, BusUnavailable> {
    return Effect.callback((resume) => {
      if (this.#session === undefined) {
        resume(Effect.fail(this.#unavailable('flush')))
        return
      }
      this.#flushes.push((isTaken) => resume(isTaken ? Effect.void : Effect.fail(this.#unavailable('flush'))))
      this.#session.up.send({ kind: 'ping' }, ENVELOPE_BYTES)
    })
  }

  status(): bus.BusStatus {
    return this.#status
  }

  onStatus(listener: (status: bus.BusStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** For good. What was published before still goes out. */
  close(): void {
    this.#session?.up.send({ kind: 'end' }, 0)
    this.#session = undefined
    this.#become('closed')
    this.#failFlushes()
  }

  /** The network's side: something arrived over `session`, which may not be the present one any more. */
  hear(session: Session, message: ToClient): void {
    if (message.kind === 'end') this.#network.closed(session)
    if (session !== this.#session) return
    switch (message.kind) {
      case 'message':
        this.#handle(message.sid, message.publication, false)
        return
      case 'no-responders':
        this.#handle(message.sid, { subject: message.reply, data: NOTHING, reply: undefined, headers: {} }, true)
        return
      case 'pong':
        this.#flushes.shift()?.(true)
        return
      case 'end':
        this.lost(session)
    }
  }

  lost(session: Session): void {
    if (session !== this.#session) return
    this.#session = undefined
    this.#become('reconnecting')
    this.#failFlushes()
    this.retry()
  }

  /** Tries to reconnect soon, unless there is nothing to be done but wait until the network heals. */
  retry(): void {
    if (this.#session !== undefined || this.#status === 'closed') return
    const { kernel } = this.#network
    const blockedMs = this.#network.blockedUntilMs(this) - kernel.nowMs
    if (blockedMs === Infinity) return
    const waitMs = RECONNECT_WAIT_MS * kernel.draws.uniform(`network.reconnect.${this.name}`)
    kernel.after(this.process, Math.max(0, blockedMs) + waitMs, () => this.#reconnect())
  }

  /** What is published while it dials goes out after its subscriptions, late; before and after a vain attempt it is lost. */
  #reconnect(): void {
    if (this.#session !== undefined || this.#dialled !== undefined || this.#status === 'closed') return
    const dialMs = this.#network.dialMs(this)
    if (dialMs === 0) {
      this.#connected([])
      return
    }
    const dialled: Sent[] = []
    // A fast lane keeps nothing.
    this.#dialled = this.isFullClient ? dialled : []
    this.#network.kernel.after(this.process, dialMs, () => {
      this.#dialled = undefined
      this.#connected(dialled)
    })
  }

  #connected(late: readonly Sent[]): void {
    if (this.#status === 'closed') return
    this.#session = this.#network.open(this)
    if (this.#session === undefined) {
      this.retry()
      return
    }
    for (const [sid, { subject, queue }] of this.#routes) this.#sendSubscribe(sid, subject, queue)
    for (const message of late) this.#session.up.send(...message)
    this.#network.publishedLate += late.length
    this.#become('connected')
  }

  #route(subject: string, queue: string, handler: (message: Received) => void): number {
    const sid = ++this.#lastSid
    this.#routes.set(sid, { subject, queue, handler })
    this.#sendSubscribe(sid, subject, queue)
    return sid
  }

  #endRoute(sid: number): void {
    if (this.#routes.delete(sid)) this.#session?.up.send({ kind: 'unsubscribe', sid }, ENVELOPE_BYTES)
  }

  #sendSubscribe(sid: number, subject: string, queue: string): void {
    this.#session?.up.send({ kind: 'subscribe', sid, subject, queue }, ENVELOPE_BYTES)
  }

  #handle(sid: number, { subject, data, reply, headers }: Publication, isNoResponders: boolean): void {
    const route = this.#routes.get(sid)
    if (route === undefined) return
    const respond = (answer: Uint8Array) => {
      if (reply !== undefined) this.publish(reply, answer)
    }
    this.#guard(route.handler, { subject, data, reply, headers, respond, isNoResponders })
  }

  #become(status: bus.BusStatus): void {
    if (status === this.#status || this.#status === 'closed') return
    this.#status = status
    for (const listener of this.#listeners) this.#guard(listener, status)
  }

  #failFlushes(): void {
    const flushes = this.#flushes
    this.#flushes = []
    for (const end of flushes) end(false)
  }

  /** An exception in a handler is a defect, and the run has found it. */
  #guard<A>(handler: (value: A) => void, value: A): void {
    try {
      handler(value)
    } catch (error) {
      this.#network.kernel.fail(error)
    }
  }

  #unavailable(doing: string): BusUnavailable {
    const isClosed = this.#status === 'closed'
    return new BusUnavailable({
      component: 'bus',
      value: SIM_URL,
      problem: `cannot ${doing}: ${isClosed ? 'the connection to NATS was closed' : 'the connection to NATS is down'}`,
      remedy: isClosed ? 'Loch is stopping: start it again.' : 'It reconnects by itself: check that the server runs.',
    })
  }
}

/** On the wire: "NATS/1.0", a line per header, and an empty line. */
function headerBytes(headers: bus.BusHeaders): number {
  let bytes = 'NATS/1.0\r\n\r\n'.length
  for (const [name, value] of Object.entries(headers)) bytes += Buffer.byteLength(`${name}: ${value}\r\n`)
  return bytes
}
