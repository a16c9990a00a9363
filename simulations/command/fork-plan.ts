/**
 * `loch simulate --fork FILE --at EVENT`: from the flags to the plan that is run. Before it, the recorded plan is run again up
 * to the event, because what today's code does not come to in the same way cannot be altered there.
 */
import { existsSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { useChecksum } from '../../events/checksum.ts'
import { BadArgument, Refused } from '../../runtime/errors.ts'
import { fileSource } from '../../runtime/replay/byte-source.ts'
import { RunLog } from '../../runtime/replay/open-log.ts'
import { type Alteration, type Fork, forkOf } from '../fork/fork.ts'
import { formatPlan } from '../plan/read.ts'
import { SimulationLog } from '../report/simulation-log.ts'
import { forkedPlanName } from './failure-names.ts'
import { save } from './files.ts'
import type { SimulateFlags } from './flags.ts'
import { runGuarded } from './guarded-run.ts'

/** The file that its plan stands in from now on: there is no seed that tells it.
 * @throws BadArgument; Refused if today's code comes to another run before the event */
export async function forkedPlan(flags: SimulateFlags): Promise<string> {
  useChecksum((bytes, before) => crc32(bytes, before))
  const log = new RunLog(fileSource(flags.fork!))
  try {
    const fork = forkOf(log, flags.at!, alterationOf(flags))
    await checkSameUpTo(log, fork)
    const file = flags['save-plan'] ?? forkedPlanName(fork.plan, flags.fork!, existsSync)
    save('--save-plan', file, formatPlan(fork.plan))
    return file
  } finally {
    log.close()
  }
}

function alterationOf({ change, insert }: SimulateFlags): Alteration {
  if (change !== undefined) return { kind: 'change', fields: parse('--change', change) }
  return insert === undefined ? { kind: 'drop' } : { kind: 'insert', what: parse('--insert', insert) }
}

function parse(component: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  const remedy = `Write for example '{"type": "Wake"}', in quotes.`
  throw new BadArgument({ component, value: text, problem: 'this is not a JSON object', remedy })
}

/** Compares bytes: equal runs have equal logs. */
async function checkSameUpTo(log: RunLog, { from, place }: Fork): Promise<void> {
  const end = log.table.offset[place]!
  let offset = 0
  let differsAt: number | undefined
  const again = new SimulationLog(from, (bytes) => {
    if (offset < end && differsAt === undefined) {
      const length = Math.min(bytes.length, end - offset)
      if (!log.source.read(offset, length).equals(bytes.subarray(0, length))) differsAt = offset
    }
    offset += bytes.length
  })
  again.end(await runGuarded(from, [again]))
  if (differsAt === undefined) return
  const { sequence } = log.event(firstFrom(log, differsAt))
  throw new Refused({
    component: '--fork',
    value: log.source.name,
    problem: `today's code does not come to the event: its run is another from event ${sequence} on`,
    remedy: 'Check out the version that wrote the log, or write the log anew with `loch simulate --log`.',
  })
}

function firstFrom({ table, length }: RunLog, offset: number): number {
  let place = 0
  while (place < length - 1 && table.offset[place]! < offset) place++
  return place
}
