/**
 * Runs the mutations from a shell, on compiled code: `node dist/simulations/mutations/main.js [seeds] [name ...]`. It only reads
 * arguments and prints; `npx loch simulate` does the same with a better face.
 */
import { ProcessLaboratory } from '../command/process-laboratory.ts'
import { MUTATIONS } from './mutations.ts'
import { resultLine, summaryLines } from './result-lines.ts'
import { runMutations, SEEDS_MAX } from './run-mutations.ts'

/** Resolves to the exit code. `seeds` is a count, or `first-last`. */
export async function main([seeds = String(SEEDS_MAX), ...names]: readonly string[]): Promise<number> {
  const [first, last] = seeds.includes('-') ? seeds.split('-').map(Number) : [1, Number(seeds)]
  const laboratory = new ProcessLaboratory()
  const mutations = MUTATIONS.filter(({ name }) => names.length === 0 || names.includes(name))
  try {
    const results = await runMutations({
      laboratory,
      mutations,
      fromSeed: first!,
      seedsMax: last! - first! + 1,
      report: (result) => console.log(resultLine(result)),
    })
    for (const line of summaryLines(results)) console.log(line)
    return results.every(({ caught }) => caught) ? 0 : 1
  } finally {
    laboratory.close()
  }
}

if (import.meta.filename === process.argv[1]) process.exitCode = await main(process.argv.slice(2))
