/**
 * Looks for the first seed that catches each mutation: plans are generated from one seed after the other and run on the mutated
 * code until an oracle objects; of a mutation that few seeds show, a plan that was kept for it comes first. A plan that fails
 * in the same way without the mutation has not caught it. Where the mutated code is run, and in what process, is the
 * laboratory's business.
 */
import { GivenUp } from '../shrink/attempts.ts'
import { violationKind } from '../shrink/violation-kind.ts'
import type { Mutation } from './mutation.ts'
import { MUTATIONS } from './mutations.ts'

export interface Failure {
  readonly seed: number
  readonly violation: string
}

export interface Laboratory {
  /**
   * Runs the plans of seeds [from, to] on the code with `mutation`, or as it is; resolves to the first that fails. Rejects with
   * `GivenUp` if nobody waits any more, and with an error if the mutated code does not run at all.
   */
  firstFailure(mutation: Mutation | undefined, from: number, to: number): Promise<Failure | undefined>
  /**
   * The same of a kept plan, named as in `Mutation`: with its own seed, then with the seeds after it, or with `seed` alone. What a
   * plan's faults meet moves with every change of what is sent and when, and it shall not take a new plan for each.
   */
  failureOf(mutation: Mutation | undefined, plan: string, seed?: number): Promise<Failure | undefined>
}

export interface MutationResult {
  readonly name: string
  /** Undefined if neither its plan nor a seed has caught it. */
  readonly caught: Failure | undefined
  /** How many seeds were run; 0 if its plan has caught it. */
  readonly seeds: number
}

export interface RunMutationsOptions {
  readonly laboratory: Laboratory
  readonly mutations?: readonly Mutation[]
  readonly fromSeed?: number
  readonly seedsMax?: number
  /** So many at once. */
  readonly lanes?: number
  /** Told of each result as soon as it is there. */
  readonly report?: (result: MutationResult) => void
}

export const SEEDS_MAX = 2_000

/** In the order of the mutations; without those that were given up. */
export async function runMutations(options: RunMutationsOptions): Promise<readonly MutationResult[]> {
  const { mutations = MUTATIONS, lanes = 1, report } = options
  const hunt = new Hunt(options)
  const results = new Map<Mutation, MutationResult>()
  const waiting = [...mutations]
  const work = async () => {
    for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
      const result = await hunt.for(mutation)
      if (result === undefined) return
      results.set(mutation, result)
      report?.(result)
    }
  }
  await Promise.all(Array.from({ length: lanes }, work))
  return mutations.flatMap((mutation) => results.get(mutation) ?? [])
}

class Hunt {
  readonly #laboratory: Laboratory
  readonly #from: number
  readonly #to: number
  /** Of seeds that failed with some mutation: how they fail without. */
  readonly #unmutated = new Map<number, Promise<Failure | undefined>>()

  constructor({ laboratory, fromSeed = 1, seedsMax = SEEDS_MAX }: RunMutationsOptions) {
    this.#laboratory = laboratory
    this.#from = fromSeed
    this.#to = fromSeed + seedsMax - 1
  }

  /** Undefined if it was given up. */
  async for(mutation: Mutation): Promise<MutationResult | undefined> {
    try {
      return await this.#search(mutation)
    } catch (error) {
      if (error instanceof GivenUp) return undefined
      throw error
    }
  }

  async #search(mutation: Mutation): Promise<MutationResult> {
    const { name, plan } = mutation
    const shown = plan === undefined ? undefined : await this.#shownBy(mutation, plan)
    if (shown !== undefined) return { name, caught: shown, seeds: 0 }
    for (let from = this.#from; from <= this.#to; ) {
      const failure = await this.#laboratory.firstFailure(mutation, from, this.#to)
      if (failure === undefined) break
      if (await this.#isCaughtBy(failure)) return { name, caught: failure, seeds: failure.seed - this.#from + 1 }
      from = failure.seed + 1
    }
    return { name, caught: undefined, seeds: this.#to - this.#from + 1 }
  }

  async #shownBy(mutation: Mutation, plan: string): Promise<Failure | undefined> {
    const failure = await this.#laboratory.failureOf(mutation, plan)
    if (failure === undefined) return undefined
    const without = await this.#laboratory.failureOf(undefined, plan, failure.seed)
    return isAlike(failure, without) ? undefined : failure
  }

  async #isCaughtBy(failure: Failure): Promise<boolean> {
    const { seed } = failure
    let unmutated = this.#unmutated.get(seed)
    if (unmutated === undefined) {
      unmutated = this.#laboratory.firstFailure(undefined, seed, seed)
      this.#unmutated.set(seed, unmutated)
    }
    return !isAlike(failure, await unmutated)
  }
}

function isAlike(failure: Failure, without: Failure | undefined): boolean {
  return without !== undefined && violationKind(without.violation) === violationKind(failure.violation)
}
