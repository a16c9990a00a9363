/** What a compute is given by the zone that hosts it. Types only. */
import type { ComputeEvent } from '../../events/compute.ts'
import type { BusShape } from '../bus/bus.ts'
import type { Lane } from '../bus/fast-lane.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import type { PostgresBinaries } from '../postgres/binary-tree.ts'
import type { Listen } from '../postgres/settings.ts'
import type { UnprivilegedUser } from '../postgres/user.ts'

export interface ComputeEnvironment {
  readonly bus: BusShape
  readonly lane: Lane
  readonly store: ObjectStoreShape
  readonly project: string
  readonly zone: string
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
  readonly nowMs: () => number
  readonly report: (line: string) => void
  /** A step of the start is done. */
  readonly progress: (step: string, elapsedMs: number) => void
  /** Clients can connect. */
  readonly serving: (compute: string, term: number) => void
}

/** Tells the compute's actor what came of an effect. */
export type Tell = (event: ComputeEvent) => void
