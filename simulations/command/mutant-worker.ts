/**
 * A process that runs the plans of a range of seeds, of the code that it lies in, and prints a line of JSON for each: the way of
 * process-laboratory.ts into code that was changed. It ends with the first violation.
 */
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { generatePlan } from '../plan/generate.ts'
import { runPlan } from '../run/run.ts'

useChecksum((bytes, before) => crc32(bytes, before))
const [from, to] = process.argv.slice(2).map(Number)
for (let seed = from!; seed <= to!; seed++) {
  const { violation } = await runPlan(generatePlan(seed))
  console.log(JSON.stringify({ seed, violation }))
  if (violation !== undefined) break
}
