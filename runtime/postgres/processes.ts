/**
 * What /proc says about the processes of this host. Only reads, and only files that the kernel answers from its own
 * memory: nothing here opens, stats or resolves a path that a mount of Loch would have to answer (readlink of
 * /proc/<pid>/cwd prints a name, it does not visit it).
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  /** The kernel's short name: at most 15 bytes of the executable's name. */
  readonly name: string
  /** The kernel's letter: R runs, S sleeps, D sleeps and cannot be woken, T is stopped (proc(5)). */
  readonly state: string
  /** Clock ticks between boot and the start of the process; with the pid it names a process unmistakably. */
  readonly startTicks: number
  /** Arguments, as far as the process has not overwritten them (Postgres's children show a title instead). */
  readonly argv: readonly string[]
  /** Working directory by name, '' if not readable. Postgres works in its data directory. */
  readonly workingDirectory: string
}

/** Every process that exists and is not a zombie; `argv` and `workingDirectory` only for those that `detailed` picks. */
export function listProcesses(detailed: (name: string) => boolean): readonly ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readProcess(Number(pid), detailed))
    .filter((entry) => entry !== undefined)
}

/** Start time of a process, or undefined if there is none with this pid. */
export function processStartTicks(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat === undefined ? undefined : parseStat(stat)?.startTicks
}

/** Parses /proc/<pid>/stat (proc(5)); undefined for a zombie, which is dead but for its parent's attention. */
export function parseStat(stat: string): Omit<ProcessEntry, 'argv' | 'workingDirectory'> | undefined {
  // The name stands in parentheses and may itself contain spaces and parentheses.
  const open = stat.indexOf('(')
  const close = stat.lastIndexOf(')')
  const fields = stat.slice(close + 2).split(' ')
  const state = fields[0] ?? ''
  if (open < 0 || close < 0 || state === 'Z' || state === 'X') return undefined
  return {
    pid: Number(stat.slice(0, open).trim()),
    parent: Number(fields[1]),
    name: stat.slice(open + 1, close),
    state,
    startTicks: Number(fields[19]),
  }
}

function readProcess(pid: number, detailed: (name: string) => boolean): ProcessEntry | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const entry = stat === undefined ? undefined : parseStat(stat)
  if (entry === undefined) return undefined
  if (!detailed(entry.name)) return { ...entry, argv: [], workingDirectory: '' }
  const argv = read(`/proc/${pid}/cmdline`)?.split('\0') ?? []
  return { ...entry, argv, workingDirectory: readLink(`/proc/${pid}/cwd`) }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // the process ended between the listing and now
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
