/**
 * The embedded broker: core NATS (https://docs.nats.io) on a local port, for hosts without nats-server. One process, no
 * cluster, no JetStream, no accounts, no TLS: Loch needs none of them, and whoever does has a NATS cluster to name with
 * --nats. Here connections come and go; a message's way is parser.ts → client.ts → switchboard.ts → outbox.ts.
 */
import { randomBytes } from 'node:crypto'
import * as net from 'node:net'
import * as Effect from 'effect/Effect'
import type * as Scope from 'effect/Scope'
import { AddressTaken } from '../../errors.ts'
import { Client, type ClientSurroundings } from './client.ts'
import { type Credentials, userInfo } from './credentials.ts'
import { type BrokerLimits, CLOSE_GRACE_MS, DEFAULT_LIMITS, SWEEP_INTERVAL_MS } from './limits.ts'
import { type Counters, Switchboard } from './switchboard.ts'

export interface BrokerOptions {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  readonly credentials?: Credentials
  /** Departures from DEFAULT_LIMITS. */
  readonly limits?: Partial<BrokerLimits>
}

export interface BrokerStats extends Readonly<Counters> {
  readonly connections: number
  readonly connectionsEver: number
  readonly subscriptions: number
}

export interface Broker {
  /** With credentials, if any are needed. */
  readonly url: string
  readonly host: string
  readonly port: number
  stats(): BrokerStats
}

/**
 * Listens until the scope closes; then clients get what was sent to them, and their connections are closed.
 * Errors: AddressTaken when the address cannot be listened on.
 */
export function startBroker(options: BrokerOptions): Effect.Effect<Broker, AddressTaken, Scope.Scope> {
  const open = Effect.callback<RunningBroker, AddressTaken>((resume) => {
    const broker = new RunningBroker(options)
    broker.listen(
      () => resume(Effect.succeed(broker)),
      (error) => resume(Effect.fail(addressTaken(options, error))),
    )
  })
  return Effect.acquireRelease(open, (broker) => Effect.promise(() => broker.close()))
}

/** What clients of nats-server read its version for are features of JetStream, which this is without. */
const PROTOCOL_VERSION = '2.9.0'

class RunningBroker implements Broker {
  readonly host: string
  readonly #options: BrokerOptions
  readonly #limits: BrokerLimits
  readonly #credentials: Credentials
  readonly #counters: Counters = { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0, cut: {} }
  readonly #switchboard: Switchboard
  readonly #surroundings: ClientSurroundings
  readonly #clients = new Set<Client>()
  readonly #server: net.Server
  readonly #serverId = `N${randomBytes(16).toString('hex').toUpperCase()}`
  #sweep: NodeJS.Timeout | undefined
  #connectionsEver = 0
  #port: number

  constructor(options: BrokerOptions) {
    this.#options = options
    this.host = options.host
    this.#port = options.port
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#credentials = options.credentials ?? { kind: 'none' }
    this.#switchboard = new Switchboard(this.#limits, this.#counters)
    this.#surroundings = {
      switchboard: this.#switchboard,
      limits: this.#limits,
      credentials: this.#credentials,
      counters: this.#counters,
    }
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket))
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    const host = net.isIPv6(this.host) ? `[${this.host}]` : this.host
    return `nats://${userInfo(this.#credentials)}${host}:${this.port}`
  }

  stats(): BrokerStats {
    return {
      ...this.#counters,
      cut: { ...this.#counters.cut },
      connections: this.#clients.size,
      connectionsEver: this.#connectionsEver,
      subscriptions: this.#switchboard.subscriptions,
    }
  }

  listen(listening: () => void, failed: (error: NodeJS.ErrnoException) => void): void {
    this.#server.once('error', failed)
    this.#server.listen({ host: this.#options.host, port: this.#options.port }, () => {
      this.#server.off('error', failed)
      const address = this.#server.address()
      if (typeof address === 'object' && address !== null) this.#port = address.port
      // accept(2) may fail for want of descriptors: the client comes again, the broker must not end.
      this.#server.on('error', () => {})
      const { pingIntervalMs, writeDeadlineMs, authenticationMs } = this.#limits
      const sweepMs = Math.min(SWEEP_INTERVAL_MS, pingIntervalMs, writeDeadlineMs, authenticationMs)
      this.#sweep = setInterval(() => this.#sweepClients(performance.now()), sweepMs).unref()
      listening()
    })
  }

  close(): Promise<void> {
    clearInterval(this.#sweep)
    return new Promise((resolve) => {
      const clients = [...this.#clients]
      const impatience = setTimeout(() => {
        for (const client of clients) client.destroy()
      }, CLOSE_GRACE_MS)
      this.#server.close(() => {
        clearTimeout(impatience)
        resolve()
      })
      for (const client of clients) client.end()
    })
  }

  #accept(socket: net.Socket): void {
    const client = new Client(socket, this.#surroundings)
    this.#clients.add(client)
    this.#connectionsEver++
    socket.on('data', (chunk) => client.receive(chunk))
    // Resets and the like; 'close' follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      client.forget()
      this.#clients.delete(client)
    })
    client.say(`INFO ${JSON.stringify(this.#info(socket))}`)
    if (this.#clients.size > this.#limits.connectionsMax) client.cut('maximum connections exceeded')
    this.#switchboard.flush()
  }

  /** Members as in nats-server's INFO: https://docs.nats.io/reference/reference-protocols/nats-protocol#info. */
  #info(socket: net.Socket): Record<string, unknown> {
    return {
      server_id: this.#serverId,
      server_name: 'loch-embedded',
      version: PROTOCOL_VERSION,
      proto: 1,
      host: this.host,
      port: this.port,
      headers: true,
      max_payload: this.#limits.payloadBytesMax,
      jetstream: false,
      auth_required: this.#credentials.kind !== 'none',
      client_id: this.#connectionsEver,
      client_ip: socket.remoteAddress,
      nonce: randomBytes(11).toString('base64url'),
    }
  }

  #sweepClients(nowMs: number): void {
    const { writeDeadlineMs, authenticationMs, pingIntervalMs } = this.#limits
    for (const client of this.#clients) {
      const { blockedSinceMs } = client.outbox
      if (client.closed) client.destroyAfter(CLOSE_GRACE_MS, nowMs)
      else if (blockedSinceMs >= 0 && nowMs - blockedSinceMs > writeDeadlineMs) client.cut('Slow Consumer')
      else if (!client.authorized && nowMs - client.connectedAtMs > authenticationMs)
        client.cut('Authentication Timeout')
      else if (nowMs - client.heardAtMs >= pingIntervalMs) client.probe()
    }
    this.#switchboard.flush()
  }
}

function addressTaken(options: BrokerOptions, error: NodeJS.ErrnoException): AddressTaken {
  const value = `${options.host}:${options.port}`
  const inUse = error.code === 'EADDRINUSE'
  return new AddressTaken({
    component: 'embedded broker',
    value,
    problem: inUse ? 'another program listens on this address' : `cannot listen on this address (${error.code})`,
    remedy: inUse
      ? 'Stop that program, or choose another port.'
      : 'Choose an address of this host and a port above 1023.',
    cause: error,
  })
}
