/**
 * Contested takeovers: a zone is presumed down although it lives, and its connections are bad just then, so that it goes on for
 * a while beside its successor; meanwhile another zone dies for a moment, between a vote and the election it was for. Starved
 * ones: a writer reaches a single safekeeper and goes on, so that this one alone has its tail; it dies, and its successor dies
 * as soon as it has begun, so that the tail stands in the next election. Forgetful ones: disks are lost between an election's
 * look at the archive and its votes, while the former writer goes on. Deposed ones: the former writer is cut off from all but
 * its clients. And two that take nothing over, but are as rare: a Postgres that dies while its log is not durable, and a
 * safekeeper that dies with log unsynced, whose next sync fails. The store may be bad at the same time. Faults that are drawn
 * each for itself meet like this in one seed of thousands, and these rules break nowhere else.
 */
import { BUS_CLIENTS, type Fault } from '../faults/fault.ts'
import type { Draws } from '../kernel/draws.ts'

const TAKEOVERS_MAX = 5
/** Of the takeovers, in how many the former writer's connections are bad, and in how many another zone dies. */
const HINDERED_SHARE = 0.7
const INTERRUPTED_SHARE = 0.6
const PRESUMED_MS = [1_000, 8_000]
const HINDERED_MS = [200, 12_000]
/** Of the takeovers, how many follow close upon the one before. */
const CHAINED_SHARE = 0.5
const CHAINED_MS = [200, 2_500]
/** Of the plans, in how many all takeovers are of one kind: the rare ones are then met in a row. */
const ONE_KIND_SHARE = 0.3
const KINDS = [
  'contested',
  'contested',
  'starved',
  'starved',
  'forgetful',
  'deposed',
  'deposed',
  'restarted',
  'unsynced',
] as const
/** Of the hindered writers, how many are cut off from all at once, so that they hear no majority. */
const CUT_OFF_SHARE = 0.4
const STARVED_MS = [100, 2_500]
/** Of the starved, how many missed frames before, and how long; for a moment nobody gets any. */
const SENT_AGAIN_SHARE = 0.4
const UNFED_MS = [100, 1_500]
const UNFED_TOO_MS = 20
/** From when frames pass again. */
const HEIR_LIVES_MS = [0, 600]
/** Than the heir lives. */
const SILENT_LONGER_MS = [-100, 300]
/** Of the takeovers, in how many the store is down for a moment: what is on its way to it may get there much later. */
const STORE_SHARE: Partial<Record<keyof typeof TAKEOVERS, number>> = { starved: 0.6 }
const STORE_SHARE_ELSE = 0.3
const STORE_MS = [50, 2_500]
const STORE_AT_MS = [-300, 1_500]
/** So long all that somebody says who takes over is long on its way, and by which factor; meanwhile the others lose their disks. */
const LATE_MS = [2_500, 5_000]
const LATE_FACTORS = [1_000, 2_000, 4_000]
const MOVED_LONG_BEFORE_MS = 5_000
const UNFED_BEFORE_MS = 4_000
const FORGETS_AT_MS = [150, 2_500]
const FORGETS_MS = [1, 50]
const DEPOSED_MS = [3_000, 12_000]
const MOVED_BEFORE_MS = [1_500, 4_000]
const UNSYNCED_POWER_MS = [1_100, 4_000]
/** Of the takeovers, in how many a disk is lost between a vote and the election. */
const DISK_SHARE = 0.2
/** Until a successor has been elected, in most runs. */
const INTERRUPTED_WITHIN_MS = 1_500
const INTERRUPTED_MS = [1, 400]

const NAME = 'plan.takeover'

export function drawTakeovers(draws: Draws, zones: number, fromMs: number, untilMs: number): readonly Fault[] {
  const count = draws.between('plan.takeovers', 1, TAKEOVERS_MAX)
  const only = draws.chance(`${NAME}.isOneKind`, ONE_KIND_SHARE) ? draws.pick(`${NAME}.only`, KINDS) : undefined
  const faults: Fault[] = []
  let atMs = untilMs
  for (let number = 0; number < count; number++) {
    const isChained = number > 0 && draws.chance(`${NAME}.isChained`, CHAINED_SHARE)
    const anywhere = Math.round(fromMs + draws.uniform(`${NAME}.at`) * (untilMs - fromMs))
    atMs = isChained ? atMs + between(draws, 'chained', CHAINED_MS) : anywhere
    const zone = draws.between(`${NAME}.zone`, 0, zones - 1)
    const takeover = { draws, zones, zone, atMs }
    const kind = only ?? draws.pick(`${NAME}.kind`, KINDS)
    faults.push(...TAKEOVERS[kind](takeover))
    if (draws.chance(`${NAME}.isStoreBad`, STORE_SHARE[kind] ?? STORE_SHARE_ELSE)) {
      const forMs = between(draws, 'store.for', STORE_MS)
      faults.push({ kind: 'store-outage', atMs: atMs + between(draws, 'store.at', STORE_AT_MS), forMs })
    }
    if (draws.chance(`${NAME}.isDiskLost`, DISK_SHARE)) {
      const other = (zone + draws.between(`${NAME}.disk.zone`, 0, zones - 1)) % zones
      const laterMs = between(draws, 'disk.at', [0, INTERRUPTED_WITHIN_MS])
      faults.push({
        kind: 'lose-disk',
        atMs: atMs + laterMs,
        zone: other,
        forMs: between(draws, 'disk.for', INTERRUPTED_MS),
      })
    }
  }
  return faults
}

interface Takeover {
  readonly draws: Draws
  readonly zones: number
  readonly zone: number
  readonly atMs: number
}

function contested({ draws, zones, zone, atMs }: Takeover): readonly Fault[] {
  const faults: Fault[] = [{ kind: 'presume-down', atMs, zone, forMs: between(draws, 'presumed', PRESUMED_MS) }]
  if (draws.chance(`${NAME}.isHindered`, HINDERED_SHARE)) {
    const forMs = between(draws, 'hindered', HINDERED_MS)
    const how = draws.pick(`${NAME}.how`, ['cut', 'isolate', 'slow'] as const)
    const isCutOff = draws.chance(`${NAME}.isCutOff`, CUT_OFF_SHARE)
    for (const client of isCutOff ? BUS_CLIENTS : [draws.pick(`${NAME}.client`, BUS_CLIENTS)]) {
      const hindered = { atMs, zone, client, forMs }
      faults.push(how === 'slow' ? { ...hindered, kind: how, factor: 100 } : { ...hindered, kind: how })
    }
  }
  if (draws.chance(`${NAME}.isInterrupted`, INTERRUPTED_SHARE)) {
    const other = (zone + draws.between(`${NAME}.other`, 0, zones - 1)) % zones
    faults.push(death(draws, atMs + between(draws, 'interrupted', [0, INTERRUPTED_WITHIN_MS]), other))
  }
  return faults
}

/**
 * Only the safekeeper of `zone` gets frames for a while, and then nobody hears it; everybody but an heir is presumed down, who is
 * elected without that tail, begins as soon as frames pass again, and dies at once, just when the silent one is heard again.
 */
function starved({ draws, zones, zone, atMs }: Takeover): readonly Fault[] {
  const others = Array.from({ length: zones - 1 }, (_, at) => (zone + 1 + at) % zones)
  const heir = draws.pick(`${NAME}.heir`, others)
  const forMs = between(draws, 'starved', STARVED_MS)
  const presumedMs = Math.round(forMs * (0.2 + 0.7 * draws.uniform(`${NAME}.starved.presumed`)))
  const dies = between(draws, 'heir.dies', HEIR_LIVES_MS)
  const silentMs = forMs - presumedMs + dies + between(draws, 'silent', SILENT_LONGER_MS)
  const kind = draws.pick(`${NAME}.starving`, ['cut', 'isolate'] as const)
  const mortals = draws.chance(`${NAME}.isHeirAlone`, 0.5) ? [heir] : others
  const presumed = [...others, zone].filter((one) => one !== heir)
  const isSentAgain = draws.chance(`${NAME}.isSentAgain`, SENT_AGAIN_SHARE)
  return [
    ...(isSentAgain ? [unfedBefore(draws, atMs, zone)] : []),
    ...others.map((other) => ({ kind, atMs, zone: other, client: '.safekeeper-lane', forMs })),
    { kind: 'isolate', atMs: atMs + presumedMs, zone, client: '.safekeeper', forMs: silentMs },
    ...presumed.map((one): Fault => ({ kind: 'presume-down', atMs: atMs + presumedMs, zone: one, forMs: silentMs })),
    ...mortals.map((other) => death(draws, atMs + forMs + dies, other)),
  ]
}

/**
 * What it missed reaches it late, just when nobody else gets anything. Should frames get lost meanwhile, they are sent again as one
 * that goes on to the newest entry, which it alone has: a later cut then falls inside of that frame.
 */
function unfedBefore(draws: Draws, atMs: number, zone: number): Fault {
  const unfedAtMs = Math.max(0, atMs - between(draws, 'unfed', UNFED_MS))
  return { kind: 'isolate', atMs: unfedAtMs, zone, client: '.safekeeper-lane', forMs: atMs + UNFED_TOO_MS - unfedAtMs }
}

/**
 * The leader takes over from another zone, and what it asks and hears is long on its way; the former writer goes on meanwhile with the
 * others' safekeepers, because it does not hear that it shall stop; and these lose their disks just before they are asked.
 */
function forgetful({ draws, zones, atMs }: Takeover): readonly Fault[] {
  const others = Array.from({ length: zones - 1 }, (_, at) => at + 1)
  const writer = draws.pick(`${NAME}.writer`, others)
  const forMs = between(draws, 'late', LATE_MS)
  const movedAtMs = Math.max(0, atMs - MOVED_LONG_BEFORE_MS)
  const unfedAtMs = Math.max(0, atMs - UNFED_BEFORE_MS)
  return [
    { kind: 'presume-down', atMs: movedAtMs, zone: 0, forMs: 500 },
    // Long enough before for the archive duty to be another's.
    { kind: 'isolate', atMs: unfedAtMs, zone: 0, client: '.safekeeper-lane', forMs: atMs - unfedAtMs + forMs },
    ...['.bus', '.safekeeper'].map((client): Fault => ({ kind: 'isolate', atMs, zone: writer, client, forMs })),
    { kind: 'slow', atMs, zone: 0, client: '.bus', factor: draws.pick(`${NAME}.late.factor`, LATE_FACTORS), forMs },
    ...others.map((zone): Fault => ({ kind: 'presume-down', atMs, zone, forMs })),
    ...others
      .filter((zone) => zone !== writer)
      .map((zone): Fault => {
        const lostAtMs = atMs + between(draws, 'forgets.at', FORGETS_AT_MS)
        return { kind: 'lose-disk', atMs: lostAtMs, zone, forMs: between(draws, 'forgets.for', FORGETS_MS) }
      }),
  ]
}

/** Has the compute serve elsewhere than where leaders are. */
function movedBefore(draws: Draws, atMs: number): readonly Fault[] {
  const movedAtMs = Math.max(0, atMs - between(draws, 'moved', MOVED_BEFORE_MS))
  return [{ kind: 'presume-down', atMs: movedAtMs, zone: 0, forMs: 500 }]
}

/**
 * Whoever serves is cut off from everybody but its clients while another takes over, which takes long if it leads.
 */
function deposed({ draws, zones, atMs }: Takeover): readonly Fault[] {
  const zone = draws.between(`${NAME}.deposed`, 1, zones - 1)
  const forMs = between(draws, 'deposed.for', DEPOSED_MS)
  return [
    ...movedBefore(draws, atMs),
    ...BUS_CLIENTS.map((client): Fault => ({ kind: 'isolate', atMs, zone, client, forMs })),
    { kind: 'presume-down', atMs, zone, forMs },
  ]
}

/** A Postgres dies that has written what no safekeeper has, and the next one starts at once. */
function restarted({ draws, zones, atMs }: Takeover): readonly Fault[] {
  const forMs = between(draws, 'starved', STARVED_MS)
  const all = Array.from({ length: zones }, (_, at) => at)
  return [
    ...all.map((one): Fault => ({ kind: 'isolate', atMs, zone: one, client: '.safekeeper-lane', forMs })),
    { kind: 'kill-postgres', atMs: atMs + between(draws, 'restarted.at', [0, forMs]) },
  ]
}

/** A safekeeper dies, what it has written cannot be synced by its next life, and then its host loses power. */
function unsynced({ draws, zone, atMs }: Takeover): readonly Fault[] {
  const forMs = between(draws, 'unsynced.for', INTERRUPTED_MS)
  const powerAtMs = atMs + forMs + between(draws, 'unsynced.power', UNSYNCED_POWER_MS)
  return [
    { kind: 'kill-zone', atMs, zone, forMs },
    { kind: 'fail-sync', atMs, zone, count: 1 },
    { kind: 'lose-power', atMs: powerAtMs, zone, forMs: between(draws, 'death.for', INTERRUPTED_MS) },
  ]
}

const TAKEOVERS = { contested, starved, forgetful, deposed, restarted, unsynced } as const

function death(draws: Draws, atMs: number, zone: number): Fault {
  const kind = draws.pick(`${NAME}.death`, ['kill-zone', 'lose-power'] as const)
  return { kind, atMs, zone, forMs: between(draws, 'death.for', INTERRUPTED_MS) }
}

function between(draws: Draws, what: string, [low, high]: readonly number[]): number {
  return draws.between(`${NAME}.${what}`, low!, high!)
}
