/**
 * Mutual exclusion between processes of one host: the kernel's advisory lock on a file, held by a `flock` child since
 * Node cannot take one itself. The lock ends with its holder, however the holder ends, so there is no stale lock to
 * break. Not for the data path: one lock costs a few milliseconds.
 */
import { spawn } from 'node:child_process'
import { HostUnfit } from '../errors.ts'
import { BASE_ENVIRONMENT, findProgram } from './command.ts'

/** Work under the lock takes at most a second or two (a copy of the binaries); a holder beyond this is stuck. */
const WAIT_SECONDS_MAX = 60

/**
 * Runs `work` while this process alone holds the lock on `path` (created if absent).
 * @throws HostUnfit when flock is missing or the lock is not to be had.
 */
export async function withHostLock<A>(path: string, work: () => Promise<A>): Promise<A> {
  const release = await acquire(path)
  try {
    return await work()
  } finally {
    release()
  }
}

function acquire(path: string): Promise<() => void> {
  const flock = findProgram('flock')
  if (flock === undefined) return Promise.reject(unfit(path, 'the program flock is not installed'))
  // The holder says "held" and then waits for the end of its input: ours to close, the kernel's if we die.
  const holder = ['--wait', String(WAIT_SECONDS_MAX), path, 'sh', '-c', 'echo held; exec cat >/dev/null']
  return new Promise((resolve, reject) => {
    const child = spawn(flock, holder, { cwd: '/', env: BASE_ENVIRONMENT, stdio: ['pipe', 'pipe', 'ignore'] })
    child.stdin.on('error', () => {})
    child.stdout.once('data', () => resolve(() => child.stdin.end()))
    child.once('error', (error) => reject(unfit(path, `flock could not be started: ${error.message}`)))
    child.once('exit', (code) => reject(unfit(path, `flock ended with code ${code} before it held the lock`)))
  })
}

function unfit(path: string, problem: string): HostUnfit {
  return new HostUnfit({
    component: 'postgres binaries',
    value: path,
    problem,
    remedy: 'Install util-linux, check that the directory is writable, and that no other loch process hangs.',
  })
}
