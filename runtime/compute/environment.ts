/** What a compute is given by the zone that hosts it, and what its body is given. Types only. */
import type { ComputeEvent } from '../../events/compute.ts'
import type { BusShape } from '../bus/bus.ts'
import type { Lane } from '../bus/fast-lane.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import type { PostgresBinaries } from '../postgres/binary-tree.ts'
import type { Listen } from '../postgres/settings.ts'
import type { UnprivilegedUser } from '../postgres/user.ts'
import type { Timers } from '../system/timers.ts'
import type { ComputeBody } from './compute-body.ts'
import type { ReignPorts } from './reign-ports.ts'

export interface ComputeEnvironment {
  readonly bus: BusShape
  readonly lane: Lane
  readonly store: ObjectStoreShape
  readonly project: string
  readonly zone: string
  readonly body: ComputeBody
  /** Sixteen bytes that name this writer in every frame (a lost answer is recognised by it). */
  readonly writer: Uint8Array
  readonly nowMs: () => number
  /** As performance.now: nobody sets it, so that what is measured with it is time that passed. */
  readonly monotonicMs: () => number
  readonly timers: Timers
  /** Unique strings. */
  readonly newId: () => string
  readonly report: (line: string) => void
  readonly recorder?: ReignPorts['recorder']
  /** A step of the start is done. */
  readonly progress: (step: string, elapsedMs: number) => void
  /** Clients can connect. */
  readonly serving: (compute: string, term: number) => void
}

/** Of a body that is a mount with Postgres on it. */
export interface BodyEnvironment {
  readonly binaries: PostgresBinaries
  readonly user: UnprivilegedUser
  /** Mounts and sockets go below it; Postgres's user may traverse it. */
  readonly runDirectory: string
  /** Local pages go here; all of it may be lost. */
  readonly cacheDirectory: string
  readonly cacheBytes: number
  readonly listen: Listen
  readonly passwordFile: string
  readonly postgresLog: string
}

/** Tells the compute's actor what came of an effect. */
export type Tell = (event: ComputeEvent) => void
