/**
 * A plan from text that somebody wrote or kept, checked as a whole before anything is run: a run does not ask whether its
 * plan makes sense. What a plan and its faults hold is spelled out here once more, as checks; the compiler refuses a field
 * that has none.
 */
import { BadArgument, FormatTooNew } from '../../runtime/errors.ts'
import type { GapLimits } from '../../runtime/safekeeper/append-path.ts'
import type { LogLimits } from '../../runtime/safekeeper/disk-log.ts'
import { BUS_CLIENTS, FAULT_KINDS, type Fault, type FaultKind, ORDERS } from '../faults/fault.ts'
import { EDIT_KINDS, type Edit, type Fields, whyNotToBeChanged, whyNotToBeTold } from '../fork/edit.ts'
import { MISTAKES, type PostgresSettings } from '../postgres/settings.ts'
import type { WorkloadPlan } from '../workloads/plan.ts'
import { type ClockError, DRIFT_PPM_MAX } from '../world/clock.ts'
import type { Latency } from '../world/latency.ts'
import type { NetworkSettings } from '../world/network-settings.ts'
import type { S3Settings } from '../world/s3-settings.ts'
import { anything, type Check, fields, flag, list, number, oneOf, refuse, share, whole, words } from './check.ts'
import { PLAN_VERSION, type Plan, UNUSUAL } from './plan.ts'

type ChecksOf<T> = { readonly [K in keyof T]-?: Check }
/** What a fault holds beside its kind. */
type FaultChecks = { readonly [K in FaultKind]: ChecksOf<Omit<Extract<Fault, { readonly kind: K }>, 'kind'>> }

const DAY_MS = 86_400_000
const BYTES_MAX = 2 ** 30
/** A quarter of it must hold what a write of a page puts into the log. */
const RING_BYTES_MIN = 36 * 1024
const FAULTS_MAX = 10_000
const CLIENTS_MAX = 100
/** Registers stand in pages of a few files. */
const KEYS_MAX = 4_096

const ms = number(0, DAY_MS)
const zone = whole(0, 1_000)
const client = oneOf(BUS_CLIENTS)
const ofZone = { atMs: ms, zone }
const lasting = { ...ofZone, forMs: ms }
const counted = { ...ofZone, count: whole(1, 1_000) }

const FAULTS: FaultChecks = {
  'kill-zone': lasting,
  'lose-power': lasting,
  'lose-disk': lasting,
  'rot-disk': lasting,
  'misplace-write': lasting,
  'lose-everything': { atMs: ms, forMs: ms, disks: flag },
  'kill-postgres': { atMs: ms },
  'stop-zone': lasting,
  'rolling-restart': { atMs: ms, pauseMs: ms },
  'pause-zone': lasting,
  cut: { ...lasting, client },
  isolate: { ...lasting, client },
  'isolate-one-way': { ...lasting, client, direction: oneOf(['up', 'down']) },
  'repeat-messages': { ...lasting, client },
  'corrupt-frames': { ...lasting, client },
  'break-connections': { atMs: ms },
  'restart-broker': { atMs: ms, forMs: ms },
  slow: { ...lasting, client, factor: number(1, 1e6) },
  'store-outage': { atMs: ms, forMs: ms },
  'slow-store': { atMs: ms, forMs: ms, factor: number(1, 1e6) },
  'rot-object': { atMs: ms },
  'expire-credentials': { atMs: ms, forMs: ms },
  'fail-sync': counted,
  'fail-reads': counted,
  'fail-writes': counted,
  'lie-about-syncs': lasting,
  'full-disk': lasting,
  'set-clock': { ...ofZone, byMs: number(-DAY_MS, DAY_MS) },
  'drift-clock': { ...lasting, ppm: number(-DRIFT_PPM_MAX, DRIFT_PPM_MAX) },
  'late-timers': { ...lasting, meanMs: ms },
  order: { atMs: ms, order: oneOf(ORDERS), times: whole(1, 100) },
  'presume-down': lasting,
}

const fault: Check = (value, path) => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  if (!FAULT_KINDS.includes(kind as FaultKind)) {
    refuse(`${path}.kind`, kind, 'there is no such fault', `Write one of ${FAULT_KINDS.join(', ')}.`)
  }
  const checks: Readonly<Record<string, Check>> = { kind: oneOf(FAULT_KINDS), ...FAULTS[kind as FaultKind] }
  fields(checks)(value, path)
}

/** What an edit holds beside its kind. */
type EditChecks = { readonly [K in Edit['kind']]: ChecksOf<Omit<Extract<Edit, { readonly kind: K }>, 'kind'>> }

const otherFields: Check = (value, path) => {
  anything(value, path)
  const problem = whyNotToBeChanged(value as Fields)
  if (problem !== undefined) refuse(path, value, problem, 'Write fields of the message with other values.')
}

const atIntake = { actor: words, id: words }
const EDITS: EditChecks = {
  drop: atIntake,
  change: { ...atIntake, fields: otherFields },
  insert: { ...atIntake, event: anything },
  strike: { ...atIntake, fault },
  spare: { fault },
  add: { fault },
  lose: { from: words, to: words, subject: words, number: whole(1, Number.MAX_SAFE_INTEGER) },
}

const edit: Check = (value, path) => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  if (!EDIT_KINDS.includes(kind as Edit['kind'])) {
    refuse(`${path}.kind`, kind, 'there is no such edit', `Write one of ${EDIT_KINDS.join(', ')}.`)
  }
  const checks: Readonly<Record<string, Check>> = { kind: oneOf(EDIT_KINDS), ...EDITS[kind as Edit['kind']] }
  fields(checks)(value, path)
  const { actor, event } = value as { readonly actor: string; readonly event?: Fields }
  const problem = event && whyNotToBeTold(actor, event)
  if (problem !== undefined) refuse(`${path}.event`, event, problem, 'Write a message that this actor knows.')
}

const LATENCY: ChecksOf<Latency> = { minMs: ms, meanMs: ms, tailShare: share, tailMeanMs: ms }
const latency = fields(LATENCY)

const WORKLOAD: ChecksOf<WorkloadPlan> = {
  clients: whole(1, CLIENTS_MAX),
  readers: whole(0, CLIENTS_MAX),
  burst: fields({ atMs: ms, forMs: ms }),
  keys: whole(1, KEYS_MAX),
  thinkMeanMs: ms,
  backoffMeanMs: ms,
  writeShare: share,
  twoKeyShare: share,
  timeoutMs: ms,
}

const POSTGRES: ChecksOf<PostgresSettings> = {
  bufferPages: whole(1, KEYS_MAX),
  checkpointIntervalMs: number(1, DAY_MS),
  checkpointWalBytes: whole(1, BYTES_MAX),
  backgroundWriterIntervalMs: number(1, DAY_MS),
  backgroundWriterShare: share,
  rewriteIntervalMs: number(0, DAY_MS),
  requestDelayMs: ms,
  bulkWalBytes: whole(1, BYTES_MAX),
  recoveryInitSyncMethod: oneOf(['fsync', 'syncfs']),
  mistakes: list(oneOf(MISTAKES), MISTAKES.length),
}

const NETWORK: ChecksOf<NetworkSettings> = {
  latency,
  bytesPerMs: number(1, BYTES_MAX),
  pendingBytesMax: number(1, BYTES_MAX),
  survivorShare: share,
  lateMeanMs: ms,
  silenceMaxMs: ms,
  dialMeanMs: ms,
}

const STORE: ChecksOf<S3Settings> = {
  latency,
  bytesPerMs: number(1, BYTES_MAX),
  errorShare: share,
  throttleShare: share,
  appliedShare: share,
  lostAnswerShare: share,
  lateMeanMs: ms,
  lateMaxMs: ms,
  conflictShare: share,
  truncatedShare: share,
  pageKeysMax: whole(1, 1_000),
}

const CLOCK: ChecksOf<ClockError> = { skewMs: number(-DAY_MS, DAY_MS), driftPpm: number(-1e5, 1e5) }

const LOG_LIMITS: ChecksOf<LogLimits> = {
  segmentBytes: whole(1, BYTES_MAX),
  keptBytesMin: whole(0, BYTES_MAX),
  preparedBytes: whole(1, BYTES_MAX),
}

const GAP_LIMITS: ChecksOf<GapLimits> = { resentBytes: whole(0, BYTES_MAX), resendableBytes: whole(0, BYTES_MAX) }

const PLAN: ChecksOf<Plan> = {
  logLimits: fields(LOG_LIMITS),
  gapLimits: fields(GAP_LIMITS),
  segmentPages: whole(1, 512),
  ringBytes: whole(RING_BYTES_MIN, BYTES_MAX),
  snapshotLogBytes: whole(1, BYTES_MAX),
  syncMeanMs: ms,
  snapshotIntervalEvents: whole(1, 1_000_000),
  isBeyondPromise: flag,
  version: oneOf([PLAN_VERSION]),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  // A majority of 1, 3 or 5, as in `loch up --zones`.
  zones: whole(1, 5),
  durability: oneOf(['archived', 'quorum']),
  cachePages: whole(16, 2 ** 20),
  workload: fields(WORKLOAD, ['readers', 'burst']),
  postgres: fields(POSTGRES, ['bulkWalBytes']),
  network: fields(NETWORK, Object.keys(NETWORK) as Array<keyof NetworkSettings>),
  store: fields(STORE, Object.keys(STORE) as Array<keyof S3Settings>),
  clocks: list(fields(CLOCK), 5),
  faults: list(fault, FAULTS_MAX),
  edits: list(edit, FAULTS_MAX),
  durationMs: number(1, DAY_MS),
}

/** Also of one that was kept with words about it (seeds/kept-seed.ts). @throws BadArgument, or FormatTooNew for a plan of a newer Loch. */
export function readPlan(text: string): Plan {
  const value = parse(text)
  return checkPlan(isKept(value) ? value.plan : value)
}

function isKept(value: unknown): value is { readonly plan: unknown } {
  return typeof value === 'object' && value !== null && 'about' in value && 'plan' in value
}

/** What `read` complains of is said of `file`: whoever has many plans wants to know which. */
export function ofFile<A>(file: string, read: () => A): A {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof BadArgument || error instanceof FormatTooNew)) throw error
    const { component, value, problem, remedy } = error
    const named = { component: component.replace(/^plan/, `plan ${file}`), value, problem, remedy }
    throw error instanceof BadArgument ? new BadArgument(named) : new FormatTooNew(named)
  }
}

/** The same for what has been parsed already. */
export function checkPlan(value: unknown): Plan {
  checkVersion(value)
  fields(PLAN, [...UNUSUAL, 'edits', 'isBeyondPromise'])(value, '')
  const plan = value as Plan
  if (plan.clocks.length !== plan.zones) {
    refuse('clocks', plan.clocks.length, 'there is not one clock for each zone', `Write ${plan.zones} of them.`)
  }
  return plan
}

export function formatPlan(plan: Plan): string {
  return `${JSON.stringify(plan, undefined, 2)}\n`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const problem = `this is not JSON: ${error instanceof Error ? error.message : error}`
    throw new BadArgument({ component: 'plan', value: text.slice(0, 40), problem, remedy: 'Correct it.' })
  }
}

/** Before all else: a plan of another version may have other fields. */
function checkVersion(value: unknown): void {
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined
  if (typeof version !== 'number' || version <= PLAN_VERSION) return
  throw new FormatTooNew({
    component: 'plan: version',
    value: String(version),
    problem: 'a newer Loch wrote this plan',
    remedy: `Run it with that Loch; this one knows version ${PLAN_VERSION}.`,
  })
}
