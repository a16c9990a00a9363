/** What a safekeeper needs of the world. Types only: worker.ts fills them in, tests and the simulator have their own. */
import type { BusShape } from '../bus/bus.ts'
import type { Lane } from '../bus/fast-lane.ts'
import type { ArchiveStore } from '../log/archive.ts'
import type { Recorder } from '../system/ports.ts'
import type { GapLimits } from './append-path.ts'
import type { ArchiverStore } from './archiver.ts'
import type { DiskFiles } from './disk-files.ts'
import type { LogLimits } from './disk-log.ts'
import type { Past } from './past.ts'

export interface SafekeeperPorts {
  readonly project: string
  readonly zone: string
  readonly timeline: string
  /** Zones that may be asked for log that is missing here and not archived. */
  readonly peers: readonly string[]
  /** Of this timeline alone. */
  readonly directory: string
  readonly files: DiskFiles
  /** Sizes of the files of its log, where they shall not be the usual ones. */
  readonly logLimits?: LogLimits
  /** Where it shall fetch shorter gaps by itself than usual. */
  readonly gapLimits?: GapLimits | undefined
  readonly bus: Pick<BusShape, 'publish' | 'subscribe' | 'request'>
  /** For frames and acknowledgements; without it the bus carries them, too. */
  readonly lane?: Lane | undefined
  readonly store: ArchiverStore & ArchiveStore
  /** 16 bytes that mark what this safekeeper writes into the archive. */
  readonly writer: Uint8Array
  /** Another one at each call: for a disk, and for every time that it is opened. */
  readonly newId: () => string
  readonly nowMs: () => number
  /** As performance.now: nobody sets it. */
  readonly monotonicMs: () => number
  /** Runs `work` after everything that can be received now has been: one flush for all of it. */
  readonly defer: (work: () => void) => void
  /** Calls once, after `ms`; returns what cancels it. */
  readonly after: (ms: number, fire: () => void) => () => void
  /** Asked for if the disk has no memory. */
  readonly past: () => Promise<Past>
  readonly report: (line: string) => void
  readonly recorder?: Recorder | undefined
}
