/**
 * A process that simulates: it carries out one plan after the other and answers with what came of each. It is a process of its
 * own so that all cores are used, and so that one that crashes or hangs costs its seed alone. It decides nothing.
 */
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { problemOf } from '../../runtime/errors.ts'
import { Digest } from '../run/digest.ts'
import { inWords, type Outcome, runPlan } from '../run/run.ts'
import { runLogged } from './logged-run.ts'
import type { Job, Reply, Result } from './worker-messages.ts'

useChecksum((bytes, before) => crc32(bytes, before))
// A terminal sends it to all processes of the command; the first one ends the others.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))
/** A run that is logged ends with such an error as its violation, and is answered when its log is whole. */
let isLogged = false
process.on('uncaughtException', (error) => isLogged || reply({ crash: inWords(error) }))
process.on('message', (job: Job) => void carryOut(job).then(reply, (error) => reply({ crash: problemOf(error) })))

function reply(what: Reply): void {
  process.send?.(what)
}

async function carryOut({ plan, withDigest, log }: Job): Promise<Result> {
  isLogged = log !== undefined
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
