/**
 * What Loch is compared with: plain Postgres of the same binaries on the local disk, alone and with three local standbys
 * of which any two must flush each commit. Same buffers, same checkpoint distance, local fsync, the defaults otherwise.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { appendFileSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { withClient } from '../e2e/ledger.ts'
import { freePort, until } from '../e2e/loch-process.ts'
import type { PostgresBinaries } from '../postgres/binary-tree.ts'
import { initializeCluster } from '../postgres/cluster.ts'
import { BASE_ENVIRONMENT } from '../postgres/command.ts'
import { connectionUrl, generatePassword } from '../postgres/credentials.ts'
import { asUser, type UnprivilegedUser } from '../postgres/user.ts'

export interface Cluster {
  readonly url: string
  stop(): Promise<void>
}

const SETTINGS = [
  'max_wal_size=1GB',
  'checkpoint_timeout=5min',
  'max_connections=100',
  'wal_level=replica',
  'max_wal_senders=8',
]

export class PlainPostgres implements Cluster {
  readonly url: string
  private readonly binaries: PostgresBinaries
  private readonly user: UnprivilegedUser
  readonly directory: string
  readonly port: number
  readonly password: string
  private readonly settings: readonly string[]
  private child: ChildProcess | undefined

  constructor(
    binaries: PostgresBinaries,
    user: UnprivilegedUser,
    place: { readonly directory: string; readonly port: number; readonly password: string },
    settings: readonly string[],
  ) {
    this.binaries = binaries
    this.user = user
    this.directory = place.directory
    this.port = place.port
    this.password = place.password
    this.settings = settings
    const { port, password } = place
    this.url = connectionUrl({ user: 'postgres', password, host: '127.0.0.1', port, database: 'postgres' })
  }

  /** A fresh cluster below `root`, running. */
  static async create(
    binaries: PostgresBinaries,
    user: UnprivilegedUser,
    root: string,
    name: string,
    settings: readonly string[],
  ): Promise<PlainPostgres> {
    const directory = join(root, name)
    mkdirSync(directory, { mode: 0o700 })
    chownSync(directory, user.uid, user.gid)
    const password = generatePassword()
    await initializeCluster({ binaries, user, directory, superuser: 'postgres', password })
    const cluster = new PlainPostgres(binaries, user, { directory, port: await freePort(), password }, settings)
    return await startedOrStopped(cluster, () => cluster.start())
  }

  async start(): Promise<void> {
    const listen = [`port=${this.port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=']
    const flags = [...SETTINGS, ...this.settings, ...listen].flatMap((setting) => ['-c', setting])
    const [program, ...args] = asUser(this.user, [this.binaries.postgres, '-D', this.directory, ...flags])
    const env = { ...BASE_ENVIRONMENT, ...this.binaries.environment }
    this.child = spawn(program!, args, { cwd: '/', env, stdio: 'ignore' })
    await until(() => answers(this.url))
  }

  async stop(): Promise<void> {
    const child = this.child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGINT')
    await gone
  }

  /** A standby of this cluster, by cold copy: the packaged binaries have no pg_basebackup. The cluster must be stopped. */
  async standby(root: string, name: string): Promise<PlainPostgres> {
    const directory = join(root, name)
    spawnSync('cp', ['-a', this.directory, directory])
    const address = `host=127.0.0.1 port=${this.port} user=postgres password=${this.password} application_name=${name}`
    appendFileSync(join(directory, 'postgresql.auto.conf'), `primary_conninfo = '${address}'\n`)
    appendFileSync(join(directory, 'standby.signal'), '')
    const place = { directory, port: await freePort(), password: this.password }
    return new PlainPostgres(this.binaries, this.user, place, this.settings)
  }
}

/** A primary whose commits wait until any two of three standbys have flushed them. */
export class AnyTwoOfThree implements Cluster {
  private readonly primary: PlainPostgres
  private readonly standbys: readonly PlainPostgres[]

  private constructor(primary: PlainPostgres, standbys: readonly PlainPostgres[]) {
    this.primary = primary
    this.standbys = standbys
  }

  static async create(
    binaries: PostgresBinaries,
    user: UnprivilegedUser,
    root: string,
    settings: readonly string[],
  ): Promise<AnyTwoOfThree> {
    const primary = await PlainPostgres.create(binaries, user, root, 'sync-primary', settings)
    await primary.stop()
    const standbys: PlainPostgres[] = []
    for (const name of ['a', 'b', 'c']) standbys.push(await primary.standby(root, name))
    const cluster = new AnyTwoOfThree(primary, standbys)
    return await startedOrStopped(cluster, () => cluster.start())
  }

  private async start(): Promise<void> {
    await this.primary.start()
    for (const standby of this.standbys) await standby.start()
    await withClient(this.primary.url, async (client) => {
      await until(async () => (await client.query('select 1 from pg_stat_replication')).rowCount === 3)
      await client.query("alter system set synchronous_standby_names = 'ANY 2 (a,b,c)'")
      await client.query('select pg_reload_conf()')
      await until(
        async () =>
          (await client.query("select 1 from pg_stat_replication where sync_state = 'quorum'")).rowCount === 3,
      )
    })
  }

  get url(): string {
    return this.primary.url
  }

  async stop(): Promise<void> {
    for (const standby of this.standbys) await standby.stop()
    await this.primary.stop()
  }
}

/** What did not start whole must not go on running in part. */
async function startedOrStopped<C extends Cluster>(cluster: C, start: () => Promise<void>): Promise<C> {
  try {
    await start()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return await withClient(url, async (client) => (await client.query('select 1')).rowCount === 1)
  } catch {
    return false
  }
}
