/**
 * A process that runs the plans of a range of seeds, on the code that it lies in, and prints a line of JSON for each that may
 * show the error: the way of process-laboratory.ts into code that was changed. It ends with the first violation.
 */
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { canShow, type Needs } from '../mutations/mutation.ts'
import { generatePlan } from '../plan/generate.ts'
import { runPlan } from '../run/run.ts'
import { READY } from './mutant-process.ts'

useChecksum((bytes, before) => crc32(bytes, before))
// So much at least can be loaded.
console.log(READY)
const [from, to, needs] = process.argv.slice(2)
const needed: Needs = JSON.parse(needs!)
for (let seed = Number(from); seed <= Number(to); seed++) {
  const plan = generatePlan(seed)
  if (!canShow(plan, needed)) continue
  const { violation } = await runPlan(plan)
  console.log(JSON.stringify({ seed, violation }))
  if (violation !== undefined) break
}
