/**
 * What may be simpler about a plan, beside having fewer faults: each entry offers plans that are simpler in one respect, the
 * simplest first. Which of them still fail is not known here. An entry that has nothing to offer any more offers nothing,
 * so going over all of them again and again comes to an end.
 */
import type { Fault } from '../faults/fault.ts'
import { type Plan, UNUSUAL } from '../plan/plan.ts'
import { NETWORK_SETTINGS } from '../world/network-settings.ts'
import { S3_SETTINGS } from '../world/s3-settings.ts'

export interface Simplification {
  readonly about: string
  readonly offers: (plan: Plan) => readonly Plan[]
}

const ZONES_MIN = 3
const THINK_MEAN_MS_MAX = 5_000
const CACHE_PAGES_MAX = 4096
const BUFFER_PAGES_MAX = 64
const CHECKPOINT_INTERVAL_MS_MAX = 30_000
const NO_ERROR = { skewMs: 0, driftPpm: 0 }
/** Roundness of moments and lengths, roundest first. */
const ROUND_MS = [10_000, 1_000, 100]

export const SIMPLIFICATIONS: readonly Simplification[] = [
  { about: 'a shorter run', offers: shorter },
  { about: 'fewer clients', offers: fewerClients },
  { about: 'calmer clients', offers: calmerClients },
  { about: 'fewer keys', offers: fewerKeys },
  { about: 'fewer zones', offers: fewerZones },
  { about: 'a benign store', offers: benignStore },
  { about: 'a benign network', offers: benignNetwork },
  { about: 'right clocks', offers: rightClocks },
  { about: 'larger caches', offers: largerCaches },
  { about: 'a quieter Postgres', offers: quieterPostgres },
  { about: 'shorter and rounder faults', offers: simplerFaults },
]

/** Faults keep their moments, so a run cannot end before the last of them. */
function shorter(plan: Plan): readonly Plan[] {
  const lastMs = Math.max(0, ...plan.faults.map(({ atMs }) => atMs))
  const candidates = [0, 1_000, 5_000].map((after) => Math.ceil((lastMs + 1 + after) / 1_000) * 1_000)
  candidates.push(Math.ceil((lastMs + 1 + plan.durationMs) / 200) * 100)
  return distinct(candidates, (durationMs) => durationMs < plan.durationMs).map((durationMs) => ({
    ...plan,
    durationMs,
  }))
}

/** The first `readers` of the clients never write, so with fewer clients there are fewer of those, or nothing would be written. */
function fewerClients(plan: Plan): readonly Plan[] {
  const { workload } = plan
  const { clients, readers = 0 } = workload
  const few = [1, 2, Math.floor(clients / 2)].map((count) => ({ clients: count, readers: 0 }))
  const writersAlone = { clients: clients - readers, readers: 0 }
  const oneOfEach = { clients: 2, readers: 1 }
  const fewerReaders = { clients: clients - readers + 1, readers: 1 }
  const fewerWriters = [1, Math.floor((clients - readers) / 2)].map((writers) => ({
    clients: readers + writers,
    readers,
  }))
  return [...few, writersAlone, ...(readers > 0 ? [oneOfEach, fewerReaders, ...fewerWriters] : [])]
    .filter((offer) => offer.clients > offer.readers && offer.readers <= readers && offer.clients < clients)
    .map((offer) => ({ ...plan, workload: { ...workload, ...(readers > 0 ? offer : { clients: offer.clients }) } }))
}

/** The fewer transactions, the fewer there are to look at. */
function calmerClients(plan: Plan): readonly Plan[] {
  const { workload } = plan
  const { burst, ...even } = workload
  const offers: Plan[] = burst === undefined ? [] : [{ ...plan, workload: even }]
  const isLonger = (ms: number) => ms > workload.thinkMeanMs && ms <= THINK_MEAN_MS_MAX
  for (const thinkMeanMs of distinct([THINK_MEAN_MS_MAX, 1_000, 2 * workload.thinkMeanMs], isLonger))
    offers.push({ ...plan, workload: { ...workload, thinkMeanMs } })
  return offers
}

function fewerKeys(plan: Plan): readonly Plan[] {
  const { workload } = plan
  const offers = distinct([1, 4], (keys) => keys < workload.keys).map((keys) => ({
    ...plan,
    workload: { ...workload, keys, twoKeyShare: keys > 1 ? workload.twoKeyShare : 0 },
  }))
  if (workload.twoKeyShare > 0) offers.push({ ...plan, workload: { ...workload, twoKeyShare: 0 } })
  return offers
}

function fewerZones(plan: Plan): readonly Plan[] {
  if (plan.zones <= ZONES_MIN) return []
  return [{ ...plan, zones: ZONES_MIN, clocks: plan.clocks.slice(0, ZONES_MIN) }]
}

function benignStore(plan: Plan): readonly Plan[] {
  if (Object.keys(plan.store).length === 0) return []
  const offers: Plan[] = [{ ...plan, store: {} }]
  for (const share of ['errorShare', 'lostAnswerShare', 'truncatedShare'] as const) {
    if ((plan.store[share] ?? 0) > S3_SETTINGS[share]) offers.push({ ...plan, store: { ...plan.store, [share]: 0 } })
  }
  const { pageKeysMax, ...unpaged } = plan.store
  if ((pageKeysMax ?? S3_SETTINGS.pageKeysMax) < S3_SETTINGS.pageKeysMax) offers.push({ ...plan, store: unpaged })
  return offers
}

function benignNetwork(plan: Plan): readonly Plan[] {
  if (Object.keys(plan.network).length === 0) return []
  const offers: Plan[] = [{ ...plan, network: {} }]
  const latency = plan.network.latency ?? NETWORK_SETTINGS.latency
  if (latency.tailShare > 0)
    offers.push({ ...plan, network: { ...plan.network, latency: { ...latency, tailShare: 0 } } })
  return offers
}

function rightClocks(plan: Plan): readonly Plan[] {
  const wrong = plan.clocks.flatMap(({ skewMs, driftPpm }, at) => (skewMs !== 0 || driftPpm !== 0 ? [at] : []))
  if (wrong.length === 0) return []
  const offers: Plan[] = [{ ...plan, clocks: plan.clocks.map(() => NO_ERROR) }]
  if (wrong.length === 1) return offers
  for (const at of wrong) offers.push({ ...plan, clocks: plan.clocks.with(at, NO_ERROR) })
  return offers
}

function largerCaches(plan: Plan): readonly Plan[] {
  const { postgres } = plan
  const offers: Plan[] = []
  if (plan.cachePages < CACHE_PAGES_MAX) offers.push({ ...plan, cachePages: CACHE_PAGES_MAX })
  if (postgres.bufferPages < BUFFER_PAGES_MAX)
    offers.push({ ...plan, postgres: { ...postgres, bufferPages: BUFFER_PAGES_MAX } })
  for (const name of UNUSUAL) if (plan[name] !== undefined) offers.push(without(plan, name))
  return offers
}

function without(plan: Plan, name: (typeof UNUSUAL)[number]): Plan {
  const { [name]: _, ...rest } = plan
  return rest
}

function quieterPostgres(plan: Plan): readonly Plan[] {
  const { postgres } = plan
  const offers: Plan[] = []
  const { bulkWalBytes, ...plain } = postgres
  if (bulkWalBytes !== undefined) offers.push({ ...plan, postgres: plain })
  if (postgres.rewriteIntervalMs > 0) offers.push({ ...plan, postgres: { ...postgres, rewriteIntervalMs: 0 } })
  if (postgres.checkpointIntervalMs < CHECKPOINT_INTERVAL_MS_MAX)
    offers.push({ ...plan, postgres: { ...postgres, checkpointIntervalMs: CHECKPOINT_INTERVAL_MS_MAX } })
  return offers
}

function simplerFaults(plan: Plan): readonly Plan[] {
  return plan.faults.flatMap((fault, at) =>
    simpler(fault)
      .filter(({ atMs }) => atMs < plan.durationMs)
      .map((offer) => ({ ...plan, faults: plan.faults.with(at, offer).toSorted((a, b) => a.atMs - b.atMs) })),
  )
}

function simpler(fault: Fault): readonly Fault[] {
  const offers: Fault[] = []
  if ('forMs' in fault) {
    const { forMs } = fault
    for (const length of distinct([1, 100, 1_000, Math.floor(forMs / 2)], (ms) => ms > 0 && ms < forMs))
      offers.push({ ...fault, forMs: length })
    if (forMs > 100) for (const ms of rounder(forMs)) offers.push({ ...fault, forMs: ms })
  }
  for (const atMs of rounder(fault.atMs)) offers.push({ ...fault, atMs })
  if ('count' in fault && fault.count > 1) offers.push({ ...fault, count: 1 })
  if ('times' in fault && fault.times > 1) offers.push({ ...fault, times: 1 })
  return offers
}

/** Not round already to that degree or a higher one. */
function rounder(ms: number): readonly number[] {
  const isRound = ROUND_MS.findIndex((step) => ms % step === 0)
  const steps = isRound < 0 ? ROUND_MS : ROUND_MS.slice(0, isRound)
  return distinct(
    steps.map((step) => Math.round(ms / step) * step),
    (rounded) => rounded > 0 && rounded !== ms,
  )
}

function distinct(values: readonly number[], isOffered: (value: number) => boolean): readonly number[] {
  return [...new Set(values)].filter(isOffered)
}
