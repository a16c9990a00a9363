/**
 * Plans that failed once, kept as files beside this one and run with every test: the error is mended, and must not come back.
 * A file holds the plan itself, not the seed of a generator, because generators change. A plan is checked as any other
 * (plan/read.ts), since a fault that nobody knows any more would make a run that shows nothing.
 *
 *   { "found": when and how, "about": what was wrong, "plan": as in plan/plan.ts }
 */
import { BadArgument } from '../../runtime/errors.ts'
import type { Plan } from '../plan/plan.ts'
import { checkPlan, ofFile } from '../plan/read.ts'

export interface KeptSeed {
  readonly found: string
  readonly about: string
  readonly plan: Plan
}

/** Throws BadArgument, or FormatTooNew for a plan of a newer Loch. `name` is what the reader knows the text by. */
export function readKeptSeed(name: string, text: string): KeptSeed {
  const { found, about, plan } = parse(name, text)
  if (typeof found !== 'string' || typeof about !== 'string') throw unusable(name, '"found" and "about" must be texts')
  return { found, about, plan: ofFile(name, () => checkPlan(plan)) }
}

function parse(name: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    throw unusable(name, String(error))
  }
  throw unusable(name, 'it is no JSON object')
}

function unusable(value: string, problem: string): BadArgument {
  return new BadArgument({
    component: 'kept seed',
    value,
    problem,
    remedy: 'Run it with the version of Loch that wrote it, or write it anew for this one.',
  })
}
