/**
 * The plan of a run, as data: topology, workload, how bad the world is, and every fault with its moment. It is drawn from a
 * seed before the run begins, or read from a file; a run is a function of its plan, which is why a failure can be kept,
 * shown and shrunk. Nothing may happen in a run that is neither in its plan nor drawn by name from its seed.
 */
import type { Durability } from '../../events/timeline.ts'
import type { GapLimits } from '../../runtime/safekeeper/append-path.ts'
import type { LogLimits } from '../../runtime/safekeeper/disk-log.ts'
import type { Fault } from '../faults/fault.ts'
import type { Edit } from '../fork/edit.ts'
import type { PostgresSettings } from '../postgres/settings.ts'
import type { WorkloadPlan } from '../workloads/plan.ts'
import type { ClockError } from '../world/clock.ts'
import type { NetworkSettings } from '../world/network-settings.ts'
import type { S3Settings } from '../world/s3-settings.ts'

export const PLAN_VERSION = 1

export interface Plan {
  readonly version: number
  /** For what is drawn while the run goes on: delays, errors, what survives a power failure. */
  readonly seed: number
  readonly zones: number
  /**
   * Of runs in which more strikes than the design promises to survive, and nobody heals it: whatever is shown must be right all the
   * same, while service may be gone for good.
   */
  readonly isBeyondPromise?: boolean
  readonly durability: Durability
  /** Page cache of a compute. */
  readonly cachePages: number
  /** Pages of a segment at most: the fewer, the more seals are in flight at once. Without, as many as suit most runs. */
  readonly segmentPages?: number
  /** From which gap on a safekeeper fetches what it missed; without, as in production, where no run gets to. */
  readonly gapLimits?: GapLimits
  /** Of the log that a compute has at hand for who missed some of it; without, room for that of most runs. */
  readonly ringBytes?: number
  /** Log after which a compute takes a snapshot of its index; without, more than a run writes. */
  readonly snapshotLogBytes?: number
  /** Of journals: after so many events a snapshot is made and a recap starts anew; without, after more than most runs have. */
  readonly snapshotIntervalEvents?: number
  /** How long a sync of a safekeeper's disk takes, in the mean; without, as long as on a fast one. */
  readonly syncMeanMs?: number
  readonly workload: WorkloadPlan
  readonly postgres: PostgresSettings
  readonly network: Partial<NetworkSettings>
  readonly store: Partial<S3Settings>
  /** Of safekeepers; without, such as suit most runs. */
  readonly logLimits?: LogLimits
  /** One for each zone. */
  readonly clocks: readonly ClockError[]
  readonly faults: readonly Fault[]
  /** What is otherwise than in the run without them; of forks. */
  readonly edits?: readonly Edit[]
  /** How long faults may strike; afterwards the world heals. */
  readonly durationMs: number
}

/** Sizes and times that a plan names only if they are unusual. */
export const UNUSUAL = [
  'logLimits',
  'gapLimits',
  'segmentPages',
  'ringBytes',
  'snapshotLogBytes',
  'syncMeanMs',
  'snapshotIntervalEvents',
] as const satisfies ReadonlyArray<keyof Plan>

/** Whether its edits are of faults too, so that `faults` does not tell all of them. */
export function editsFaults({ edits = [] }: Plan): boolean {
  return edits.some(({ kind }) => kind === 'strike' || kind === 'spare' || kind === 'add')
}

export function withEdits(plan: Plan, ...edits: readonly Edit[]): Plan {
  return { ...plan, edits: [...(plan.edits ?? []), ...edits] }
}

/** None strikes a world that has healed. Plans are drawn and cut short without regard to that, so such faults are common. */
export function neverStrikes({ durationMs }: Plan, { atMs }: Pick<Fault, 'atMs'>): boolean {
  return atMs >= durationMs
}
