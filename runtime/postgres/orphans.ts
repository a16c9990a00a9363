/**
 * Finds and kills Postgres processes that outlived the Loch that started them, or the mount that they work on. They are
 * recognised by their data directory: postmasters and initdb by the argument after -D, backends (which overwrite their
 * arguments with a title) by their working directory or by being descendants of a match. The mount itself is never
 * touched, so this works on a dead one. Run it before `umount -l`, which takes the mount's path from working directories.
 */
import { listProcesses, type ProcessEntry, processStartTicks } from './processes.ts'

export interface KillReport {
  readonly killed: readonly number[]
  /** Still there after the wait: in uninterruptible sleep on a mount that does not answer. Abort its FUSE connection. */
  readonly stuck: readonly number[]
}

/** Names under which a Postgres of ours can stand in /proc: setpriv until it has become the program. */
const POSTGRES_NAMES: readonly string[] = ['postgres', 'initdb', 'setpriv']

/** A killed process is gone in milliseconds unless it sleeps in the kernel. */
const GONE_WITHIN_MS = 5_000
const POLL_MS = 5
/** A stopped process says so within microseconds of being scheduled; on a loaded machine that can take a while. */
const FROZEN_WITHIN_MS = 1_000
const FREEZE_POLL_MS = 1

/**
 * Kills (SIGKILL) every Postgres process whose data directory is `prefix` or lies below it, and waits until they are
 * gone. Nothing durable is lost by it: what was acknowledged was fsynced.
 */
export async function killPostgresBelow(prefix: string, goneWithinMs = GONE_WITHIN_MS): Promise<KillReport> {
  return killFamily(() => selectBelow(listPostgres(), prefix), goneWithinMs)
}

/** Kills a postmaster and its children, and waits until they are gone. */
export async function killPostgresTree(pid: number, goneWithinMs = GONE_WITHIN_MS): Promise<KillReport> {
  return killFamily(() => withDescendants(listPostgres(), (candidate) => candidate.pid === pid), goneWithinMs)
}

/**
 * The family is stopped before it is killed. A postmaster killed at once could have a fork under way, whose child would
 * then be init's and in no listing of ours, and hold the shared memory that the next start refuses to share; and children
 * that see their postmaster die end by themselves, when they get to it.
 */
async function killFamily(list: () => readonly ProcessEntry[], goneWithinMs: number): Promise<KillReport> {
  const family = await freeze(list)
  const killed = family.filter((entry) => signal(entry, 'SIGKILL'))
  const stuck = await waitUntilGone(killed, goneWithinMs)
  return { killed: killed.map((entry) => entry.pid).filter((pid) => !stuck.includes(pid)), stuck }
}

/** Stops (SIGSTOP) all that `list` finds until it finds nobody who could still have forked since the listing before. */
async function freeze(list: () => readonly ProcessEntry[]): Promise<readonly ProcessEntry[]> {
  const deadline = performance.now() + FROZEN_WITHIN_MS
  const told = new Set<number>()
  let frozen = new Set<number>()
  for (;;) {
    const found = list()
    if (found.every((entry) => frozen.has(entry.pid)) || performance.now() > deadline) return found
    frozen = new Set(found.filter((entry) => told.has(entry.pid) && cannotFork(entry)).map((entry) => entry.pid))
    for (const entry of found) if (!told.has(entry.pid) && signal(entry, 'SIGSTOP')) told.add(entry.pid)
    if (frozen.size < found.length) await new Promise((resolve) => setTimeout(resolve, FREEZE_POLL_MS))
  }
}

/** Stopped, or asleep in the kernel with the signal pending: fork refuses whoever has one pending (copy_process in kernel/fork.c). */
export function cannotFork(entry: ProcessEntry): boolean {
  return entry.state === 'T' || entry.state === 't' || entry.state === 'D'
}

/** Pids still there after the wait. */
async function waitUntilGone(entries: readonly ProcessEntry[], goneWithinMs: number): Promise<readonly number[]> {
  const deadline = performance.now() + goneWithinMs
  for (;;) {
    const left = entries.filter((entry) => processStartTicks(entry.pid) === entry.startTicks)
    if (left.length === 0 || performance.now() > deadline) return left.map((entry) => entry.pid)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** The processes that belong to a data directory at or below `prefix`, descendants included. Pure. */
export function selectBelow(processes: readonly ProcessEntry[], prefix: string): readonly ProcessEntry[] {
  return withDescendants(
    processes,
    (entry) =>
      POSTGRES_NAMES.includes(entry.name) && (isBelow(dataDirectory(entry), prefix) || worksBelow(entry, prefix)),
  )
}

/** The argument after -D, or '' if there is none. */
function dataDirectory(entry: ProcessEntry): string {
  const flag = entry.argv.indexOf('-D')
  return flag < 0 ? '' : (entry.argv[flag + 1] ?? '')
}

function worksBelow(entry: ProcessEntry, prefix: string): boolean {
  return entry.name === 'postgres' && isBelow(entry.workingDirectory, prefix)
}

function isBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`)
}

function withDescendants(
  processes: readonly ProcessEntry[],
  matches: (entry: ProcessEntry) => boolean,
): readonly ProcessEntry[] {
  const found = new Set(processes.filter(matches))
  let before: number
  do {
    before = found.size
    const pids = new Set([...found].map((entry) => entry.pid))
    for (const entry of processes) if (pids.has(entry.parent)) found.add(entry)
  } while (found.size > before)
  return [...found]
}

function listPostgres(): readonly ProcessEntry[] {
  return listProcesses((name) => POSTGRES_NAMES.includes(name))
}

function signal(entry: ProcessEntry, name: 'SIGSTOP' | 'SIGKILL'): boolean {
  // The pid may have passed to another process since the listing.
  if (processStartTicks(entry.pid) !== entry.startTicks) return false
  try {
    return process.kill(entry.pid, name)
  } catch {
    return false // it ended by itself
  }
}
