/**
 * Draws a plan from a seed. Not only the faults are drawn but how many of each kind there are (swarm testing, Groce et al.,
 * ISSTA 2012): many kinds are absent from a run, so that what one hides another shows. Draws here are apart from those of
 * the run, and each fault has its own names.
 */
import { BUS_CLIENTS, FAULT_KINDS, type Fault, type FaultKind, ORDERS, type Order } from '../faults/fault.ts'
import { type Draws, SeededDraws } from '../kernel/draws.ts'
import { DEFAULT_SETTINGS } from '../postgres/settings.ts'
import { DEFAULT_WORKLOAD, type WorkloadPlan } from '../workloads/plan.ts'
import { DRIFT_PPM_MAX } from '../world/clock.ts'
import { drawNetworkSettings } from '../world/network-settings.ts'
import { drawS3Settings } from '../world/s3-settings.ts'
import { drawLosses } from './losses.ts'
import { PLAN_VERSION, type Plan } from './plan.ts'
import { drawSwizzles } from './swizzle.ts'
import { drawTakeovers } from './takeovers.ts'

const DURATION_MS = 30_000
/** Of the kinds of faults, how many a run has: few, some, or most. */
const KIND_SHARES = [0.1, 0.25, 0.4]
/** Of a kind that a run has. */
const FAULTS_A_KIND_MAX = 4
const FAULT_LENGTH_MEANS_MS = [500, 4_000, 8_000]
const FAULT_LENGTH_MS_MAX = 20_000
/** Of the plans, how many have little room everywhere: caches are full, and files are full and go, as in runs of hours. */
const TINY_SHARE = 0.3
const TINY_CACHE_PAGES = 48
const TINY_LOG = { segmentBytes: 4 * 1024, keptBytesMin: 4 * 1024, preparedBytes: 2 * 1024 }
const TINY_RING_BYTES = 36 * 1024
/** Of the plans, in how many a safekeeper that missed a few frames fetches them, as one that missed megabytes does. */
const FETCHING_SHARE = 0.4
const SMALL_GAPS = { resentBytes: 128, resendableBytes: 512 }
/** Of the plans, in how many snapshots of the index are taken now and then, and not only when a compute stops. */
const SNAPSHOTS_SHARE = 0.6
/** Of the plans, in how many safekeepers are killed with much written and not synced. */
const SLOW_DISK_SHARE = 0.25
const SLOW_SYNC_MS = 5
/** Of the outages of the store, how many outlast the retries of whoever asks it. */
const LONG_OUTAGE_SHARE = 0.25
const LONG_OUTAGE_MS = [8_000, 20_000] as const
/** Of the plans, in how many faults come together: what survives each of two need not survive both. */
const CLUSTERED_SHARE = 0.3
/** Of the faults of such a plan, how many follow close upon another. */
const FOLLOWER_SHARE = 0.6
const FOLLOWS_MEAN_MS = 400
/** Of the plans, in how many there are takeovers that are contested, and in how many nothing else happens. */
const CONTESTED_SHARE = 0.65
const ALONE_SHARE = 0.15
/** Of the plans, in how many more strikes than the design promises to survive. */
const BEYOND_SHARE = 0.05
const SURVIVED_KINDS = FAULT_KINDS.filter((kind) => kind !== 'rot-object')
/** Of 40 ms for a request in the mean, or so: a bad day, and one on which two seconds, after which archive duty moves, are short. */
const SLOW_STORE_FACTORS = [10, 60]
const ROLLING_PAUSES_MS = [0, 1_000, 5_000]
const LATE_TIMERS_MEANS_MS = [5, 50]
/** Of orders to end service, how many are taken back before all heals. */
const UNDONE_SHARE = 0.8
const UNDOES: Partial<Record<Order, Order>> = { Disable: 'Enable', Suspend: 'Wake' }
/** A clock that was a little wrong, or had lost its battery: in either direction, half of it at most. */
const CLOCK_JUMPS_MS = [2_000, 20_000, 7_200_000]
/** Of the plans, in how many connections are held and go on in orders of their own. */
const SWIZZLED_SHARE = 0.1
/** Of the plans, in how many most pages are written once: what is lost of one is not made good by the next write of it. */
const WIDE_SHARE = 0.1
const WIDE_KEYS = 2_000
/** Of the plans, in how many a Postgres that starts fsyncs each file, as it does if nobody tells it otherwise. */
const INIT_SYNCED_SHARE = 0.1
/** Of the plans, in how many hardly anything is written: what keeps a lease then is that safekeepers answer when they are asked. */
const READING_SHARE = 0.03
const READING_WRITE_SHARE = 0.1
/** Of the plans, in how many a journal has its snapshots within a run. */
const SHORT_JOURNAL_SHARE = 0.15
const SHORT_JOURNAL_EVENTS = [4, 16]
/** Of the plans, in how many clients do not think for a while: seals and snapshots then overlap with writes. */
const BURST_SHARE = 0.3
const BURST_MS_MAX = 2_000
/** Of the plans, in how many statements are large now and then: what they write has no room in the ring before it is fsynced. */
const BULK_SHARE = 0.2
const BULK_WAL_BYTES = 48 * 1024
/** So long a cluster is given to be created undisturbed, in most runs. */
const QUIET_START_MS = 4_000
/** Shorter than the real one, so that a run of half a minute sees both sides notice that they hear nothing. */
const SILENCE_MS_MAX = 10_000

export function generatePlan(seed: number): Plan {
  const draws = new SeededDraws(seed)
  const zones = draws.chance('plan.zones', 0.1) ? 5 : 3
  const durability = draws.chance('plan.durability', 0.3) ? 'quorum' : 'archived'
  const isTiny = draws.chance('plan.isTiny', TINY_SHARE)
  const isBulky = draws.chance('plan.isBulky', BULK_SHARE)
  const cachePages = draws.pick('plan.cachePages', [256, 1024])
  return {
    version: PLAN_VERSION,
    seed,
    zones,
    durability,
    cachePages: isTiny ? TINY_CACHE_PAGES : cachePages,
    workload: drawWorkload(draws),
    postgres: { ...drawPostgres(draws), ...(isBulky ? { bulkWalBytes: BULK_WAL_BYTES } : {}) },
    network: { ...drawNetworkSettings(draws), silenceMaxMs: SILENCE_MS_MAX },
    store: drawS3Settings(draws),
    ...(isTiny
      ? {
          logLimits: TINY_LOG,
          segmentPages: draws.pick('plan.segmentPages', [1, 2, 8]),
        }
      : {}),
    ...(isTiny || isBulky ? { ringBytes: TINY_RING_BYTES } : {}),
    ...(draws.chance('plan.isFetching', FETCHING_SHARE) ? { gapLimits: SMALL_GAPS } : {}),
    ...(draws.chance('plan.hasSnapshots', SNAPSHOTS_SHARE)
      ? { snapshotLogBytes: draws.pick('plan.snapshotLogBytes', [512, 4_096]) }
      : {}),
    ...(draws.chance('plan.hasShortJournals', SHORT_JOURNAL_SHARE)
      ? { snapshotIntervalEvents: draws.pick('plan.snapshotInterval', SHORT_JOURNAL_EVENTS) }
      : {}),
    ...(draws.chance('plan.isDiskSlow', SLOW_DISK_SHARE) ? { syncMeanMs: SLOW_SYNC_MS } : {}),
    clocks: Array.from({ length: zones }, () => ({
      skewMs: Math.round((draws.uniform('plan.clock.skew') - 0.5) * draws.pick('plan.clock.badness', [0, 100, 10_000])),
      driftPpm: Math.round((draws.uniform('plan.clock.drift') - 0.5) * 200),
    })),
    ...drawAllFaults(draws, zones, durability),
    durationMs: DURATION_MS,
  }
}

function drawAllFaults(
  draws: Draws,
  zones: number,
  durability: Plan['durability'],
): Pick<Plan, 'faults' | 'isBeyondPromise'> {
  const faults = survivable(durability, gather(draws, drawFaults(draws, zones)))
  if (!draws.chance('plan.isBeyond', BEYOND_SHARE)) return { faults }
  const all = [...faults, ...drawLosses(draws, zones, QUIET_START_MS, DURATION_MS)]
  return { faults: all.sort((left, right) => left.atMs - right.atMs), isBeyondPromise: true }
}

function drawWorkload(draws: Draws): WorkloadPlan {
  const readers = draws.pick('plan.readers', [0, 2])
  return {
    ...DEFAULT_WORKLOAD,
    clients: draws.between('plan.clients', 1, 5) + readers,
    readers,
    keys: draws.chance('plan.isWide', WIDE_SHARE) ? WIDE_KEYS : draws.pick('plan.keys', [4, 32]),
    thinkMeanMs: draws.pick('plan.think', [300, 1_000]),
    writeShare: draws.chance('plan.isReading', READING_SHARE)
      ? READING_WRITE_SHARE
      : draws.pick('plan.writeShare', [0.4, 0.7, 0.9]),
    // Shorter than a serving lease, too: who gives a silent server up then looks for another while it still answers others.
    timeoutMs: draws.pick('plan.timeout', [1_000, 10_000]),
    ...(draws.chance('plan.hasBurst', BURST_SHARE) ? { burst: drawBurst(draws) } : {}),
  }
}

function drawBurst(draws: Draws): NonNullable<WorkloadPlan['burst']> {
  const forMs = draws.between('plan.burst.for', 200, BURST_MS_MAX)
  return { atMs: draws.between('plan.burst.at', QUIET_START_MS, DURATION_MS - forMs), forMs }
}

function drawPostgres(draws: Draws): Plan['postgres'] {
  return {
    ...DEFAULT_SETTINGS,
    bufferPages: draws.pick('plan.bufferPages', [2, 8]),
    checkpointIntervalMs: draws.pick('plan.checkpoint', [3_000, 10_000, 30_000]),
    rewriteIntervalMs: draws.pick('plan.rewrite', [0, 5_000, 60_000]),
    // On FUSE syncfs does nothing, and Loch guards instead: see fsyncs.ts. Who fsyncs what it did not write must wait for it, too.
    recoveryInitSyncMethod: draws.chance('plan.isInitSynced', INIT_SYNCED_SHARE) ? 'fsync' : 'syncfs',
  }
}

/** The archive's promise outlives all disks; that of a quorum outlives one, of always the same zone, and none that lies. */
function survivable(durability: Plan['durability'], faults: readonly Fault[]): readonly Fault[] {
  if (durability === 'archived') return faults
  const zone = faults.find(takesDisk)?.zone
  return faults.flatMap((fault): readonly Fault[] => {
    if (fault.kind === 'lose-everything') return [{ ...fault, disks: false }]
    if (fault.kind === 'lie-about-syncs') return []
    return !takesDisk(fault) || fault.zone === zone ? [fault] : []
  })
}

function takesDisk(
  fault: Fault,
): fault is Extract<Fault, { readonly kind: 'lose-disk' | 'rot-disk' | 'misplace-write' }> {
  return fault.kind === 'lose-disk' || fault.kind === 'rot-disk' || fault.kind === 'misplace-write'
}

/** What a fault would come to nothing without, or what usually comes after it. */
function followUps(draws: Draws, fault: Fault, lengthMeanMs: number): readonly Fault[] {
  if (fault.kind === 'order') return undone(draws, fault, lengthMeanMs)
  if (fault.kind !== 'lie-about-syncs') return []
  const { zone, atMs, forMs } = fault
  return [
    { kind: 'lose-power', zone, atMs: atMs + Math.max(0, forMs - 1), forMs: draws.between('plan.lie.down', 1, 2_000) },
  ]
}

/** Most who order that there be no service order the contrary some time later; the others do when all heals. */
function undone(
  draws: Draws,
  fault: Extract<Fault, { readonly kind: 'order' }>,
  lengthMeanMs: number,
): readonly Fault[] {
  const order = UNDOES[fault.order]
  if (order === undefined || !draws.chance('plan.order.isUndone', UNDONE_SHARE)) return []
  const atMs = Math.round(fault.atMs + draws.exponential('plan.order.undone', lengthMeanMs))
  return [{ ...fault, atMs, order }]
}

/** In some plans faults strike close upon others. */
function gather(draws: Draws, faults: readonly Fault[]): readonly Fault[] {
  if (!draws.chance('plan.isClustered', CLUSTERED_SHARE)) return faults
  const gathered: Fault[] = []
  for (const fault of faults) {
    const before = gathered.at(-1)
    const follows = draws.chance('plan.follows', FOLLOWER_SHARE)
    const atMs = Math.round((before?.atMs ?? 0) + draws.exponential('plan.follows.after', FOLLOWS_MEAN_MS))
    gathered.push(before && follows ? { ...fault, atMs: Math.min(fault.atMs, atMs) } : fault)
  }
  return gathered.sort((left, right) => left.atMs - right.atMs)
}

function drawFaults(draws: Draws, zones: number): readonly Fault[] {
  const faults: Fault[] = []
  const isContested = draws.chance('plan.isContested', CONTESTED_SHARE)
  const isAlone = isContested && draws.chance('plan.isAlone', ALONE_SHARE)
  const kindShare = draws.pick('plan.kindShare', KIND_SHARES)
  const lengthMeanMs = draws.pick('plan.lengthMean', FAULT_LENGTH_MEANS_MS)
  for (const kind of isAlone ? [] : SURVIVED_KINDS) {
    if (!draws.chance(`plan.has.${kind}`, kindShare)) continue
    const count = draws.between(`plan.count.${kind}`, 1, FAULTS_A_KIND_MAX)
    for (let number = 0; number < count; number++) {
      const fault = drawFault(draws, kind, zones, lengthMeanMs)
      faults.push(fault, ...followUps(draws, fault, lengthMeanMs))
    }
  }
  if (isContested) faults.push(...drawTakeovers(draws, zones, QUIET_START_MS, DURATION_MS - QUIET_START_MS))
  if (draws.chance('plan.isSwizzled', SWIZZLED_SHARE)) {
    faults.push(...drawSwizzles(draws, zones, QUIET_START_MS, DURATION_MS - QUIET_START_MS))
  }
  return faults.sort((left, right) => left.atMs - right.atMs)
}

function drawFault(draws: Draws, kind: FaultKind, zones: number, lengthMeanMs: number): Fault {
  const name = `plan.fault.${kind}`
  const earliestMs = draws.chance(`${name}.early`, 0.1) ? 0 : QUIET_START_MS
  const atMs = Math.round(earliestMs + draws.uniform(`${name}.at`) * (DURATION_MS - earliestMs))
  const zone = draws.between(`${name}.zone`, 0, zones - 1)
  const forMs = Math.round(Math.min(FAULT_LENGTH_MS_MAX, draws.exponential(`${name}.for`, lengthMeanMs)))
  switch (kind) {
    case 'kill-zone':
    case 'lose-power':
    case 'lose-disk':
    case 'rot-disk':
    case 'misplace-write':
    case 'lie-about-syncs':
    case 'stop-zone':
    case 'pause-zone':
    case 'full-disk':
    case 'presume-down':
      return { kind, atMs, zone, forMs }
    case 'slow-store':
      return { kind, atMs, forMs, factor: draws.pick(`${name}.factor`, SLOW_STORE_FACTORS) }
    case 'restart-broker':
    case 'expire-credentials':
      return { kind, atMs, forMs }
    case 'rolling-restart':
      return { kind, atMs, pauseMs: draws.pick(`${name}.pause`, ROLLING_PAUSES_MS) }
    case 'drift-clock':
      return { kind, atMs, zone, forMs, ppm: draws.between(`${name}.ppm`, -DRIFT_PPM_MAX, DRIFT_PPM_MAX) }
    case 'late-timers':
      return { kind, atMs, zone, forMs, meanMs: draws.pick(`${name}.mean`, LATE_TIMERS_MEANS_MS) }
    case 'order':
      return { kind, atMs, order: draws.pick(`${name}.order`, ORDERS), times: draws.pick(`${name}.times`, [1, 1, 3]) }
    case 'lose-everything':
      return { kind, atMs, forMs, disks: draws.chance(`${name}.disks`, 0.5) }
    case 'kill-postgres':
    case 'break-connections':
    case 'rot-object':
      return { kind, atMs }
    case 'isolate-one-way': {
      const client = draws.pick(`${name}.client`, BUS_CLIENTS)
      return { kind, atMs, zone, forMs, client, direction: draws.pick(`${name}.direction`, ['up', 'down']) }
    }
    case 'cut':
    case 'isolate':
    case 'repeat-messages':
    case 'corrupt-frames':
      return { kind, atMs, zone, forMs, client: draws.pick(`${name}.client`, BUS_CLIENTS) }
    case 'slow': {
      const client = draws.pick(`${name}.client`, BUS_CLIENTS)
      return { kind, atMs, zone, forMs, client, factor: draws.pick(`${name}.factor`, [10, 100, 1_000]) }
    }
    case 'store-outage':
      return draws.chance(`${name}.isLong`, LONG_OUTAGE_SHARE)
        ? { kind, atMs, forMs: draws.between(`${name}.for.long`, ...LONG_OUTAGE_MS) }
        : { kind, atMs, forMs }
    case 'fail-sync':
    case 'fail-reads':
    case 'fail-writes':
      return { kind, atMs, zone, count: draws.between(`${name}.count`, 1, 3) }
    case 'set-clock':
      return {
        kind,
        atMs,
        zone,
        byMs: Math.round((draws.uniform(`${name}.by`) - 0.5) * draws.pick(`${name}.far`, CLOCK_JUMPS_MS)),
      }
  }
}
