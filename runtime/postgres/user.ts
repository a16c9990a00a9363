/**
 * The unprivileged user that Postgres runs as, and the prefix that turns a command of root into a command of that user.
 * Postgres refuses to run as root; Loch has to be root for /dev/fuse. Nothing here creates users: Loch leaves no trace
 * in /etc.
 */
import { readFileSync } from 'node:fs'
import { HostUnfit } from '../errors.ts'
import { findProgram } from './command.ts'

export interface UnprivilegedUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** In order of preference. initdb looks its user up by uid and fails without an entry in /etc/passwd. */
const USER_NAMES = ['postgres', 'nobody'] as const

/**
 * The user for Postgres on this host.
 * @throws HostUnfit when Loch is not root, setpriv is missing, or neither `postgres` nor `nobody` exists.
 */
export function unprivilegedUser(): UnprivilegedUser {
  if (process.geteuid?.() !== 0) {
    throw new HostUnfit({
      component: 'postgres user',
      value: `uid ${process.geteuid?.() ?? 'unknown'}`,
      problem: 'Loch is not running as root, so it can neither mount a volume nor start Postgres as another user',
      remedy: 'Run loch as root, for example with sudo.',
    })
  }
  setprivPath()
  const user = chooseUser(readFileSync('/etc/passwd', 'utf8'))
  if (user !== undefined) return user
  throw new HostUnfit({
    component: 'postgres user',
    value: USER_NAMES.join(', '),
    problem: 'none of these users has an entry in /etc/passwd, and Postgres refuses to run as root',
    remedy: 'Create one: useradd --system --no-create-home postgres.',
  })
}

/** Picks the preferred user out of the text of /etc/passwd; an entry with uid 0 is not unprivileged and is skipped. */
export function chooseUser(passwd: string): UnprivilegedUser | undefined {
  const entries = passwd.split('\n').map((line) => line.split(':'))
  for (const name of USER_NAMES) {
    const entry = entries.find((fields) => fields[0] === name && /^[1-9]\d*$/.test(fields[2] ?? ''))
    if (entry !== undefined && /^\d+$/.test(entry[3] ?? ''))
      return { name, uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  return undefined
}

/**
 * The command that runs `argv` as `user`. setpriv replaces itself by the program, so the child's pid is the program's.
 *
 * `--pdeathsig KILL`: when Loch is killed, the kernel kills Postgres; a postmaster without its volume would hold the
 * port and serve errors. The kernel delivers it when the *thread* that spawned the child ends, so children are spawned
 * from the main thread only. `--no-new-privs`: no setuid program can give a backend root again.
 * @throws HostUnfit when setpriv is missing.
 */
export function asUser(user: UnprivilegedUser, argv: readonly string[]): readonly string[] {
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
  return [setprivPath(), ...identity, '--pdeathsig', 'KILL', '--no-new-privs', '--', ...argv]
}

function setprivPath(): string {
  const path = findProgram('setpriv')
  if (path !== undefined) return path
  throw new HostUnfit({
    component: 'postgres user',
    value: 'setpriv',
    problem: 'the program that starts Postgres as an unprivileged user is not installed',
    remedy: 'Install util-linux (apt-get install util-linux).',
  })
}
