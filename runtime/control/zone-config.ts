/**
 * The contract between the supervisor and a zone's process. The supervisor writes a ZoneConfig to a file that only root
 * reads (it holds the credentials of NATS), and starts `node zone/main.js FILE` with an IPC channel; over the channel the
 * zone tells how it gets on, and hears that it shall stop. The channel's end means the supervisor's end: the zone then
 * exits at once, since whoever starts Loch again will start that zone too. Data never crosses the channel.
 */
import { readFileSync } from 'node:fs'
import * as Schema from 'effect/Schema'
import { Count } from '../../events/envelope.ts'
import { EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { Durability } from '../../events/timeline.ts'
import { ErrorReport } from './schemas.ts'

export const ZoneConfig = Schema.Struct({
  project: ProjectId,
  zone: ZoneId,
  /** All zones of the project, this one included. */
  zones: Schema.Array(ZoneId),
  /** The project's first branch and its endpoint. */
  timeline: TimelineId,
  endpoint: EndpointId,
  durability: Durability,
  /** With credentials. */
  natsUrl: Schema.String,
  objectStore: Schema.String,
  /** The data directory, absolute. */
  data: Schema.String,
  /** This zone's own part of it: safekeepers/ and cache/ go here. Exists. */
  zoneDirectory: Schema.String,
  /** /run/loch/<instance>/<zone>: mounts, sockets and what else Postgres's user must reach. Exists, 0755. */
  runDirectory: Schema.String,
  logDirectory: Schema.String,
  /** Holds the superuser's password (0600). The database follows the file, not the other way round. */
  passwordFile: Schema.String,
  cacheBytes: Count,
  listen: Schema.Struct({ host: Schema.String, port: Count }),
  /** Eight hexadecimal digits that name the data directory on this host. */
  instance: Schema.String,
})
export type ZoneConfig = typeof ZoneConfig.Type

/** From a zone to its supervisor. */
export const ZoneMessage = Schema.Union([
  /** A step of the start that is done. */
  Schema.Struct({ type: Schema.Literal('progress'), step: Schema.String, elapsedMs: Schema.Finite }),
  /** Its safekeepers are open and its subjects are served. */
  Schema.Struct({ type: Schema.Literal('ready') }),
  /** A compute of this zone answers clients at the endpoint's address. Sent again after each failover to here. */
  Schema.Struct({ type: Schema.Literal('serving'), compute: Schema.String, term: Count }),
  /** Its computes are stopped; its safekeepers still serve the others. Answers the order `stop`. */
  Schema.Struct({ type: Schema.Literal('stopped') }),
  /** Why it will exit now, or cannot start a compute. `fatal`: starting it again will not help. */
  Schema.Struct({ type: Schema.Literal('failed'), error: ErrorReport, fatal: Schema.Boolean }),
])
export type ZoneMessage = typeof ZoneMessage.Type

/**
 * From the supervisor to a zone. `stop`: stop the computes cleanly and start none any more, but go on serving: a compute's
 * last checkpoint needs the safekeepers of the other zones. `exit`: all zones have stopped; exit with 0.
 */
export interface ZoneOrder {
  readonly type: 'stop' | 'exit'
}

const parseConfig = Schema.decodeUnknownSync(ZoneConfig)
const isMessage = Schema.is(ZoneMessage)

/** What a zone's process reads first. A malformed file is a defect: the supervisor wrote it. */
export function readZoneConfig(path: string): ZoneConfig {
  return parseConfig(JSON.parse(readFileSync(path, 'utf8')))
}

/** What came over the channel, or undefined if it is none of ours. */
export function asZoneMessage(value: unknown): ZoneMessage | undefined {
  return isMessage(value) ? value : undefined
}
