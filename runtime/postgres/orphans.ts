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

/**
 * Kills (SIGKILL) every Postgres process whose data directory is `prefix` or lies below it, and waits until they are
 * gone. Nothing durable is lost by it: what was acknowledged was fsynced.
 */
export async function killPostgresBelow(prefix: string, goneWithinMs = GONE_WITHIN_MS): Promise<KillReport> {
  return killUntilGone(() => selectBelow(listPostgres(), prefix), goneWithinMs)
}

/** Kills a postmaster and its children, and waits until they are gone. */
export async function killPostgresTree(pid: number, goneWithinMs = GONE_WITHIN_MS): Promise<KillReport> {
  const family = new Map<number, ProcessEntry>()
  return killUntilGone(() => {
    // Once the postmaster is dead its children belong to init, so members found earlier are remembered.
    const processes = listPostgres()
    for (const entry of withDescendants(processes, (candidate) => candidate.pid === pid)) family.set(entry.pid, entry)
    return [...family.values()].filter((entry) => processStartTicks(entry.pid) === entry.startTicks)
  }, goneWithinMs)
}

async function killUntilGone(find: () => readonly ProcessEntry[], goneWithinMs: number): Promise<KillReport> {
  const killed = new Set<number>()
  const deadline = performance.now() + goneWithinMs
  for (;;) {
    const found = find()
    if (found.length === 0 || performance.now() > deadline) {
      const stuck = found.map((entry) => entry.pid)
      return { killed: [...killed].filter((pid) => !stuck.includes(pid)), stuck }
    }
    for (const entry of found) if (kill(entry)) killed.add(entry.pid)
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
  // Parents first: a dead postmaster forks no more children.
  return [...found]
}

function listPostgres(): readonly ProcessEntry[] {
  return listProcesses((name) => POSTGRES_NAMES.includes(name))
}

function kill(entry: ProcessEntry): boolean {
  // The pid may have passed to another process since the listing.
  if (processStartTicks(entry.pid) !== entry.startTicks) return false
  try {
    return process.kill(entry.pid, 'SIGKILL')
  } catch {
    return false // it ended by itself
  }
}
