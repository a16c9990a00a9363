/**
 * Looks for the first seed that catches each mutation: plans are generated from one seed after the other and run on the mutated
 * code until an oracle objects. A seed that fails in the same way without the mutation has not caught it. Where the mutated
 * code is run, and in what process, is the laboratory's business.
 */
import { violationKind } from '../shrink/violation-kind.ts'
import type { Mutation } from './mutation.ts'
import { MUTATIONS } from './mutations.ts'

export interface Failure {
  readonly seed: number
  readonly violation: string
}

export interface Laboratory {
  /** Runs the plans of seeds [from, to] on the code with `mutation`, or as it is; resolves to the first that fails. */
  firstFailure(mutation: Mutation | undefined, from: number, to: number): Promise<Failure | undefined>
}

export interface MutationResult {
  readonly name: string
  /** Undefined if no seed has caught it. */
  readonly caught: Failure | undefined
  /** How many seeds were run. */
  readonly seeds: number
}

export interface RunMutationsOptions {
  readonly laboratory: Laboratory
  readonly mutations?: readonly Mutation[]
  readonly fromSeed?: number
  readonly seedsMax?: number
  /** Told of each result as soon as it is there. */
  readonly report?: (result: MutationResult) => void
}

export const SEEDS_MAX = 2_000

export async function runMutations(options: RunMutationsOptions): Promise<readonly MutationResult[]> {
  const { mutations = MUTATIONS, report } = options
  const hunt = new Hunt(options)
  const results: MutationResult[] = []
  for (const mutation of mutations) {
    const result = await hunt.for(mutation)
    report?.(result)
    results.push(result)
  }
  return results
}

class Hunt {
  readonly #laboratory: Laboratory
  readonly #from: number
  readonly #to: number
  /** Of seeds that failed with some mutation: how they fail without. */
  readonly #unmutated = new Map<number, Failure | undefined>()

  constructor({ laboratory, fromSeed = 1, seedsMax = SEEDS_MAX }: RunMutationsOptions) {
    this.#laboratory = laboratory
    this.#from = fromSeed
    this.#to = fromSeed + seedsMax - 1
  }

  async for(mutation: Mutation): Promise<MutationResult> {
    const { name } = mutation
    for (let from = this.#from; from <= this.#to; ) {
      const failure = await this.#laboratory.firstFailure(mutation, from, this.#to)
      if (failure === undefined) break
      if (await this.#isCaughtBy(failure)) return { name, caught: failure, seeds: failure.seed - this.#from + 1 }
      from = failure.seed + 1
    }
    return { name, caught: undefined, seeds: this.#to - this.#from + 1 }
  }

  async #isCaughtBy({ seed, violation }: Failure): Promise<boolean> {
    if (!this.#unmutated.has(seed)) {
      this.#unmutated.set(seed, await this.#laboratory.firstFailure(undefined, seed, seed))
    }
    const without = this.#unmutated.get(seed)
    return without === undefined || violationKind(without.violation) !== violationKind(violation)
  }
}
