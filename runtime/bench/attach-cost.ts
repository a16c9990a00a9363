/**
 * What attaching costs as a branch grows: index blocks are read lazily, so a hundred times the pages must not take longer.
 * The pages are synthetic (files that Postgres ignores, among its relations), but they take the real way: through the
 * mount into segments, into the index, into a snapshot. Each measured attach begins with nothing cached.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LochProcess } from '../e2e/loch-process.ts'
import type { CleanUps } from './clean-ups.ts'
import type { Effort } from './measures.ts'
import { run } from './pgbench.ts'
import { inTurn, quotients } from './rounds.ts'
import type { Row } from './rows.ts'

const SMALL_MB = 100
/** Postgres's own limit of one file of a relation. */
const FILE_MB_MAX = 1024
const DROP_CACHES = '/proc/sys/vm/drop_caches'

export async function attachCost(effort: Effort, cleanUps: CleanUps): Promise<Row[]> {
  const largeMb = effort.attachMegabytes
  const branches = { small: await LochProcess.create(), large: await LochProcess.create() }
  for (const loch of Object.values(branches)) cleanUps.add(() => loch.dispose())
  await Promise.all([fill(branches.small, SMALL_MB), fill(branches.large, largeMb)])
  const { small, large } = await inTurn(
    ['small', 'large'],
    effort.rounds,
    (name) => attachMs(branches[name]),
    (ms) => effort.progress(`attach: ${SMALL_MB} MB ${ms.small} ms, ${largeMb} MB ${ms.large} ms`),
  )
  const ratio = { measure: `attach of ${largeMb} MB ÷ attach of ${SMALL_MB} MB`, values: quotients(large, small) }
  return [
    { ...ratio, unit: '×', bound: { max: 1.3 } },
    { measure: `attach of ${largeMb} MB`, values: large, unit: 'ms' },
  ]
}

/** Writes files of pages beside the relations of the default database, checkpoints by stopping, and stays stopped. */
async function fill(loch: LochProcess, megabytes: number): Promise<void> {
  await loch.start()
  const directory = join(mountOf(loch), 'base', '5')
  for (let number = 0; number * FILE_MB_MAX < megabytes; number++) {
    const count = Math.min(FILE_MB_MAX, megabytes - number * FILE_MB_MAX)
    const target = join(directory, `99${String(number).padStart(4, '0')}`)
    await run('dd', ['if=/dev/urandom', `of=${target}`, 'bs=1M', `count=${count}`, 'conv=fsync'], {})
  }
  await loch.stop()
}

function mountOf(loch: LochProcess): string {
  const table = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const line = table.find(
    (candidate) => candidate.includes(`/run/loch/${loch.instance}/`) && candidate.includes(' - fuse '),
  )
  if (!line) throw new Error('no mount of this instance')
  return line.split(' ')[4]!
}

async function attachMs(loch: LochProcess): Promise<number> {
  if (existsSync(DROP_CACHES)) writeFileSync(DROP_CACHES, '3')
  await loch.start()
  const steps = loch.output.split('\n').flatMap((line) => step(line))
  await loch.stop()
  const attach = steps.find(({ name }) => name.includes('Attach'))
  if (!attach) throw new Error(`the output names no attach: ${loch.output}`)
  return attach.elapsedMs
}

function step(line: string): ReadonlyArray<{ readonly name: string; readonly elapsedMs: number }> {
  if (!line.startsWith('{"step"')) return []
  const { step: name, elapsedMs } = JSON.parse(line) as { step: string; elapsedMs: number }
  return [{ name, elapsedMs }]
}
