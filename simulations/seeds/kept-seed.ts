/**
 * Plans that failed once, kept as files beside this one and run with every test: the error is mended, and must not come back.
 * A file holds the plan itself, not the seed of a generator, because generators change. Reading one checks it, since a
 * fault that nobody knows any more would make a run that shows nothing.
 *
 *   { "found": when and how, "about": what was wrong, "plan": as in plan/plan.ts }
 */
import { BadArgument } from '../../runtime/errors.ts'
import { FAULT_KINDS, type FaultKind } from '../faults/fault.ts'
import { PLAN_VERSION, type Plan } from '../plan/plan.ts'

export interface KeptSeed {
  readonly found: string
  readonly about: string
  readonly plan: Plan
}

/** The fields of a plan, and what JSON makes of each. */
const PLAN_FIELDS: Readonly<Record<Exclude<keyof Plan, 'logLimits'>, 'number' | 'string' | 'object' | 'array'>> = {
  version: 'number',
  seed: 'number',
  zones: 'number',
  durability: 'string',
  cachePages: 'number',
  workload: 'object',
  postgres: 'object',
  network: 'object',
  store: 'object',
  clocks: 'array',
  faults: 'array',
  durationMs: 'number',
}

/** Throws BadArgument. `name` is what the reader knows the text by. */
export function readKeptSeed(name: string, text: string): KeptSeed {
  const { found, about, plan } = parse(name, text)
  if (typeof found !== 'string' || typeof about !== 'string') throw unusable(name, '"found" and "about" must be texts')
  return { found, about, plan: checkPlan(name, plan) }
}

/** Throws BadArgument unless `plan` is one that this version can run. */
export function checkPlan(name: string, plan: unknown): Plan {
  if (!isRecord(plan)) throw unusable(name, 'it holds no plan')
  if (plan['version'] !== PLAN_VERSION)
    throw unusable(name, `its plan has version ${plan['version']}, this simulator runs version ${PLAN_VERSION}`)
  for (const [field, type] of Object.entries(PLAN_FIELDS)) {
    if (typeOf(plan[field]) !== type) throw unusable(name, `"${field}" of its plan is no ${type}`)
  }
  const { clocks, zones, faults, durability } = plan as unknown as Plan
  if (clocks.length !== zones) throw unusable(name, `it has ${clocks.length} clocks for ${zones} zones`)
  if (durability !== 'archived' && durability !== 'quorum')
    throw unusable(name, `no durability is called ${durability}`)
  for (const fault of faults) checkFault(name, fault)
  return plan as unknown as Plan
}

function checkFault(name: string, fault: unknown): void {
  const kind = isRecord(fault) ? fault['kind'] : undefined
  if (!FAULT_KINDS.includes(kind as FaultKind)) throw unusable(name, `no fault is called ${String(kind)}`)
  if (typeof (fault as { atMs?: unknown }).atMs !== 'number') throw unusable(name, `a fault (${kind}) has no moment`)
}

function parse(name: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value)) return value
  } catch (error) {
    throw unusable(name, String(error))
  }
  throw unusable(name, 'it is no JSON object')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeOf(value) === 'object'
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
}

function unusable(value: string, problem: string): BadArgument {
  return new BadArgument({
    component: 'simulation plan',
    value,
    problem,
    remedy: 'Run it with the version of Loch that wrote it, or write it anew for this one.',
  })
}
