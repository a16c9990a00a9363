/**
 * Helpers for tests of the bus: scopes that end with the test, a raw connection that speaks bytes, and waiting for a
 * condition. Never used by Loch itself.
 */
import * as net from 'node:net'
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Scope from 'effect/Scope'
import type { Credentials } from './broker/credentials.ts'
import { type ConnectOptions, connectBus, type NatsBus } from './nats.ts'

export interface TestServer {
  readonly url: string
  readonly port: number
}

/** How a contract gets the server it tests. Closing the scope stops it. */
export type OpenServer = (options: {
  readonly port?: number
  readonly credentials?: Credentials
}) => Effect.Effect<TestServer, unknown, Scope.Scope>

/** Opens resources that are closed, last first, by `close`. */
export class TestScope {
  readonly #scope = Scope.makeUnsafe()

  open<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> {
    return Effect.runPromise(Scope.provide(effect, this.#scope))
  }

  connect(url: string, options: Partial<ConnectOptions> = {}): Promise<NatsBus> {
    return this.open(connectBus(url, { name: 'test', ...options }))
  }

  close(): Promise<void> {
    return Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }
}

/** Polls at short intervals; fails by name after `timeoutMs`. */
export async function eventually(name: string, condition: () => boolean, timeoutMs = 50_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not come true in ${timeoutMs} ms: ${name}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const QUIET = 'CONNECT {"verbose":false,"pedantic":false}\r\n'
export const QUIET_WITH_HEADERS = 'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n'

/** A connection to a NATS server without a client library. Text is latin1: one character, one byte. */
export class RawClient {
  readonly #socket: net.Socket
  /** All that came after INFO. */
  received = ''
  info = ''
  closed = false

  private constructor(socket: net.Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1')
      const end = this.received.indexOf('\r\n')
      if (this.info !== '' || end < 0) return
      this.info = this.received.slice(0, end)
      this.received = this.received.slice(end + 2)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** Connects and waits for INFO; ends with `scope`. */
  static async open(scope: TestScope, port: number): Promise<RawClient> {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
    await scope.open(Effect.acquireRelease(Effect.void, () => Effect.sync(() => socket.destroy())))
    const client = new RawClient(socket)
    await eventually('INFO', () => client.info !== '')
    return client
  }

  /** Resolves when the bytes have been handed to the kernel. */
  send(text: string): Promise<void> {
    return new Promise((resolve) => this.#socket.write(Buffer.from(text, 'latin1'), () => resolve()))
  }

  /** Sends, with a PING behind it, and returns what came before the PONG, or before the connection was closed. */
  async exchange(text: string): Promise<string> {
    await this.send(`${text}PING\r\n`)
    return await this.untilPong()
  }

  async untilPong(): Promise<string> {
    await eventually('PONG or close', () => this.closed || this.received.endsWith('PONG\r\n'))
    const { received } = this
    this.received = ''
    return received.replace(/PONG\r\n$/, '')
  }

  pauseReading(): void {
    this.#socket.pause()
  }

  resumeReading(): void {
    this.#socket.resume()
  }
}
