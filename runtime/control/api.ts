/**
 * The control API as a NATS micro service (ADR-32): any NATS client finds it by `$SRV.INFO.loch`, which shows each
 * endpoint's subject and the JSON Schemas of what it takes and answers. Here requests become checked values and
 * outcomes become answers; what the endpoints do is in the handlers, which the supervisor supplies.
 */
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import type { NatsBus, ServiceMsg } from '../bus/nats.ts'
import { BadArgument, Refused } from '../errors.ts'
import { decodeAs, type Encoding, encodeAs, encodingOf } from './encoding.ts'
import { describeReport, reportOf } from './error-report.ts'
import {
  controlGroup,
  type EndpointName,
  type ErrorReport,
  endpoints,
  type RequestOf,
  type ResponseOf,
} from './schemas.ts'

/** They reject with errors of the closed set; anything else is answered as a defect and reported. */
export type Handlers = { readonly [N in EndpointName]: (request: RequestOf<N>) => Promise<ResponseOf<N>> }

export interface ControlService {
  /** No other service has it, whoever serves the same. */
  readonly id: string
  /** Takes no further requests. */
  readonly stop: () => Promise<void>
}

export interface ServeOptions {
  readonly project: string
  /** Semantic version. */
  readonly version: string
  readonly instance: string
  /** Hears of defects, one line each. */
  readonly report: (line: string) => void
}

export const SERVICE_NAME = 'loch'

/** As in HTTP, which is how the clients of NATS services read them. */
const REFUSED_CODE = 400
const DEFECT_CODE = 500

export async function serveControl(bus: NatsBus, handlers: Handlers, options: ServeOptions): Promise<ControlService> {
  const service = await bus.services.add({
    name: SERVICE_NAME,
    version: options.version,
    description: 'Controls a Loch: serverless PostgreSQL over one ordered log in object storage',
    metadata: { project: options.project, instance: options.instance },
  })
  const group = service.addGroup(controlGroup(options.project))
  for (const name of Object.keys(endpoints) as EndpointName[]) {
    // A name is one token; the subject has the dots.
    group.addEndpoint(name.replaceAll('.', '-'), {
      subject: name,
      metadata: describeEndpoint(name),
      handler: (_error, message) => void answer(name, handlers, message, options.report),
    })
  }
  return { id: service.info().id, stop: async () => void (await service.stop()) }
}

async function answer<N extends EndpointName>(
  name: N,
  handlers: Handlers,
  message: ServiceMsg,
  report: (line: string) => void,
): Promise<void> {
  const encoding = encodingOf(message.data)
  try {
    const response = await handlers[name](readRequest(name, decodeAs(encoding, message.data)))
    message.respond(encodeAs(encoding, response))
  } catch (error) {
    respondError(message, encoding, reportOf(error))
    if (reportOf(error).tag === 'Defect') report(`control ${name}: ${error instanceof Error ? error.stack : error}`)
  }
}

function respondError(message: ServiceMsg, encoding: Encoding, error: ErrorReport): void {
  const code = error.tag === 'Defect' ? DEFECT_CODE : REFUSED_CODE
  // Headers hold no line breaks.
  message.respondError(code, describeReport(error).replaceAll(/[\r\n]+/g, ' '), encodeAs(encoding, { error }))
}

/** @throws BadArgument, which says what does not fit. A misspelt field must not pass for an absent one. */
export function readRequest<N extends EndpointName>(name: N, value: unknown): RequestOf<N> {
  const schema: Schema.Codec<RequestOf<N>, unknown> = endpoints[name].request as never
  const parsed = Schema.decodeUnknownResult(schema)(value, { onExcessProperty: 'error' })
  if (Result.isSuccess(parsed)) return parsed.success
  throw new BadArgument({
    component: `control ${name}`,
    value: JSON.stringify(value)?.slice(0, 200) ?? String(value),
    problem: `the request does not fit: ${parsed.failure.message.replaceAll(/\s+/g, ' ')}`,
    remedy: `Its schema stands in the answer to $SRV.INFO.${SERVICE_NAME}.`,
  })
}

/** The checked answer of an endpoint, or the error it was answered with. @throws LochError */
export function readResponse<N extends EndpointName>(name: N, value: unknown): ResponseOf<N> {
  const schema: Schema.Codec<ResponseOf<N>, unknown> = endpoints[name].response as never
  const parsed = Schema.decodeUnknownResult(schema)(value)
  if (Result.isSuccess(parsed)) return parsed.success
  throw new Refused({
    component: `control ${name}`,
    value: 'answer',
    problem: `the answer does not fit: ${parsed.failure.message.replaceAll(/\s+/g, ' ')}`,
    remedy: 'Use the command line and the client of the same version of Loch as the server.',
  })
}

function describeEndpoint(name: EndpointName): Record<string, string> {
  const { description, request, response } = endpoints[name]
  return { description, request: jsonSchema(request), response: jsonSchema(response) }
}

function jsonSchema(schema: Schema.Top): string {
  const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema)
  return JSON.stringify(Object.keys(definitions).length === 0 ? root : { ...root, $defs: definitions })
}
