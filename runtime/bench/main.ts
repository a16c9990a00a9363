/**
 * `npm run bench`: Loch against plain Postgres of the same binaries, in turn, in one run. `--quick` stays under three
 * minutes, `--json` prints one row a line. Everything it makes lies below one temporary directory and is removed.
 */
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { removeTree } from '../control/remove-tree.ts'
import { LochProcess } from '../e2e/loch-process.ts'
import { locateBinaries } from '../postgres/binaries.ts'
import { prepareBinaries } from '../postgres/binary-tree.ts'
import { hostMemory } from '../postgres/host-memory.ts'
import { settingsFor } from '../postgres/settings.ts'
import { unprivilegedUser } from '../postgres/user.ts'
import { attachCost } from './attach-cost.ts'
import { CleanUps, Interrupted, interruption } from './clean-ups.ts'
import { AnyTwoOfThree, PlainPostgres } from './clusters.ts'
import {
  bulkLoad,
  crashRecovery,
  type Effort,
  memory,
  type Systems,
  selects,
  storeTraffic,
  transactions,
} from './measures.ts'
import { holds, type Row, toJson, toTable } from './rows.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
})

const effort: Effort = {
  // Below three rounds a median is no median; a quick look shows two figures and their middle.
  rounds: values.quick ? 2 : 3,
  seconds: values.quick ? 2 : 20,
  scale: 10,
  attachMegabytes: values.quick ? 512 : 10 * 1024,
  progress: (line) => process.stderr.write(`${line}\n`),
}

/** Loch's own choice of buffers, so that both sides have the same. */
function sharedBuffers(): string {
  const options = { role: 'primary', listen: { host: '', port: 1 }, socketDirectory: '/', host: hostMemory() } as const
  const setting = settingsFor(options).find((candidate) => candidate.name === 'shared_buffers')
  return `shared_buffers=${setting!.value}`
}

async function measure(root: string, cleanUps: CleanUps): Promise<Row[]> {
  const user = unprivilegedUser()
  const binaries = await prepareBinaries({ source: locateBinaries(), directory: join(root, 'binaries'), user })
  cleanUps.add(binaries.dispose)
  const settings = [sharedBuffers()]
  const plain = await PlainPostgres.create(binaries, user, root, 'plain', settings)
  cleanUps.add(() => plain.stop())
  const anyTwo = await AnyTwoOfThree.create(binaries, user, root, settings)
  cleanUps.add(() => anyTwo.stop())
  const archived = await LochProcess.create()
  cleanUps.add(() => archived.dispose())
  const quorum = await LochProcess.create(['--durability', 'quorum'])
  cleanUps.add(() => quorum.dispose())
  await Promise.all([archived.start(), quorum.start()])
  const systems: Systems = { plain, anyTwo, archived, quorum }
  const rows = [...(await bulkLoad(systems, effort)), ...(await transactions(systems, effort))]
  rows.push(...(await selects(systems, effort)), ...(await storeTraffic(systems, effort)), ...memory(systems))
  rows.push(...(await crashRecovery(systems, effort)), ...(await attachCost(effort, cleanUps)))
  return rows
}

const root = mkdtempSync(join(tmpdir(), 'loch-bench-'))
const cleanUps = new CleanUps((error) => effort.progress(`cleaning up: ${error}`))
// The unprivileged user of Postgres must be able to pass.
chmodSync(root, 0o755)
const measuring = measure(root, cleanUps)
let rows: Row[] = []
try {
  rows = await Promise.race([measuring, interruption()])
} catch (error) {
  if (!(error instanceof Interrupted)) throw error
  effort.progress(error.message)
} finally {
  await cleanUps.end(measuring)
  if (!removeTree(root)) effort.progress(`something is still mounted below ${root}, so it is left`)
}
if (rows.length > 0) process.stdout.write(values.json ? `${rows.map(toJson).join('\n')}\n` : `${toTable(rows)}\n`)
process.exitCode = rows.length > 0 && rows.every(holds) ? 0 : 1
