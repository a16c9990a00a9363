/**
 * `loch/client`: the control API for programs, typed by the very schemas that the service checks requests with. The
 * command line is built on it and on nothing else. Promises, so that its users need not know Effect; they reject with
 * errors of the closed set, each with a remedy.
 */
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Schema from 'effect/Schema'
import * as Scope from 'effect/Scope'
import { connectBus, type NatsBus } from '../bus/nats.ts'
import { run } from '../system/run.ts'
import { readResponse } from './api.ts'
import { decodeAs, encodeAs, encodingOf } from './encoding.ts'
import { errorFrom } from './error-report.ts'
import { controlSubject, type EndpointName, ErrorAnswer, type RequestOf, type ResponseOf } from './schemas.ts'

export { describe, isLochError, type LochError } from '../errors.ts'
export type * from './schemas.ts'

export interface ConnectLochOptions {
  /** `nats://[user:password@]host:port`, as in the line that `loch up --json` prints. */
  readonly nats: string
  /** `main` if absent. */
  readonly project?: string
  /** How long a request may take: 10 s if absent. */
  readonly timeoutMs?: number
}

export interface LochClient {
  readonly status: () => Promise<ResponseOf<'status'>>
  /** Answered before the stop begins. */
  readonly stop: () => Promise<ResponseOf<'stop'>>
  readonly computes: {
    readonly start: (request?: RequestOf<'computes.start'>) => Promise<ResponseOf<'computes.start'>>
    readonly stop: (request?: RequestOf<'computes.stop'>) => Promise<ResponseOf<'computes.stop'>>
    readonly status: (request?: RequestOf<'computes.status'>) => Promise<ResponseOf<'computes.status'>>
  }
  readonly journals: {
    readonly list: () => Promise<ResponseOf<'journals.list'>>
    readonly read: (request: RequestOf<'journals.read'>) => Promise<ResponseOf<'journals.read'>>
  }
  readonly logs: {
    readonly tail: (request: RequestOf<'logs.tail'>) => Promise<ResponseOf<'logs.tail'>>
  }
  readonly close: () => Promise<void>
}

const DEFAULT_PROJECT = 'main'
const DEFAULT_TIMEOUT_MS = 10_000

/** Connects. Rejects with BadArgument for a malformed address, BusUnavailable when there is no way in. */
export async function connectLoch(options: ConnectLochOptions): Promise<LochClient> {
  const scope = Effect.runSync(Scope.make())
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  const connecting = Effect.provideService(connectBus(options.nats, { name: 'loch client' }), Scope.Scope, scope)
  try {
    const bus = await run(connecting)
    return makeClient(bus, options.project ?? DEFAULT_PROJECT, options.timeoutMs ?? DEFAULT_TIMEOUT_MS, close)
  } catch (error) {
    await close()
    throw error
  }
}

function makeClient(bus: NatsBus, project: string, timeoutMs: number, close: () => Promise<void>): LochClient {
  const ask = async <N extends EndpointName>(name: N, request: RequestOf<N>): Promise<ResponseOf<N>> => {
    const data = encodeAs('msgpack', request)
    const message = await run(bus.request(controlSubject(project, name), data, { timeoutMs }))
    const value = decodeAs(encodingOf(message.data), message.data)
    if (isErrorAnswer(value)) throw errorFrom(value.error)
    return readResponse(name, value)
  }
  return {
    status: () => ask('status', {}),
    stop: () => ask('stop', {}),
    computes: {
      start: (request = {}) => ask('computes.start', request),
      stop: (request = {}) => ask('computes.stop', request),
      status: (request = {}) => ask('computes.status', request),
    },
    journals: { list: () => ask('journals.list', {}), read: (request) => ask('journals.read', request) },
    logs: { tail: (request) => ask('logs.tail', request) },
    close,
  }
}

const isErrorAnswer = Schema.is(ErrorAnswer)
