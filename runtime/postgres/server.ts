/**
 * One running postmaster: starting it, knowing when it serves, stopping it. Nothing here opens, stats or lists anything
 * in the data directory: that is a mount served by this very process, and touching it from here would wait for ourselves.
 * What has to happen in the volume first (dropping postmaster.pid under the new term) is the caller's.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { isMainThread } from 'node:worker_threads'
import { AddressTaken, PostgresFailed } from '../errors.ts'
import type { PostgresBinaries } from './binary-tree.ts'
import { BASE_ENVIRONMENT } from './command.ts'
import { hostMemory } from './host-memory.ts'
import { fatalText, LogLines, saysReady, takenAddress } from './log-lines.ts'
import { type KillReport, killPostgresTree } from './orphans.ts'
import { type HostMemory, type Listen, type SettingsOptions, settingsArguments, settingsFor } from './settings.ts'
import { isAddressTaken, prepareSocketDirectory, socketPath } from './socket-directory.ts'
import { askReadiness } from './startup-packet.ts'
import { asUser, type UnprivilegedUser } from './user.ts'

export interface StartOptions {
  readonly binaries: PostgresBinaries
  readonly user: UnprivilegedUser
  /** The data directory, as the child sees it. Never touched from this process. */
  readonly directory: string
  /** Created and given to the user (0700); its parents must be traversable by the user. */
  readonly socketDirectory: string
  readonly listen: Listen
  readonly settings: Pick<SettingsOptions, 'role' | 'sharedBuffersBytes' | 'overrides'> & { readonly host?: HostMemory }
  readonly onLogLine?: (line: string) => void
  /** Appended to (0600), outside the volume. */
  readonly logFile?: string
  /** How long recovery may take before `ready` gives up and kills the server; 10 minutes by default. */
  readonly readyWithinMs?: number
  /** Aborting kills the server. */
  readonly signal?: AbortSignal
}

export interface PostgresExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The log's own reason (last FATAL or PANIC), if it gave one. */
  readonly reason: string | undefined
}

export interface PostgresProcess {
  /** Pid of the postmaster. */
  readonly pid: number
  readonly directory: string
  readonly socketDirectory: string
  readonly listen: Listen
  /** Resolves when a connection is answered; rejects with AddressTaken or PostgresFailed, the server being gone then. */
  readonly ready: Promise<void>
  /** Never rejects. */
  readonly exited: Promise<PostgresExit>
  /**
   * `fast` ends sessions, checkpoints and exits; `immediate` exits without a checkpoint, as a crash would. What does not
   * end within `graceMs` is stopped by the next harder means, finally by SIGKILL.
   */
  readonly stop: (mode: 'fast' | 'immediate', graceMs?: number) => Promise<PostgresExit>
  /** SIGKILL to the postmaster and its children. Loses nothing that was acknowledged. */
  readonly kill: () => Promise<KillReport>
}

type Child = ChildProcessByStdio<null, null, Readable>

const READY_WITHIN_MS = 600_000
/** A shutdown checkpoint writes all dirty buffers, so it may take a while. */
const STOP_GRACE_MS = 60_000
const IMMEDIATE_GRACE_MS = 5_000
/** Each question costs the server a process, so they become rarer while recovery goes on; its log line ends the wait. */
const ASK_AGAIN_MS = 2
const ASK_AGAIN_MS_MAX = 50
const ASK_AGAIN_GROWTH = 1.2
/** After the postmaster's end its last lines may still be in the pipe, which a straggling backend can hold open. */
const LAST_LINES_WITHIN_MS = 200

/**
 * Starts a postmaster on `directory`. Resolves once it is spawned; wait for `ready` before using it.
 * @throws AddressTaken when a server already listens on the socket; HostUnfit; BadArgument for settings and paths.
 */
export async function startPostgres(options: StartOptions): Promise<PostgresProcess> {
  // The kernel's parent-death signal follows the spawning thread, and a worker's end must not kill the database.
  if (!isMainThread) throw new Error('broken invariant: startPostgres is called from the main thread only')
  const host = options.settings.host ?? hostMemory()
  const settings = settingsFor({ ...options.settings, ...options, host })
  await prepareSocketDirectory(options.socketDirectory, options.listen.port, options.user)
  options.signal?.throwIfAborted()
  const argv = [options.binaries.postgres, '-D', options.directory, ...settingsArguments(settings)]
  const [program, ...rest] = asUser(options.user, argv)
  const child = spawn(program!, rest, {
    cwd: '/',
    env: { ...BASE_ENVIRONMENT, ...options.binaries.environment },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A session of its own: Ctrl-C in a terminal must reach Loch alone, which stops Postgres in order.
    detached: true,
  })
  return supervise(options, child)
}

function supervise(options: StartOptions, child: Child): PostgresProcess {
  const watch = watchLog(options, child)
  const exited = watchExit(child, watch.log)
  const pid = child.pid ?? -1
  // Once it has ended, its pid may be another's.
  const lives = () => pid >= 0 && child.exitCode === null && child.signalCode === null
  const kill = async () => (lives() ? await killPostgresTree(pid) : { killed: [], stuck: [] })
  const ready = waitUntilReady(options, watch, exited, kill)
  // Whoever only waits for `exited` must not be ended by an unhandled rejection.
  ready.catch(() => {})
  const onAbort = () => void kill()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  void exited.then(() => options.signal?.removeEventListener('abort', onAbort))
  const stop: PostgresProcess['stop'] = async (mode, graceMs = STOP_GRACE_MS) => {
    child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    const hard = () => void kill()
    const harder = setTimeout(() => child.kill('SIGQUIT'), graceMs)
    const hardest = setTimeout(hard, graceMs + (mode === 'fast' ? IMMEDIATE_GRACE_MS : 0))
    const exit = await exited
    clearTimeout(harder)
    clearTimeout(hardest)
    return exit
  }
  return {
    pid,
    directory: options.directory,
    socketDirectory: options.socketDirectory,
    listen: options.listen,
    ready,
    exited,
    stop,
    kill,
  }
}

interface LogWatch {
  readonly log: LogLines
  /** The address that Postgres could not bind because somebody holds it. */
  taken: string | undefined
  /** Set by every event that makes asking again worthwhile; ends a pause, or the next one before it begins. */
  woken: boolean
  wake: () => void
}

function watchLog(options: StartOptions, child: Child): LogWatch {
  const file =
    options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a', mode: 0o600 })
  // A full disk under the log must not stop the database.
  file?.on('error', () => {})
  const log = new LogLines((line) => {
    options.onLogLine?.(line)
    if (file?.writable) file.write(`${line}\n`)
    watch.taken ??= takenAddress(line)
    if (saysReady(line) || watch.taken !== undefined) wakeUp(watch)
  })
  const watch: LogWatch = { log, taken: undefined, woken: false, wake: () => {} }
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text))
  child.stderr.on('close', () => {
    log.end()
    file?.end()
  })
  return watch
}

function watchExit(child: Child, log: LogLines): Promise<PostgresExit> {
  return new Promise((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null) => {
      resolve({ code, signal, reason: fatalText(log.tail) })
    }
    child.on('exit', (code, signal) => {
      // Whoever is killed says no last words, and a commit waits for the next start.
      setTimeout(() => finish(code, signal), signal === 'SIGKILL' ? 0 : LAST_LINES_WITHIN_MS).unref()
    })
    child.on('close', finish)
    child.on('error', (error) => {
      log.push(`FATAL:  ${error.message}\n`)
      finish(127, null)
    })
  })
}

async function waitUntilReady(
  options: StartOptions,
  watch: LogWatch,
  exited: Promise<PostgresExit>,
  kill: () => Promise<unknown>,
): Promise<void> {
  const path = socketPath(options.socketDirectory, options.listen.port)
  const deadline = performance.now() + (options.readyWithinMs ?? READY_WITHIN_MS)
  let exit: PostgresExit | undefined
  void exited.then((value) => {
    exit = value
    wakeUp(watch)
  })
  for (let pauseMs = ASK_AGAIN_MS; ; pauseMs = Math.min(pauseMs * ASK_AGAIN_GROWTH, ASK_AGAIN_MS_MAX)) {
    const readiness = await askReadiness(path, 'postgres')
    if (exit !== undefined) throw await explainExit(options, watch, exit)
    // With several addresses Postgres goes on if it got one of them; the client at the other would meet a stranger.
    if (watch.taken !== undefined) {
      await kill()
      throw addressTaken(options, watch.taken)
    }
    if (readiness === 'serving') return
    if (performance.now() > deadline) {
      await kill()
      throw failed(options, 'it did not answer in time', watch, undefined)
    }
    await pause(pauseMs, watch)
  }
}

function wakeUp(watch: LogWatch): void {
  watch.woken = true
  watch.wake()
}

async function pause(ms: number, watch: LogWatch): Promise<void> {
  if (!watch.woken) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      watch.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
  watch.woken = false
}

async function explainExit(options: StartOptions, watch: LogWatch, exit: PostgresExit): Promise<Error> {
  if (watch.taken !== undefined) return addressTaken(options, watch.taken)
  // The line that names the address is of level LOG, which the user may have silenced: try the address ourselves.
  if (exit.reason?.includes('could not create any TCP/IP sockets') && (await isAddressTaken(options.listen))) {
    return addressTaken(options, options.listen.host)
  }
  const end = exit.signal === null ? `ended with code ${exit.code}` : `was ended by ${exit.signal}`
  return failed(options, options.signal?.aborted ? 'its start was cancelled' : `it ${end}`, watch, exit.reason)
}

function addressTaken(options: StartOptions, address: string): AddressTaken {
  const where = address.startsWith('/') ? address : `${address}:${options.listen.port}`
  return new AddressTaken({
    component: 'postgres',
    value: where,
    problem: 'another process listens on this address',
    remedy: `Stop it (ss -ltnp shows who it is), or give this endpoint another address.`,
  })
}

function failed(options: StartOptions, what: string, watch: LogWatch, reason: string | undefined): PostgresFailed {
  return new PostgresFailed({
    component: 'postgres',
    value: options.directory,
    problem:
      reason === undefined
        ? `${what}; its last lines: ${watch.log.tail.slice(-5).join(' | ') || 'none'}`
        : `${what}: ${reason}`,
    remedy: options.logFile === undefined ? 'See the log of this compute.' : `See ${options.logFile}.`,
    cause: watch.log.tail,
  })
}
