/**
 * The measures of the storage path, each against plain Postgres in the same run. Rounds are interleaved (A B C, A B C …)
 * because the speed of a shared machine drifts; the row is the median of the rounds' ratios.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withClient } from '../e2e/ledger.ts'
import { type LochProcess, until } from '../e2e/loch-process.ts'
import type { AnyTwoOfThree, PlainPostgres } from './clusters.ts'
import { benchmark, initialize } from './pgbench.ts'
import { median, type Row } from './rows.ts'

export interface Systems {
  readonly plain: PlainPostgres
  readonly anyTwo: AnyTwoOfThree
  readonly archived: LochProcess
  readonly quorum: LochProcess
}

export interface Effort {
  readonly rounds: number
  readonly seconds: number
  readonly scale: number
  readonly progress: (line: string) => void
}

/** Bulk load: `pgbench -i`, as speed relative to plain Postgres. It also prepares the tables for what follows. */
export async function bulkLoad(systems: Systems, effort: Effort): Promise<Row[]> {
  const ratios: number[] = []
  for (let round = 0; round < effort.rounds; round++) {
    const plain = await initialize(systems.plain.url, effort.scale)
    const loch = await initialize(systems.archived.url, effort.scale)
    effort.progress(`bulk load: plain ${plain.toFixed(2)} s, Loch ${loch.toFixed(2)} s`)
    ratios.push(plain / loch)
  }
  await initialize(systems.anyTwo.url, effort.scale)
  await initialize(systems.quorum.url, effort.scale)
  return [{ measure: 'bulk load, speed ÷ plain', value: median(ratios), unit: '×', bound: { min: 0.4 } }]
}

export async function transactions(systems: Systems, effort: Effort): Promise<Row[]> {
  const many: Record<keyof Systems, number[]> = { plain: [], anyTwo: [], archived: [], quorum: [] }
  const one: Record<keyof Systems, number[]> = { plain: [], anyTwo: [], archived: [], quorum: [] }
  for (let round = 0; round < effort.rounds; round++) {
    for (const name of ['plain', 'anyTwo', 'archived', 'quorum'] as const) {
      many[name].push((await benchmark(systems[name].url, { clients: 16, seconds: effort.seconds })).tps)
    }
    for (const name of ['plain', 'anyTwo', 'archived', 'quorum'] as const) {
      one[name].push((await benchmark(systems[name].url, { clients: 1, seconds: effort.seconds })).tps)
    }
    effort.progress(`16 clients: ${line(many, round)}; 1 client: ${line(one, round)}`)
  }
  const ratio = (a: readonly number[], b: readonly number[]): number =>
    median(a.map((value, index) => value / b[index]!))
  return [
    {
      measure: 'TPC-B 16 clients, archived ÷ plain',
      value: ratio(many.archived, many.plain),
      unit: '×',
      bound: { min: 0.35 },
    },
    {
      measure: 'TPC-B 16 clients, archived ÷ ANY 2 of 3',
      value: ratio(many.archived, many.anyTwo),
      unit: '×',
      bound: { min: 0.8 },
    },
    {
      measure: 'TPC-B 1 client, archived ÷ ANY 2 of 3',
      value: ratio(one.archived, one.anyTwo),
      unit: '×',
      bound: { min: 0.8 },
    },
    {
      measure: 'TPC-B 16 clients, quorum ÷ ANY 2 of 3',
      value: ratio(many.quorum, many.anyTwo),
      unit: '×',
      bound: { min: 1 },
    },
    { measure: 'TPC-B 1 client, archived ÷ plain', value: ratio(one.archived, one.plain), unit: '×' },
    { measure: 'TPC-B 16 clients, plain', value: median(many.plain), unit: 'tps' },
    { measure: 'TPC-B 16 clients, archived', value: median(many.archived), unit: 'tps' },
    { measure: 'TPC-B 1 client, archived', value: median(one.archived), unit: 'tps' },
  ]
}

function line(results: Record<keyof Systems, number[]>, round: number): string {
  return Object.entries(results)
    .map(([name, values]) => `${name} ${values[round]!.toFixed(0)}`)
    .join(', ')
}

export async function selects(systems: Systems, effort: Effort): Promise<Row[]> {
  const ratios: number[] = []
  for (const system of [systems.plain, systems.archived]) await warm(system.url)
  for (let round = 0; round < effort.rounds; round++) {
    const options = { clients: 16, seconds: effort.seconds, selectOnly: true }
    const plain = await benchmark(systems.plain.url, options)
    const loch = await benchmark(systems.archived.url, options)
    effort.progress(`select-only: plain ${plain.tps.toFixed(0)}, Loch ${loch.tps.toFixed(0)}`)
    ratios.push(loch.tps / plain.tps)
  }
  return [{ measure: 'select-only 16 clients, warm ÷ plain', value: median(ratios), unit: '×', bound: { min: 0.9 } }]
}

async function warm(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('select count(*) from pgbench_accounts')
    await client.query('set enable_seqscan = off; select count(aid) from pgbench_accounts')
  })
}

/** What object storage sees of a minute of commits: bytes against what Postgres wrote, and how many PUTs. */
export async function storeTraffic(systems: Systems, effort: Effort): Promise<Row[]> {
  const objects = join(systems.archived.data, 'objects')
  const url = systems.archived.url
  await withClient(url, (client) => client.query('checkpoint'))
  const [before, written] = [measureStore(objects), await bytesWritten(url)]
  const { transactions } = await benchmark(url, { clients: 16, seconds: effort.seconds })
  await withClient(url, (client) => client.query('checkpoint'))
  const [after, writtenAfter] = [measureStore(objects), await bytesWritten(url)]
  return [
    {
      measure: 'object store bytes ÷ bytes Postgres wrote',
      value: (after.bytes - before.bytes) / (writtenAfter - written),
      unit: '×',
    },
    {
      measure: 'PUTs per 1,000 commits, 16 clients',
      value: ((after.count - before.count) * 1000) / transactions,
      unit: '',
    },
  ]
}

function measureStore(directory: string): { count: number; bytes: number } {
  let count = 0
  let bytes = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    count++
    bytes += statSync(join(entry.parentPath, entry.name)).size
  }
  return { count, bytes }
}

async function bytesWritten(url: string): Promise<number> {
  return withClient(url, async (client) => {
    await client.query('select pg_stat_force_next_flush()')
    const { rows } = await client.query<{ bytes: string }>(
      `select ((select wal_bytes from pg_stat_wal) + (select coalesce(sum(write_bytes), 0) + coalesce(sum(extend_bytes), 0)
        from pg_stat_io where object = 'relation'))::text as bytes`,
    )
    return Number(rows[0]!.bytes)
  })
}

/** Postgres is killed under load, with little WAL to redo: how long until somebody's next commit is accepted. */
export async function crashRecovery(systems: Systems, effort: Effort): Promise<Row[]> {
  const times: number[] = []
  for (let round = 0; round < effort.rounds; round++) {
    await withClient(systems.archived.url, (client) => client.query('checkpoint'))
    await benchmark(systems.archived.url, { clients: 8, seconds: Math.min(10, effort.seconds) })
    const pid = systems.archived
      .status()
      .zones.flatMap((zone) => zone.computes)
      .find((compute) => compute.postgresPid)?.postgresPid
    if (!pid) throw new Error('status names no running Postgres')
    const started = performance.now()
    process.kill(pid, 'SIGKILL')
    await until(() => commits(systems.archived.url), 60_000)
    times.push((performance.now() - started) / 1000)
    effort.progress(`Postgres killed: next commit after ${times.at(-1)!.toFixed(2)} s`)
  }
  return [{ measure: 'Postgres killed → next commit', value: median(times), unit: 's', bound: { max: 1 } }]
}

async function commits(url: string): Promise<boolean> {
  try {
    return await withClient(url, async (client) => {
      await client.query('update pgbench_branches set bbalance = bbalance where bid = 1')
      return true
    })
  } catch {
    return false
  }
}

export function memory(systems: Systems): Row[] {
  const zone = systems.archived
    .status()
    .zones.find((candidate) => candidate.computes.some((compute) => compute.postgresPid))
  const value = (zone?.memoryBytes ?? Number.NaN) / 1024 / 1024
  return [{ measure: 'memory of the zone process with the compute', value, unit: 'MB', bound: { max: 200 } }]
}
