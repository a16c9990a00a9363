/**
 * `loch simulate --mutations`: shows that the oracles bite, by running code with a deliberate error in it until one objects.
 * A mutation that none objects to is a failure of the simulator, and so of the command.
 */
import { availableParallelism } from 'node:os'
import { nearest } from '../../runtime/control/arguments.ts'
import { bad } from '../../runtime/control/flags.ts'
import type { Output } from '../../runtime/control/output.ts'
import type { Mutation } from '../mutations/mutation.ts'
import { MUTATIONS } from '../mutations/mutations.ts'
import { oracleOf } from '../mutations/oracle-of.ts'
import { HEADING, resultLine, summaryLines } from '../mutations/result-lines.ts'
import { type Laboratory, type MutationResult, runMutations, SEEDS_MAX } from '../mutations/run-mutations.ts'
import type { SimulateFlags } from './flags.ts'
import { onSignal } from './signals.ts'

export interface StoppableLaboratory extends Laboratory {
  /** What is being run is given up. */
  stop(): void
  close(): void
}

export interface MutationsOptions {
  readonly flags: SimulateFlags
  /** All of them if there are none. */
  readonly names: readonly string[]
  readonly output: Output
  readonly makeLaboratory: () => StoppableLaboratory
}

/** Resolves to the exit code. Throws BadArgument for a name that is none. */
export async function showMutations({ flags, names, output, makeLaboratory }: MutationsOptions): Promise<number> {
  const mutations = choose(names)
  const laboratory = makeLaboratory()
  const takeSignalsBack = onSignal(() => laboratory.stop())
  try {
    if (!output.json) output.line(HEADING)
    const results = await runMutations({
      laboratory,
      mutations,
      fromSeed: flags.seed ?? 1,
      seedsMax: flags.seeds ?? SEEDS_MAX,
      lanes: flags.processes ?? availableParallelism(),
      report: (result) => {
        if (!output.json) output.line(resultLine(result))
      },
    })
    const isAllCaught = results.length === mutations.length && results.every(({ caught }) => caught)
    if (output.json) output.line(JSON.stringify(asData(mutations, results)))
    else output.line(summaryLines(results, mutations.length).join('\n'))
    return isAllCaught ? 0 : 1
  } finally {
    takeSignalsBack()
    laboratory.close()
  }
}

/** Each once: two runs of one mutation would share the directory that its code is copied to. */
function choose(names: readonly string[]): readonly Mutation[] {
  if (names.length === 0) return MUTATIONS
  const known = MUTATIONS.map(({ name }) => name)
  return [...new Set(names)].map((name) => {
    const mutation = MUTATIONS.find((one) => one.name === name)
    if (mutation !== undefined) return mutation
    const near = nearest(name, known)
    const remedy = near === undefined ? 'Leave it out to run all of them.' : `Did you mean ${near}?`
    throw bad('--mutations', name, 'there is no such mutation', remedy)
  })
}

function asData(mutations: readonly Mutation[], results: readonly MutationResult[]) {
  return {
    mutations: mutations.length,
    caught: results.filter(({ caught }) => caught).length,
    results: results.map(({ name, seeds, caught }) => ({
      name,
      seeds,
      ...(caught ? { caughtBy: oracleOf(caught.violation), seed: caught.seed, violation: caught.violation } : {}),
    })),
  }
}
