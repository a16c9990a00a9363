/**
 * A process that simulates: it carries out one plan after the other and answers with what came of each. It is a process of its
 * own so that all cores are used, and so that one that crashes or hangs costs its seed alone. It decides nothing.
 */
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { Digest } from '../run/digest.ts'
import { type Outcome, runPlan } from '../run/run.ts'
import { runLogged } from './logged-run.ts'
import type { Job, Result } from './worker-messages.ts'

useChecksum((bytes, before) => crc32(bytes, before))
// A terminal sends it to all processes of the command; the first one ends the others.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))
process.on('message', (job: Job) => void carryOut(job).then((result) => process.send?.(result)))

async function carryOut({ plan, withDigest, log }: Job): Promise<Result> {
  const digest = withDigest ? new Digest() : undefined
  const before = process.cpuUsage()
  const outcome = withoutReports(await (log === undefined ? runPlan(plan, digest) : runLogged(plan, log)))
  const { user, system } = process.cpuUsage(before)
  const result = { outcome, cpuMs: (user + system) / 1000 }
  return digest === undefined ? result : { ...result, digest: digest.value, marks: digest.marks }
}

function withoutReports({ reports: _, ...outcome }: Outcome): Result['outcome'] {
  return outcome
}
