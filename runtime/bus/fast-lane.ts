/**
 * A second connection to NATS for log bytes and their acknowledgements: just enough of the client protocol to publish and
 * subscribe, over one socket, with payloads that are copied at most once. The client library assembles a payload of
 * hundreds of kilobytes by growing a buffer again and again, which cost more than everything else that a safekeeper does
 * with it. Requests, headers, queues and clusters are not here; nor is any promise: what gets lost is sent again by
 * whoever misses it.
 */
import * as net from 'node:net'
import { BadArgument } from '../errors.ts'
import { type BusAddress, parseAddress } from './address.ts'
import type { BusMessage, BusShape, PublishOptions, Subscription } from './bus.ts'
import { MessageParser } from './message-parser.ts'
import { INFO, isEncrypting } from './server-info.ts'
import { replyOf } from './subject.ts'

/** What the fast lane has of a bus. */
export type Lane = Pick<BusShape, 'publish' | 'subscribe'>

export interface FastLane extends Lane {
  close(): void
}

interface Route {
  readonly subject: string
  readonly handler: (message: BusMessage) => void
  /** Of the bus, since it took over. */
  overBus?: Subscription
}

const RECONNECT_AFTER_MS = 100
/** As the bus itself: a peer that vanished without a word is noticed within three of these. */
const PING_INTERVAL_MS = 10_000
const PINGS_UNANSWERED_MAX = 2
const CRLF = Buffer.from('\r\n')

export interface LaneOptions {
  /** Shown by NATS's own tools. */
  readonly name: string
  /** Carries what the lane cannot, from the start or once the server turns out to want more than plain NATS. */
  readonly bus: Lane
  readonly report: (line: string) => void
  /** For tests. */
  readonly pingIntervalMs?: number
}

/**
 * Opens the lane to the server of `url`, and keeps it open. Where that needs more than plain NATS to one server (TLS,
 * several servers), the bus is the lane.
 */
export function openFastLane(url: string, options: LaneOptions): FastLane {
  const address = parseAddress(url)
  if (address instanceof BadArgument || address.tls || address.servers.length !== 1) return overBus(options.bus)
  return new Connection(address, options)
}

function overBus(bus: Lane): FastLane {
  return {
    publish: (subject, data, options) => bus.publish(subject, data, options),
    subscribe: (subject, handler) => bus.subscribe(subject, handler),
    close() {},
  }
}

function connectOptions({ user, password, token }: BusAddress, name: string): string {
  const credentials = token !== '' ? { auth_token: token } : user === '' ? {} : { user, pass: password }
  const options = { verbose: false, pedantic: false, echo: false, lang: 'loch', version: '1', protocol: 0, name }
  return JSON.stringify({ ...options, ...credentials })
}

function splitHost(server: string): readonly [string, number] {
  const colon = server.lastIndexOf(':')
  return [server.slice(0, colon).replace(/^\[|\]$/g, ''), Number(server.slice(colon + 1))]
}

class Connection implements FastLane {
  readonly #host: string
  readonly #port: number
  readonly #connectOptions: string
  readonly #options: LaneOptions
  readonly #routes = new Map<number, Route>()
  #lastSid = 0
  #socket: net.Socket | undefined
  #introduced = false
  #closed = false
  #isOverBus = false
  #corked = false
  /** Since anything was heard on this connection. */
  #pingsUnanswered = 0

  constructor(address: BusAddress, options: LaneOptions) {
    const [host, port] = splitHost(address.servers[0]!)
    this.#host = host
    this.#port = port
    this.#connectOptions = connectOptions(address, options.name)
    this.#options = options
    this.#open()
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions = {}): void {
    if (this.#isOverBus) {
      this.#options.bus.publish(subject, data, options)
      return
    }
    const socket = this.#socket
    // Like the bus: what is published while there is no connection is lost.
    if (!socket || !this.#introduced) return
    if (!this.#corked) {
      this.#corked = true
      socket.cork()
      process.nextTick(() => {
        this.#corked = false
        socket.uncork()
      })
    }
    const reply = options.reply === undefined ? '' : ` ${options.reply}`
    socket.write(`PUB ${subject}${reply} ${data.length}\r\n`, 'latin1')
    socket.write(data)
    socket.write(CRLF)
  }

  subscribe(subject: string, handler: (message: BusMessage) => void): Subscription {
    const sid = ++this.#lastSid
    const route: Route = { subject, handler }
    this.#routes.set(sid, route)
    if (this.#isOverBus) this.#routeOverBus(route)
    else if (this.#introduced) this.#socket?.write(`SUB ${subject} ${sid}\r\n`)
    return {
      subject,
      unsubscribe: () => {
        route.overBus?.unsubscribe()
        if (this.#routes.delete(sid) && this.#introduced) this.#socket?.write(`UNSUB ${sid}\r\n`)
      },
    }
  }

  close(): void {
    this.#closed = true
    this.#socket?.destroy()
    for (const { overBus } of this.#routes.values()) overBus?.unsubscribe()
  }

  #open(): void {
    if (this.#closed) return
    const socket = net.connect({ host: this.#host, port: this.#port, noDelay: true })
    this.#socket = socket
    this.#introduced = false
    this.#pingsUnanswered = 0
    const { pingIntervalMs = PING_INTERVAL_MS } = this.#options
    const watch = setInterval(() => this.#probe(socket), pingIntervalMs)
    const parser = new MessageParser({
      line: (line) => this.#hear(socket, line),
      message: (sid, subject, reply, data) => this.#deliver(sid, subject, reply, data),
      nonsense: () => socket.destroy(),
    })
    socket.on('data', (chunk: Buffer) => {
      this.#pingsUnanswered = 0
      parser.push(chunk)
    })
    // An error is followed by 'close', which reconnects.
    socket.on('error', () => {})
    socket.once('close', () => {
      clearInterval(watch)
      this.#introduced = false
      setTimeout(() => this.#open(), RECONNECT_AFTER_MS)
    })
  }

  /** Who only receives never hears of a peer that is gone: TCP tells senders. A connection that is not made counts, too. */
  #probe(socket: net.Socket): void {
    if (this.#pingsUnanswered++ >= PINGS_UNANSWERED_MAX) socket.destroy()
    else if (this.#introduced) socket.write('PING\r\n')
  }

  #hear(socket: net.Socket, line: string): void {
    if (line.startsWith(INFO)) this.#greet(socket, line)
    else if (line === 'PING') socket.write('PONG\r\n')
    else if (line.startsWith('-ERR')) {
      this.#options.report(`NATS ended a log connection: ${line}`)
      socket.destroy()
    }
  }

  /** Once: a server tells of itself again whenever its cluster changes. */
  #greet(socket: net.Socket, info: string): void {
    if (this.#introduced || this.#closed) return
    if (isEncrypting(info)) {
      this.#leaveToBus()
      return
    }
    this.#introduced = true
    socket.write(`CONNECT ${this.#connectOptions}\r\n`)
    for (const [sid, { subject }] of this.#routes) socket.write(`SUB ${subject} ${sid}\r\n`)
  }

  /** For good, and before a credential was said. */
  #leaveToBus(): void {
    this.close()
    this.#isOverBus = true
    for (const route of this.#routes.values()) this.#routeOverBus(route)
    this.#options.report('NATS wants TLS: log bytes go over the encrypted connection of the bus')
  }

  #routeOverBus(route: Route): void {
    route.overBus = this.#options.bus.subscribe(route.subject, route.handler)
  }

  #deliver(sid: number, subject: string, written: string | undefined, data: Buffer): void {
    const reply = replyOf(written)
    this.#routes.get(sid)?.handler({
      subject,
      data,
      reply,
      respond: (answer) => {
        if (reply !== undefined) this.publish(reply, answer)
      },
    })
  }
}
