/**
 * A process that runs the plans of a range of seeds, or one that was kept, on the code that it lies in, and prints a line of
 * JSON for each that may show the error: the way of process-laboratory.ts into code that was changed. It ends with the first
 * violation.
 */
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { canShow } from '../mutations/mutation.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { runPlan } from '../run/run.ts'
import { readKeptSeed } from '../seeds/kept-seed.ts'
import { type Job, READY } from './mutant-process.ts'

/** How many seeds a kept plan is tried with. */
const VARIATIONS = 12

useChecksum((bytes, before) => crc32(bytes, before))
// So much at least can be loaded.
console.log(READY)
for (const plan of plansOf(JSON.parse(process.argv[2]!))) {
  const { violation } = await runPlan(plan)
  console.log(JSON.stringify({ seed: plan.seed, violation }))
  if (violation !== undefined) break
}

function* plansOf(job: Job): Generator<Plan> {
  if ('file' in job) return yield* variationsOf(readKeptSeed(job.file, readFileSync(job.file, 'utf8')).plan, job.seed)
  for (let seed = job.from; seed <= job.to; seed++) {
    const plan = generatePlan(seed)
    if (canShow(plan, job.needs)) yield plan
  }
}

function* variationsOf(plan: Plan, seed: number | undefined): Generator<Plan> {
  if (seed !== undefined) return yield { ...plan, seed }
  for (let number = 0; number < VARIATIONS; number++) yield { ...plan, seed: plan.seed + number }
}
