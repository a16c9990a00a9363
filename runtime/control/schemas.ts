/**
 * The control API as types: what each endpoint takes and answers, and what a zone tells about itself. The service, the
 * client and `$SRV.INFO` all read these schemas, so none of them can say something else than the others. Fields are only
 * ever added. Nothing here sends anything.
 */
import * as Schema from 'effect/Schema'
import { ComputeState } from '../../events/compute.ts'
import { Count, Envelope } from '../../events/envelope.ts'
import { Durability } from '../../events/timeline.ts'

/** An error of the closed set (runtime/errors.ts) as data; `tag` names its class. */
export const ErrorReport = Schema.Struct({
  tag: Schema.String,
  component: Schema.String,
  value: Schema.String,
  problem: Schema.String,
  remedy: Schema.String,
})
export type ErrorReport = typeof ErrorReport.Type

/** What any endpoint answers instead of its response. */
export const ErrorAnswer = Schema.Struct({ error: ErrorReport })

export const SafekeeperStatus = Schema.Struct({
  timeline: Schema.String,
  state: Schema.String,
  /** Highest term it has promised itself to. */
  term: Count,
  /** Position up to which its disk holds the log. */
  flushed: Count,
  /** Position up to which it knows the log to be in the object store. */
  archived: Count,
})
export type SafekeeperStatus = typeof SafekeeperStatus.Type

/** Positions of a compute in its timeline's log: `durable` <= `end`. */
export const ComputePositions = Schema.Struct({
  /** End of what the compute has written. */
  end: Count,
  /** Everything before is durable, as the timeline's durability demands. */
  durable: Count,
  /** Everything before is in the object store. */
  archived: Count,
})

export const ComputeStatus = Schema.Struct({
  id: Schema.String,
  endpoint: Schema.String,
  timeline: Schema.String,
  role: Schema.Literals(['primary', 'secondary', 'replica']),
  state: ComputeState,
  term: Count,
  durability: Durability,
  /** Process of the zone that runs it. */
  pid: Count,
  /** The postmaster, while there is one. */
  postgresPid: Schema.optionalKey(Count),
  /** HOST:PORT at which clients reach it while it serves. */
  listen: Schema.String,
  positions: ComputePositions,
  /** Why it does not serve; '' if nothing is wrong. */
  problem: Schema.optionalKey(Schema.String),
})
export type ComputeStatus = typeof ComputeStatus.Type

/** A zone's answer on `zoneStatusSubject`. */
export const ZoneReport = Schema.Struct({
  zone: Schema.String,
  pid: Count,
  /** It hosts the endpoint and timeline actors. */
  leader: Schema.Boolean,
  /** Resident memory of the zone's process. */
  memoryBytes: Count,
  safekeepers: Schema.Array(SafekeeperStatus),
  computes: Schema.Array(ComputeStatus),
})
export type ZoneReport = typeof ZoneReport.Type

/** `down`: no process, or one that does not answer in time. `failing`: it died several times in a row. */
export const ZoneCondition = Schema.Literals(['starting', 'up', 'down', 'failing', 'stopping'])
export type ZoneCondition = typeof ZoneCondition.Type

export const ZoneStatus = Schema.Struct({
  zone: Schema.String,
  state: ZoneCondition,
  pid: Schema.optionalKey(Count),
  leader: Schema.Boolean,
  memoryBytes: Schema.optionalKey(Count),
  /** How often the supervisor had to start it again. */
  restarts: Count,
  /** Why it is not up. */
  problem: Schema.optionalKey(Schema.String),
  safekeepers: Schema.Array(SafekeeperStatus),
  computes: Schema.Array(ComputeStatus),
})
export type ZoneStatus = typeof ZoneStatus.Type

export const LochStatus = Schema.Struct({
  project: Schema.String,
  instance: Schema.String,
  version: Schema.String,
  /** The supervisor. */
  pid: Count,
  startedAtMs: Count,
  memoryBytes: Count,
  data: Schema.String,
  objectStore: Schema.String,
  listen: Schema.String,
  /** `external`: given by --nats. */
  broker: Schema.Literals(['nats-server', 'embedded', 'external']),
  zones: Schema.Array(ZoneStatus),
})
export type LochStatus = typeof LochStatus.Type

const Empty = Schema.Struct({})
const EndpointOrder = Schema.Struct({ endpoint: Schema.optionalKey(Schema.String) })
const EndpointAnswer = Schema.Struct({
  endpoint: Schema.String,
  /** State of the endpoint after the order: what runs follows it. */
  state: Schema.String,
  /** Why there was nothing to do; '' if there was. */
  note: Schema.String,
})
export type EndpointAnswer = typeof EndpointAnswer.Type

/** A place in a log file, to go on from. Opaque. */
const LogCursor = Schema.String

/** The most lines, events and bytes that one answer carries: it must fit into a message of NATS. */
export const LOG_LINES_MAX = 10_000
export const JOURNAL_EVENTS_MAX = 1_000
export const ANSWER_BYTES_MAX = 512 * 1024

const upTo = (maximum: number) => Count.check(Schema.isLessThanOrEqualTo(maximum))

/** Subjects below `loch.<project>.control.`, with what is asked and answered there. */
export const endpoints = {
  status: {
    description: 'The whole instance: zones, safekeepers, computes',
    request: Empty,
    response: LochStatus,
  },
  stop: {
    description: 'Stops this instance; answered before it begins',
    request: Empty,
    response: Schema.Struct({ stopping: Schema.Boolean, pid: Count }),
  },
  'computes.start': {
    description: 'Wakes an endpoint: its compute is placed and started',
    request: EndpointOrder,
    response: EndpointAnswer,
  },
  'computes.stop': {
    description: 'Suspends an endpoint: its computes stop cleanly, and start again with the next order',
    request: EndpointOrder,
    response: EndpointAnswer,
  },
  'computes.status': {
    description: 'The computes that run, of one endpoint or of all',
    request: EndpointOrder,
    response: Schema.Struct({
      computes: Schema.Array(Schema.Struct({ ...ComputeStatus.fields, zone: Schema.String })),
    }),
  },
  'journals.list': {
    description: 'Every journal in the object store',
    request: Empty,
    response: Schema.Struct({
      journals: Schema.Array(Schema.Struct({ journal: Schema.String, actor: Schema.String })),
    }),
  },
  'journals.read': {
    description: 'Events of one journal, oldest first',
    request: Schema.Struct({
      journal: Schema.String,
      after: Schema.optionalKey(Count),
      limit: Schema.optionalKey(upTo(JOURNAL_EVENTS_MAX)),
    }),
    response: Schema.Struct({
      journal: Schema.String,
      events: Schema.Array(Envelope),
      /** There are events after the last one here. */
      more: Schema.Boolean,
    }),
  },
  'logs.tail': {
    description: 'The last lines of a log, or those after `cursor`',
    request: Schema.Struct({
      log: Schema.String,
      lines: Schema.optionalKey(upTo(LOG_LINES_MAX)),
      cursor: Schema.optionalKey(LogCursor),
    }),
    response: Schema.Struct({ log: Schema.String, lines: Schema.Array(Schema.String), cursor: LogCursor }),
  },
} as const

export type EndpointName = keyof typeof endpoints
export type RequestOf<N extends EndpointName> = (typeof endpoints)[N]['request']['Type']
export type ResponseOf<N extends EndpointName> = (typeof endpoints)[N]['response']['Type']

export function controlGroup(project: string): string {
  return `loch.${project}.control`
}

export function controlSubject(project: string, endpoint: EndpointName): string {
  return `${controlGroup(project)}.${endpoint}`
}

/** Served by each zone: an empty or `{}` request, answered by a ZoneReport in the encoding of the request. */
export function zoneStatusSubject(project: string, zone: string): string {
  return `loch.${project}.zone.${zone}.status`
}
