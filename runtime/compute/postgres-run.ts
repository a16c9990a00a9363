/**
 * Postgres on a mounted volume: creating the cluster, starting, following the password. It knows nothing of terms or logs.
 * The volume is reached by children only, since this process serves it.
 */
import { join } from 'node:path'
import { DATABASE, SUPERUSER } from '../control/banner.ts'
import { PostgresFailed } from '../errors.ts'
import { initializeCluster } from '../postgres/cluster.ts'
import { runCommand } from '../postgres/command.ts'
import { ensurePassword } from '../postgres/credentials.ts'
import { type PostgresProcess, startPostgres } from '../postgres/server.ts'
import { query } from '../postgres/sql.ts'
import type { BodyEnvironment } from './environment.ts'

/** Makes a cluster in an empty volume, or in one where an earlier attempt was cut off. */
export async function createCluster(
  environment: BodyEnvironment,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const { user, binaries } = environment
  const script = 'find "$1" -mindepth 1 -delete && chown "$2" "$1" && chmod 700 "$1"'
  const cleared = await runCommand(['/bin/sh', '-c', script, 'sh', directory, `${user.uid}:${user.gid}`], { signal })
  if (cleared.code !== 0) {
    throw new PostgresFailed({
      component: 'initdb',
      value: directory,
      problem: `the volume could not be emptied: ${cleared.stderr.trim()}`,
      remedy: 'See the log of this zone.',
    })
  }
  const password = ensurePassword(environment.passwordFile)
  await initializeCluster({ binaries, user, directory, superuser: SUPERUSER, password, signal })
}

/**
 * Starts Postgres; resolves once it is spawned. Nothing of an earlier one runs on this mount any more. `isWarm`: the pages
 * that redo needs are in the local cache, so asking for them ahead would only read each of them twice.
 */
export function launchPostgres(
  environment: BodyEnvironment,
  directory: string,
  isWarm: boolean,
): Promise<PostgresProcess> {
  return startPostgres({
    binaries: environment.binaries,
    user: environment.user,
    directory,
    socketDirectory: join(environment.runDirectory, 'socket'),
    listen: environment.listen,
    settings: isWarm ? { role: 'primary', overrides: { recovery_prefetch: 'off' } } : { role: 'primary' },
    logFile: environment.postgresLog,
  })
}

/** The database follows the password file: it may have been lost and made anew, with the rest of this host's disk. */
export async function followPassword(environment: BodyEnvironment, server: PostgresProcess): Promise<void> {
  const password = ensurePassword(environment.passwordFile)
  const { host, port } = environment.listen
  const login = { port, user: SUPERUSER, database: DATABASE }
  const address = host === '*' || host === '0.0.0.0' || host === '' ? '127.0.0.1' : host === '::' ? '::1' : host
  try {
    await query({ ...login, host: address, password }, '')
  } catch {
    const literal = `'${password.replaceAll("'", "''")}'`
    await query({ ...login, host: server.socketDirectory }, `alter role ${SUPERUSER} password ${literal}`)
  }
}
