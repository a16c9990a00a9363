/**
 * What a compute's actor moves, as a port: a volume, and a Postgres on it. In production a FUSE mount and child processes
 * (mounted-body.ts), in a simulation the same volume under a model of Postgres. Types only; no decision is taken here.
 */
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import type { WritingLogEvents } from './writing-log.ts'

export interface VolumeEvents extends WritingLogEvents {
  /** The volume cannot go on: the reign must end. */
  readonly broken: (problem: string) => void
}

export interface ComputeBody {
  /**
   * Resolves when the volume is served and the term's first entry is durable. Leaves nothing behind if it rejects, which it
   * does soon after `signal` fires.
   */
  attach(ports: ReignPorts, reign: Reign, events: VolumeEvents, signal: AbortSignal): Promise<VolumeBody>
}

export interface LogPositions {
  readonly end: number
  readonly durable: number
  readonly archived: number
}

/** A volume that serves, with the log that it writes. */
export interface VolumeBody {
  readonly positions: LogPositions
  /** Reads may be answered: see serving-lease.ts. */
  readonly isLeased: boolean
  /** A quiet log sends when asked or when much has gathered: for a cluster that is being created. */
  quiet: boolean
  /** Makes a cluster in an empty volume, or in one where an earlier attempt was cut off. */
  createCluster(signal: AbortSignal): Promise<void>
  /** Ends whatever Postgres still runs on it. */
  killPostgres(): Promise<unknown>
  /** Resolves once it is spawned. `isWarm`: a Postgres has run here before. */
  launch(isWarm: boolean): Promise<PostgresBody>
  /** Seals everything and records a snapshot; rejects if it did not become durable. */
  flush(): Promise<void>
  /** From here on no fsync is answered before all that was written until now is durable. */
  guard(): Promise<void>
  /** Nothing more becomes durable; waiting fsyncs get EIO. */
  fail(): void
  /** Ends the reign's volume. Whatever still uses it gets errors. */
  detach(): Promise<void>
}

export interface PostgresBody {
  readonly pid: number
  /** Resolves when it takes connections; rejects if it ends before. */
  readonly ready: Promise<void>
  readonly exited: Promise<{ readonly code: number | null; readonly reason: string | undefined }>
  followPassword(): Promise<void>
  /** Ends all client sessions and lets no new ones in. */
  closeClients(): void
  openClients(): void
  stop(mode: 'fast' | 'immediate'): Promise<unknown>
  kill(): Promise<unknown>
}
