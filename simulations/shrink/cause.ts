/**
 * When it was too late: the last moment found at which healing the world leads to a run in which nothing is wrong any more,
 * and the first after it at which it does not. What strikes or lasts there is where to look first. It is told of moments
 * that were tried, and no more: whatever is healed sooner is another run, which may fail as well, so nothing can be concluded
 * about the moments between. A run that fails in another way has not been saved, and neither has a fork that no longer
 * comes to its edits.
 */
import type { Fault } from '../faults/fault.ts'
import { editsFaults, type Plan } from '../plan/plan.ts'
import { BUDGET, type Run } from './attempts.ts'
import { violationKind } from './violation-kind.ts'

export interface Cause {
  /** Healed then, all holds. */
  readonly healedAtMs: number
  /** Healed then, it does not; the failure itself, if that came first. */
  readonly tooLateAtMs: number
  /** What strikes or lasts in between. */
  readonly faults: readonly Fault[]
  /** True if healing when each later fault strikes or ends was tried as well, and too late. */
  readonly isLast: boolean
  readonly runs: number
}

export interface CauseOptions {
  /** Fails with `violation`. */
  readonly plan: Plan
  readonly violation: string
  readonly run: Run
  readonly runsMax?: number
}

/** Two moments that are closer than this are one to whoever reads of them. */
const RESOLUTION_MS = 10

type Healing = 'saves' | 'fails-alike' | 'fails-otherwise'

/**
 * `never-saved`: at no moment that was tried. `unknown`: where edits make faults strike, nobody knows beforehand when they do,
 * and so not which of them a world that heals sooner is spared. Rejects with `GivenUp` if `run` does: half a search tells nothing.
 */
export async function findCause(options: CauseOptions): Promise<Cause | 'no-fault-needed' | 'never-saved' | 'unknown'> {
  const { plan, runsMax = BUDGET.runsMax } = options
  if (editsFaults(plan)) return 'unknown'
  // What is healed after the failure comes too late without being tried.
  const { simulatedMs } = await options.run(plan)
  const failedAtMs = simulatedMs === 0 ? plan.durationMs : Math.min(plan.durationMs, simulatedMs)
  const guesses = guessesFor(plan, failedAtMs)
  const healings = new Healings(options)
  const [first] = guesses
  if (first === undefined || (await healings.at(first)) === 'fails-alike') return 'no-fault-needed'
  const found = await lastThatSaves(guesses, healings, runsMax - 1)
  if (found === undefined) return 'never-saved'
  const nextMs = guesses[found.at + 1] ?? failedAtMs
  const [healedAtMs, tooLateAtMs] = await narrow(guesses[found.at]!, nextMs, healings, runsMax - 1)
  const isBetween = (fault: Fault) =>
    fault.atMs < tooLateAtMs && (fault.atMs >= healedAtMs || endOf(fault) > healedAtMs)
  const faults = plan.faults.filter(isBetween)
  return { healedAtMs, tooLateAtMs, faults, isLast: found.isLast, runs: 1 + healings.runs }
}

/** Where something changes in the world: it is more likely there than elsewhere that one moment is in time and the next not. */
function guessesFor({ faults }: Plan, untilMs: number): readonly number[] {
  const changes = faults.filter(({ atMs }) => atMs < untilMs).flatMap((fault) => [fault.atMs, endOf(fault)])
  return [...new Set(changes)].filter((atMs) => atMs < untilMs).sort((left, right) => left - right)
}

function endOf(fault: Fault): number {
  return fault.atMs + ('forMs' in fault ? fault.forMs : 0)
}

/** What comes of healing at a moment, each tried once. */
class Healings {
  readonly #options: CauseOptions
  readonly #kind: string
  readonly #known = new Map<number, Healing>()

  constructor(options: CauseOptions) {
    this.#options = options
    this.#kind = violationKind(options.violation)
  }

  get runs(): number {
    return this.#known.size
  }

  isKnown(atMs: number): boolean {
    return this.#known.has(atMs)
  }

  async at(atMs: number): Promise<Healing> {
    const known = this.#known.get(atMs)
    if (known !== undefined) return known
    const { plan, run } = this.#options
    const { violation } = await run(healedAt(plan, atMs))
    const failure =
      violation !== undefined && violationKind(violation) === this.#kind ? 'fails-alike' : 'fails-otherwise'
    const healing = violation === undefined ? 'saves' : failure
    this.#known.set(atMs, healing)
    return healing
  }
}

/** The number of the last guess that saves, as far as `runsMax` allows to tell. */
async function lastThatSaves(
  guesses: readonly number[],
  healings: Healings,
  runsMax: number,
): Promise<{ readonly at: number; readonly isLast: boolean } | undefined> {
  const saves = async (at: number) => (await healings.at(guesses[at]!)) === 'saves'
  let low = (await saves(0)) ? 0 : -1
  let high = guesses.length
  while (high - low > 1 && healings.runs < runsMax) {
    const middle = (low + high) >>> 1
    if (await saves(middle)) low = middle
    else high = middle
  }
  // That there is none later is not said by that.
  for (let at = guesses.length - 1; at > low; at--) {
    if (!healings.isKnown(guesses[at]!) && healings.runs >= runsMax) {
      return low < 0 ? undefined : { at: low, isLast: false }
    }
    if (await saves(at)) return { at, isLast: true }
  }
  return low < 0 ? undefined : { at: low, isLast: true }
}

/** Of a moment that saves and one that does not, two such as close to each other as anybody wants to know. */
async function narrow(
  fromMs: number,
  toMs: number,
  healings: Healings,
  runsMax: number,
): Promise<readonly [number, number]> {
  let [healedAtMs, tooLateAtMs] = [fromMs, toMs]
  while (tooLateAtMs - healedAtMs > RESOLUTION_MS && healings.runs < runsMax) {
    const middleMs = Math.round((healedAtMs + tooLateAtMs) / 2)
    if ((await healings.at(middleMs)) === 'saves') healedAtMs = middleMs
    else tooLateAtMs = middleMs
  }
  return [healedAtMs, tooLateAtMs]
}

/** The plan as it is until `atMs`, when the world heals for good and what still lasts ends. */
export function healedAt(plan: Plan, atMs: number): Plan {
  const faults = plan.faults
    .filter((fault) => fault.atMs < atMs)
    .map((fault) => ('forMs' in fault ? { ...fault, forMs: Math.min(fault.forMs, atMs - fault.atMs) } : fault))
  return { ...plan, durationMs: atMs, faults }
}
