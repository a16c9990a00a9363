/**
 * Creates a database cluster, once in the life of a project. What initdb writes into the directory stays in the branch
 * for ever, so it holds only what cannot be changed later (encoding, checksums, segment size) and who may connect; the
 * settings of Loch are given at each start (`settings.ts`). The directory is reached by children alone: it may be a
 * mount that this process serves.
 */
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BadArgument, PostgresFailed } from '../errors.ts'
import type { PostgresBinaries } from './binary-tree.ts'
import { type CommandResult, runCommand } from './command.ts'
import { asUser, type UnprivilegedUser } from './user.ts'

export interface ClusterOptions {
  readonly binaries: PostgresBinaries
  readonly user: UnprivilegedUser
  /** Empty and owned by the user, or absent in a directory that the user may write. */
  readonly directory: string
  readonly superuser: string
  readonly password: string
  readonly signal?: AbortSignal
}

/**
 * Who may connect how. The socket directory admits only the server's user and root, so local connections are trusted;
 * everybody else needs the password, from anywhere: which addresses are reachable is decided by the listen address.
 */
const HOST_BASED_AUTHENTICATION = `# Written by Loch when the project was created; yours to change.
# TYPE  DATABASE        USER    ADDRESS         METHOD
local   all             all                     trust
local   replication     all                     trust
host    all             all     0.0.0.0/0       scram-sha-256
host    all             all     ::/0            scram-sha-256
host    replication     all     0.0.0.0/0       scram-sha-256
host    replication     all     ::/0            scram-sha-256
`

/**
 * Runs initdb. Nothing is synced: a volume makes the files durable as a whole afterwards, and until then there is no
 * project.
 * @throws BadArgument for a password that cannot stand in a line; PostgresFailed with what initdb said. What it had written by then is left to the owner of the directory.
 */
export async function initializeCluster(options: ClusterOptions): Promise<void> {
  if (options.password === '' || /[\0\r\n]/.test(options.password)) {
    throw new BadArgument({
      component: 'initdb',
      value: 'password',
      problem: 'the password is empty or contains a line break',
      remedy: 'Give a password of one line.',
    })
  }
  await withPasswordFile(options, (passwordFile) => runInitdb(options, passwordFile))
  // Written by a child: to the parent the directory may be its own mount.
  const target = join(options.directory, 'pg_hba.conf')
  const result = await runCommand(asUser(options.user, ['/bin/sh', '-c', 'cat > "$1"', 'sh', target]), {
    stdin: HOST_BASED_AUTHENTICATION,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  if (result.code !== 0) throw failed(options, 'pg_hba.conf could not be written', result)
}

async function runInitdb(options: ClusterOptions, passwordFile: string): Promise<void> {
  const argv = [
    options.binaries.initdb,
    '-D',
    options.directory,
    `--username=${options.superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth-local=trust',
    '--auth-host=scram-sha-256',
    '--encoding=UTF8',
    // The builtin provider needs no locale data of the host, so a branch sorts alike wherever its compute runs.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--wal-segsize=16',
    '--no-sync',
    '--no-instructions',
  ]
  const result = await runCommand(asUser(options.user, argv), {
    environment: options.binaries.environment,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  if (result.code !== 0) throw failed(options, 'initdb did not succeed', result)
}

/** initdb takes the password from a file only. It lies in memory where there is /dev/shm, readable by the user alone. */
async function withPasswordFile(options: ClusterOptions, use: (path: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'loch-initdb-'))
  try {
    const path = join(directory, 'password')
    writeFileSync(path, `${options.password}\n`, { mode: 0o600 })
    chownSync(path, options.user.uid, options.user.gid)
    chownSync(directory, options.user.uid, options.user.gid)
    await use(path)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function failed(options: ClusterOptions, problem: string, result: CommandResult): PostgresFailed {
  // The last lines say why; initdb ends with what it removed.
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-6).join(' | ')
  return new PostgresFailed({
    component: 'initdb',
    value: options.directory,
    problem: `${problem}: ${said || `code ${result.code}, signal ${result.signal}`}`,
    remedy: `The directory must be empty and writable for ${options.user.name}, with space for 60 MB.`,
    cause: result,
  })
}
