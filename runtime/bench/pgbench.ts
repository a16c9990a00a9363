/**
 * Runs pgbench and reads its figures. pgbench and psql come from the system (Debian: postgresql-client, postgresql-contrib);
 * the servers measured are always the same binaries.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { HostUnfit } from '../errors.ts'

export interface PgbenchResult {
  readonly tps: number
  readonly latencyMs: number
  readonly transactions: number
}

/** Path of pgbench: in PATH, or where Debian keeps versions side by side. */
export function findPgbench(): string {
  if (spawnSync('pgbench', ['--version']).status === 0) return 'pgbench'
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort() : []
  for (const version of versions.reverse()) {
    const path = `${root}/${version}/bin/pgbench`
    if (existsSync(path)) return path
  }
  throw new HostUnfit({
    component: 'benchmark',
    value: 'pgbench',
    problem: 'the program is not installed',
    remedy: 'Install it: apt-get install postgresql-client postgresql-contrib.',
  })
}

export function run(program: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0
        ? resolve(output)
        : reject(new Error(`${program} ${args.join(' ')} ended with ${code}: ${output.slice(-2000)}`)),
    )
  })
}

/** pgbench reads its target from the environment, so that no password stands in a process list. */
export function environmentOf(url: string): Record<string, string> {
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1) || 'postgres',
  }
}

/** Creates the TPC-B tables at `scale`; returns the seconds it took. */
export async function initialize(url: string, scale: number): Promise<number> {
  const started = performance.now()
  await run(findPgbench(), ['-i', '-q', '-s', String(scale)], environmentOf(url))
  return (performance.now() - started) / 1000
}

export async function benchmark(
  url: string,
  options: { readonly clients: number; readonly seconds: number; readonly selectOnly?: boolean },
): Promise<PgbenchResult> {
  const { clients, seconds, selectOnly } = options
  const threads = Math.min(2, clients)
  const args = ['-n', '-M', 'simple', '-c', String(clients), '-j', String(threads), '-T', String(seconds)]
  const output = await run(findPgbench(), selectOnly ? [...args, '-S'] : args, environmentOf(url))
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN)
  return {
    tps: number(/tps = ([\d.]+) \(without/),
    latencyMs: number(/latency average = ([\d.]+) ms/),
    transactions: number(/transactions actually processed: (\d+)/),
  }
}
