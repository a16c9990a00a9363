/**
 * The measures of the storage path, each against plain Postgres in the same run, in rounds (rounds.ts); a ratio is taken
 * within each round.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withClient } from '../e2e/ledger.ts'
import { type LochProcess, until } from '../e2e/loch-process.ts'
import type { AnyTwoOfThree, PlainPostgres } from './clusters.ts'
import { benchmark, initialize } from './pgbench.ts'
import { inTurn, quotients } from './rounds.ts'
import type { Row } from './rows.ts'

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
  /** Of the larger branch whose attach is measured. */
  readonly attachMegabytes: number
  readonly progress: (line: string) => void
}

/** Bulk load: `pgbench -i`, as speed relative to plain Postgres. It also prepares the tables for what follows. */
export async function bulkLoad(systems: Systems, effort: Effort): Promise<Row[]> {
  const contestants = ['plain', 'archived'] as const
  const seconds = await inTurn(
    contestants,
    effort.rounds,
    (name) => initialize(systems[name].url, effort.scale),
    (figures) => effort.progress(`bulk load, s: ${line(figures, 2)}`),
  )
  await initialize(systems.anyTwo.url, effort.scale)
  await initialize(systems.quorum.url, effort.scale)
  const values = quotients(seconds.plain, seconds.archived)
  return [{ measure: 'bulk load, speed ÷ plain', values, unit: '×', bound: { min: 0.4 } }]
}

export async function transactions(systems: Systems, effort: Effort): Promise<Row[]> {
  const [many, one] = [await rates(systems, effort, 16), await rates(systems, effort, 1)]
  const ratio = (measure: string, values: readonly number[], min?: number): Row => {
    return { measure: `TPC-B ${measure}`, values, unit: '×', ...(min === undefined ? {} : { bound: { min } }) }
  }
  return [
    ratio('16 clients, archived ÷ plain', quotients(many.archived, many.plain), 0.35),
    ratio('16 clients, archived ÷ ANY 2 of 3', quotients(many.archived, many.anyTwo), 0.8),
    ratio('1 client, archived ÷ ANY 2 of 3', quotients(one.archived, one.anyTwo), 0.8),
    ratio('16 clients, quorum ÷ ANY 2 of 3', quotients(many.quorum, many.anyTwo), 1),
    ratio('1 client, archived ÷ plain', quotients(one.archived, one.plain)),
    { measure: 'TPC-B 16 clients, plain', values: many.plain, unit: 'tps' },
    { measure: 'TPC-B 16 clients, archived', values: many.archived, unit: 'tps' },
    { measure: 'TPC-B 1 client, archived', values: one.archived, unit: 'tps' },
  ]
}

function rates(systems: Systems, effort: Effort, clients: number): Promise<Record<keyof Systems, number[]>> {
  return inTurn(
    ['plain', 'anyTwo', 'archived', 'quorum'],
    effort.rounds,
    async (name) => (await benchmark(systems[name].url, { clients, seconds: effort.seconds })).tps,
    (figures) => effort.progress(`TPC-B, clients: ${clients}, tps: ${line(figures, 0)}`),
  )
}

function line(figures: Readonly<Record<string, number>>, digits: number): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value.toFixed(digits)}`)
    .join(', ')
}

/** The tables fit into shared_buffers, so this is Postgres's own speed beside our processes; no page comes from the volume. */
export async function selects(systems: Systems, effort: Effort): Promise<Row[]> {
  const contestants = ['plain', 'archived'] as const
  for (const name of contestants) await warm(systems[name].url)
  const options = { clients: 16, seconds: effort.seconds, selectOnly: true }
  const tps = await inTurn(
    contestants,
    effort.rounds,
    async (name) => (await benchmark(systems[name].url, options)).tps,
    (figures) => effort.progress(`select-only, tps: ${line(figures, 0)}`),
  )
  const values = quotients(tps.archived, tps.plain)
  return [{ measure: 'select-only 16 clients, all in shared_buffers ÷ plain', values, unit: '×', bound: { min: 0.9 } }]
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
      values: [(after.bytes - before.bytes) / (writtenAfter - written)],
      unit: '×',
    },
    {
      measure: 'PUTs per 1,000 commits, 16 clients',
      values: [((after.count - before.count) * 1000) / transactions],
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
export async function crashRecovery({ archived }: Systems, effort: Effort): Promise<Row[]> {
  const times: number[] = []
  for (let round = 0; round < effort.rounds; round++) {
    await withClient(archived.url, (client) => client.query('checkpoint'))
    const pid = postgresPid(archived)
    const before = await commitsSoFar(archived.url)
    // Longer than it will live, since its clients give up with their server.
    const load = benchmark(archived.url, { clients: 8, seconds: LOAD_SECONDS_MAX }).catch(() => {})
    await until(async () => (await commitsSoFar(archived.url)) > before + COMMITS_BEFORE_KILL)
    const started = performance.now()
    process.kill(pid, 'SIGKILL')
    await until(() => commits(archived.url), 60_000)
    times.push((performance.now() - started) / 1000)
    await load
    effort.progress(`Postgres killed under load: next commit after ${times.at(-1)!.toFixed(2)} s`)
  }
  return [{ measure: 'Postgres killed under load → next commit', values: times, unit: 's', bound: { max: 1 } }]
}

const LOAD_SECONDS_MAX = 60
const COMMITS_BEFORE_KILL = 500

function postgresPid(loch: LochProcess): number {
  const computes = loch.status().zones.flatMap((zone) => zone.computes)
  const pid = computes.find((compute) => compute.postgresPid)?.postgresPid
  if (!pid) throw new Error('status names no running Postgres')
  return pid
}

/** As far as sessions have told, which they do at least every second. */
function commitsSoFar(url: string): Promise<number> {
  return withClient(url, async (client) => {
    const query = 'select xact_commit::text as count from pg_stat_database where datname = current_database()'
    return Number((await client.query<{ count: string }>(query)).rows[0]!.count)
  })
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
  const values = [(zone?.memoryBytes ?? Number.NaN) / 1024 / 1024]
  return [{ measure: 'memory of the zone process with the compute', values, unit: 'MB', bound: { max: 200 } }]
}
