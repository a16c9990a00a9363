/** What a reign needs of the world: who it is, and ways to the safekeepers and to the archive. Types only. */
import type { Cause } from '../../events/envelope.ts'
import type { BusShape } from '../bus/bus.ts'
import type { Lane } from '../bus/fast-lane.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import type { Recorder } from '../system/ports.ts'
import type { Timers } from '../system/timers.ts'

export interface ReignPorts {
  readonly bus: BusShape
  /** For frames and acknowledgements; the bus itself where there is no faster way. */
  readonly lane: Lane
  readonly store: ObjectStoreShape
  readonly project: string
  readonly timeline: string
  /** Zones that hold a safekeeper of the timeline. */
  readonly zones: readonly string[]
  /** Zone of the compute itself. */
  readonly zone: string
  readonly compute: string
  /** Sixteen bytes that name this writer in every frame (a lost answer is recognised by it). */
  readonly writer: Uint8Array
  readonly nowMs: () => number
  /** As performance.now: nobody sets it, so that what is measured with it is time that passed. */
  readonly monotonicMs: () => number
  readonly timers: Timers
  /** Unique strings. */
  readonly newId: () => string
  /** What it is told the timeline for; of the event that wanted the reign. */
  readonly cause?: Cause
  readonly report: (line: string) => void
  /** Is shown how far the log is durable. */
  readonly recorder?: Pick<Recorder, 'noted'> | undefined
}
