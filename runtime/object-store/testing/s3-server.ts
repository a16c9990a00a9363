/**
 * A small S3 server for tests and demonstrations, since none that npm or Debian offers honours conditional writes. It
 * speaks as much of S3 as Loch and the SDK need (s3-operations.ts), fails on demand (s3-faults.ts), and can be
 * slow. Not for production: one process, no signatures checked.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { precedesApply, type S3FaultKind, S3Faults } from './s3-faults.ts'
import { S3Objects } from './s3-objects.ts'
import { answerS3, preconditionFailed } from './s3-operations.ts'
import { errorAnswer, type S3Answer, type S3Request } from './s3-wire.ts'

export interface S3ServerOptions {
  /** Default: a free one. */
  readonly port?: number
  readonly buckets?: ReadonlyArray<string>
  /** Objects are kept below this directory and outlive the server; without it they are kept in memory. */
  readonly directory?: string
  readonly accessKeyId?: string
}

export const TEST_CREDENTIALS = { accessKeyId: 'loch-test', secretAccessKey: 'loch-test-secret' }

export class S3Server {
  readonly faults = new S3Faults()
  /** "PUT /bucket/key" for each request so far, in order of arrival. */
  readonly requests: string[] = []
  /** Milliseconds that the answer to a request is held back. */
  latencyMs: (method: string, target: string) => number = () => 0
  ignoresConditions = false
  dropsMetadata = false
  readonly buckets = new Map<string, S3Objects>()
  private readonly accessKeyId: string
  private readonly server: Server

  private constructor({ buckets = ['loch'], directory, accessKeyId = TEST_CREDENTIALS.accessKeyId }: S3ServerOptions) {
    this.accessKeyId = accessKeyId
    for (const bucket of buckets) {
      this.buckets.set(bucket, new S3Objects(directory === undefined ? undefined : join(directory, bucket)))
    }
    this.server = createServer((request, response) => {
      this.serve(request, response).catch((error: unknown) => {
        // A client that went away in the middle of its request.
        response.destroy(error instanceof Error ? error : undefined)
      })
    })
  }

  /** Listens on the loopback interface. Rejects if the port is taken. */
  static async start(options: S3ServerOptions = {}): Promise<S3Server> {
    const started = new S3Server(options)
    await new Promise<void>((resolve, reject) => {
      started.server.once('error', reject)
      started.server.listen(options.port ?? 0, '127.0.0.1', resolve)
    })
    return started
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** What a client needs in its environment. */
  get environment(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL: this.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: this.accessKeyId,
      AWS_SECRET_ACCESS_KEY: TEST_CREDENTIALS.secretAccessKey,
    }
  }

  /** How many clients are connected now. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    })
  }

  /** Breaks off what is under way. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const [method, target] = [incoming.method ?? 'GET', incoming.url ?? '/']
    this.requests.push(`${method} ${target}`)
    const request = parseRequest(incoming, await bodyOf(incoming))
    const latencyMs = this.latencyMs(method, target)
    if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs))
    const fault = this.faults.take(method, target)
    if (fault !== undefined && precedesApply(fault)) return fail(response, fault)
    const answer = answerS3({ ...this.settings(), nowMs: Date.now() }, request)
    if (fault !== undefined) return fail(response, fault, answer, method)
    send(response, answer, method)
  }

  private settings() {
    const { buckets, accessKeyId, ignoresConditions, dropsMetadata } = this
    return { buckets, accessKeyId, ignoresConditions, dropsMetadata }
  }
}

function parseRequest(incoming: IncomingMessage, body: Buffer): S3Request {
  const url = new URL(incoming.url ?? '/', 'http://store')
  const [bucket, ...key] = url.pathname.slice(1).split('/')
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]),
  )
  const parts = { bucket: decodeURIComponent(bucket ?? ''), key: decodeURIComponent(key.join('/')) }
  return { method: incoming.method ?? 'GET', ...parts, query: url.searchParams, headers, body }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function send(response: ServerResponse, answer: S3Answer, method: string): void {
  // An object's size, also where a HEAD has no body.
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
  response.end(method === 'HEAD' ? undefined : answer.body)
}

function fail(response: ServerResponse, kind: S3FaultKind, answer?: S3Answer, method = 'GET'): void {
  switch (kind) {
    case 'conflict':
    case 'precondition-failed-after-apply':
    case 'slow-down':
    case 'internal-error':
    case 'bad-gateway':
    case 'gateway-timeout-after-apply':
      send(response, refusal(kind), 'GET')
      return
    case 'timeout-before-apply':
    case 'timeout-after-apply':
      // The connection stays open and silent until the client gives up or the server stops.
      return
    case 'reset-before-apply':
    case 'reset-after-apply':
      response.socket?.resetAndDestroy()
      return
    case 'half-body':
      if (answer === undefined) throw new Error('broken invariant: half of a body needs an answer')
      sendHalf(response, answer, method)
      return
  }
}

type SpokenFault = Extract<
  S3FaultKind,
  | 'conflict'
  | 'precondition-failed-after-apply'
  | 'slow-down'
  | 'internal-error'
  | 'bad-gateway'
  | 'gateway-timeout-after-apply'
>

function refusal(kind: SpokenFault): S3Answer {
  switch (kind) {
    case 'conflict':
      return errorAnswer(409, 'ConditionalRequestConflict', 'A conflicting operation is under way')
    case 'precondition-failed-after-apply':
      return preconditionFailed()
    case 'slow-down':
      return errorAnswer(503, 'SlowDown', 'Please reduce your request rate.')
    case 'internal-error':
      return errorAnswer(500, 'InternalError', 'We encountered an internal error.')
    case 'bad-gateway':
      return { status: 502, headers: { 'content-type': 'text/html' }, body: Buffer.from('<html>Bad Gateway</html') }
    case 'gateway-timeout-after-apply':
      return errorAnswer(504, 'GatewayTimeout', 'The server did not answer in time')
  }
}

function sendHalf(response: ServerResponse, { status, headers, body }: S3Answer, method: string): void {
  response.writeHead(status, { ...headers, 'content-length': body.length })
  if (method === 'HEAD' || body.length === 0) response.destroy()
  else response.write(body.subarray(0, body.length >>> 1), () => response.destroy())
}
