/**
 * A NATS server of Loch's own, for a host where --nats names none: nats-server if it is installed, else the embedded
 * broker. Both listen on this host only and speak the same protocol; which of them runs makes no difference to anybody.
 * Whoever opens one keeps it open: restarting a server that died is the supervisor's.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import type * as Scope from 'effect/Scope'
import { AddressTaken, HostUnfit } from '../errors.ts'
import { BASE_ENVIRONMENT, findProgram } from '../postgres/command.ts'
import { startBroker } from './broker/broker.ts'
import { type Credentials, userInfo } from './broker/credentials.ts'

export interface OpenBrokerOptions {
  /** 0 or absent for any free one. A restart on the same port brings clients back by themselves. */
  readonly port?: number
  readonly prefer?: 'nats-server' | 'embedded' | 'auto'
  readonly credentials?: Credentials
  /** Where nats-server's configuration goes, which only root shall read; one server at a time. Absent: in a new one. */
  readonly directory?: string
}

export interface LocalBroker {
  readonly kind: 'nats-server' | 'embedded'
  /** With credentials, if any are needed. */
  readonly url: string
  readonly port: number
  /** Resolves with one line when the server ended though nobody closed it; an embedded one never does. */
  readonly died: Promise<string>
}

const HOST = '127.0.0.1'
/** nats-server is up within 20 ms; a host this slow could not run Postgres either. */
const START_TIMEOUT_MS = 10_000
/** SIGTERM lets nats-server close its clients; then it is killed. */
const STOP_TIMEOUT_MS = 2_000
/** Of its log, enough for the reason of an exit. */
const LOG_BYTES_MAX = 16 * 1024

/**
 * Opens one, closed with the scope.
 * Errors: AddressTaken; HostUnfit if `prefer` is nats-server and it is not installed or does not start.
 */
export function openBroker(
  options: OpenBrokerOptions = {},
): Effect.Effect<LocalBroker, AddressTaken | HostUnfit, Scope.Scope> {
  const program = findNatsServer()
  switch (options.prefer ?? 'auto') {
    case 'embedded':
      return openEmbedded(options)
    case 'nats-server':
      return program === undefined ? Effect.fail(notInstalled()) : spawnNatsServer(program, options)
    case 'auto':
      return program === undefined ? openEmbedded(options) : spawnNatsServer(program, options)
  }
}

/** Absolute path of nats-server, in PATH or where distributions put it; undefined if it is not installed. */
export function findNatsServer(): string | undefined {
  return findProgram('nats-server')
}

function openEmbedded(options: OpenBrokerOptions): Effect.Effect<LocalBroker, AddressTaken, Scope.Scope> {
  const { credentials } = options
  const broker = startBroker({
    host: HOST,
    port: options.port ?? 0,
    ...(credentials === undefined ? {} : { credentials }),
  })
  return Effect.map(broker, ({ url, port }) => ({ kind: 'embedded', url, port, died: new Promise(() => {}) }))
}

function spawnNatsServer(
  program: string,
  options: OpenBrokerOptions,
): Effect.Effect<LocalBroker, AddressTaken | HostUnfit, Scope.Scope> {
  const credentials = options.credentials ?? { kind: 'none' }
  const started = Effect.acquireRelease(
    Effect.sync(() => new NatsServer(program, options.port ?? 0, credentials, options.directory)),
    (server) => Effect.promise(() => server.stop()),
  )
  return Effect.flatMap(started, (server) =>
    Effect.tryPromise({
      try: async (): Promise<LocalBroker> => {
        const port = await server.listening()
        const url = `nats://${userInfo(credentials)}${HOST}:${port}`
        return { kind: 'nats-server', url, port, died: server.died }
      },
      catch: (cause) => didNotStart(program, options.port ?? 0, cause),
    }),
  )
}

/** The child process, from its start to its end. */
class NatsServer {
  /** Resolves when it ended without `stop`. */
  readonly died: Promise<string>
  readonly #child: ChildProcess
  /** What is written for it, removed at its end. */
  readonly #written: string
  readonly #exited: Promise<string>
  #log = ''
  #stopping = false
  #onLog = () => {}

  constructor(program: string, port: number, credentials: Credentials, directory: string | undefined) {
    // A file, because arguments can be read by everybody on the host.
    const place = directory ?? mkdtempSync(join(tmpdir(), 'loch-nats-'))
    const file = join(place, 'nats-server.conf')
    this.#written = directory === undefined ? place : file
    writeFileSync(file, configuration(port, credentials), { mode: 0o600 })
    const argv = [...dyingWithParent(), program, '--config', file]
    this.#child = spawn(argv[0]!, argv.slice(1), {
      cwd: '/',
      env: BASE_ENVIRONMENT,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_BYTES_MAX)
      this.#onLog()
    })
    this.#exited = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(error.message))
      this.#child.on('close', (code, signal) => resolve(`${signal ?? `exit code ${code}`}: ${lastError(this.#log)}`))
    })
    this.died = this.#exited.then((reason) =>
      this.#stopping ? new Promise(() => {}) : `nats-server ended (${reason})`,
    )
  }

  /** The port, once it answers there. Rejects with an Error that says what happened instead. */
  async listening(): Promise<number> {
    const deadline = AbortSignal.timeout(START_TIMEOUT_MS)
    const tooLate = new Promise<never>((_, reject) => {
      deadline.addEventListener('abort', () => reject(new Error(`it did not answer within ${START_TIMEOUT_MS} ms`)))
    })
    const exited = this.#exited.then((reason) => Promise.reject(new Error(reason)))
    const answering = this.#portFromLog().then(async (port) => {
      await greeted(port)
      return port
    })
    return await Promise.race([answering, exited, tooLate])
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#child.kill('SIGTERM')
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#exited
    clearTimeout(impatience)
    rmSync(this.#written, { recursive: true, force: true })
  }

  #portFromLog(): Promise<number> {
    return new Promise((resolve) => {
      this.#onLog = () => {
        const port = parsePort(this.#log)
        if (port !== undefined) resolve(port)
      }
      this.#onLog()
    })
  }
}

/** The port in nats-server's log line "Listening for client connections on 127.0.0.1:4222". */
export function parsePort(log: string): number | undefined {
  const match = /Listening for client connections on \S+:(\d+)/.exec(log)
  return match === null ? undefined : Number(match[1])
}

/** Settings as in https://docs.nats.io/running-a-nats-service/configuration; strings are JSON, which it reads. */
export function configuration(port: number, credentials: Credentials): string {
  const lines = [
    `host: "${HOST}"`,
    // -1 is nats-server's word for any free port.
    `port: ${port === 0 ? -1 : port}`,
    'server_name: "loch"',
    'max_payload: 1MB',
    'max_pending: 64MB',
    'write_deadline: "10s"',
    'ping_interval: "20s"',
  ]
  switch (credentials.kind) {
    case 'none':
      break
    case 'password':
      lines.push(`authorization { user: ${quoted(credentials.user)}, password: ${quoted(credentials.password)} }`)
      break
    case 'token':
      lines.push(`authorization { token: ${quoted(credentials.token)} }`)
      break
  }
  return `${lines.join('\n')}\n`
}

function quoted(text: string): string {
  return JSON.stringify(text)
}

/** Killed with us, if the host has setpriv: a server without its supervisor would hold the port. */
function dyingWithParent(): readonly string[] {
  const setpriv = findProgram('setpriv')
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']
}

/** Resolves when something on `port` says INFO, as the first words of every NATS server are. */
function greeted(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: HOST, port })
    socket.once('error', reject)
    socket.once('data', () => {
      socket.destroy()
      resolve()
    })
    socket.once('close', () => reject(new Error(`it closes connections to port ${port}`)))
  })
}

/** The last line of its log that is an error or fatal, else the last. */
function lastError(log: string): string {
  const lines = log.trim().split('\n')
  return lines.findLast((line) => /\[(ERR|FTL)\]/.test(line)) ?? lines.at(-1) ?? ''
}

function didNotStart(program: string, port: number, cause: unknown): AddressTaken | HostUnfit {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (/address already in use/.test(text)) {
    return new AddressTaken({
      component: 'nats-server',
      value: `${HOST}:${port}`,
      problem: 'another program listens on this address',
      remedy: 'Stop that program, or choose another port.',
    })
  }
  return new HostUnfit({
    component: 'nats-server',
    value: program,
    problem: `it was started and did not answer (${text})`,
    remedy: 'Repair it, or let Loch use its embedded broker.',
    cause,
  })
}

function notInstalled(): HostUnfit {
  return new HostUnfit({
    component: 'nats-server',
    value: 'PATH',
    problem: 'nats-server is not installed',
    remedy: 'Install it (apt-get install nats-server), or let Loch use its embedded broker.',
  })
}
