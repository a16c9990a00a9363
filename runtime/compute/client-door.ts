/**
 * The way of clients to a Postgres: closed when the serving lease has lapsed, since what they would read may be out of date,
 * and opened when it is held again. The postmaster is stopped and lives on, as do all processes that serve no client. It
 * knows no reason for either, and asks Postgres nothing: that would need a client.
 */
import { cannotFork } from '../postgres/orphans.ts'
import { listProcesses, type ProcessEntry } from '../postgres/processes.ts'

/** What a client's backend shows as its title: `postgres: user database 127.0.0.1(5432) idle`, or `[local]`. */
const CLIENT_TITLE = /^postgres: .* (\S+\(\d+\)|\[local\]) /
/** What any child shows, once it knows what it is for. Before that it shows the postmaster's arguments. */
const TITLE = /^postgres: /
/** A signal takes a while to reach its process on a loaded machine, and so does a title to be shown. */
const LOOK_INTERVAL_MS = 10

/** The processes of this host; others in tests. */
export interface Processes {
  readonly list: () => readonly ProcessEntry[]
  readonly signal: (pid: number, name: NodeJS.Signals) => void
}

const REAL: Processes = { list: () => listProcesses((name) => name === 'postgres'), signal }

export class ClientDoor {
  readonly #postmaster: number
  readonly #processes: Processes
  #closing: AbortController | undefined

  constructor(postmaster: number, processes = REAL) {
    this.#postmaster = postmaster
    this.#processes = processes
  }

  /**
   * Ends all client sessions and lets no new ones in. A backend that waits for its commit ends when that does. Those that are
   * connecting at this moment are found by looking again.
   */
  close(): void {
    this.#closing?.abort()
    this.#closing = new AbortController()
    this.#processes.signal(this.#postmaster, 'SIGSTOP')
    const sweep = new Sweep(this.#postmaster, this.#processes)
    if (!sweep.isOver) void lookAgain(sweep, this.#closing.signal)
  }

  open(): void {
    this.#closing?.abort()
    this.#processes.signal(this.#postmaster, 'SIGCONT')
  }
}

async function lookAgain(sweep: Sweep, opened: AbortSignal): Promise<void> {
  while (!sweep.isOver) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS))
    if (opened.aborted) return
    sweep.look()
  }
}

/** The looks at a stopped postmaster's children, until none of them can have escaped. */
class Sweep {
  isOver = false
  readonly #postmaster: number
  readonly #processes: Processes
  readonly #told = new Set<number>()
  #nameless = new Set<number>()
  #couldFork = true

  constructor(postmaster: number, processes: Processes) {
    this.#postmaster = postmaster
    this.#processes = processes
    this.look()
  }

  look(): void {
    const processes = this.#processes.list()
    const children = processes.filter(({ pid, parent }) => parent === this.#postmaster && !this.#told.has(pid))
    const nameless = children.filter((child) => !TITLE.test(titleOf(child))).map(({ pid }) => pid)
    for (const child of children) if (CLIENT_TITLE.test(titleOf(child))) this.#end(child.pid)
    // A backend has no title until its client has said who it is. Nor has a startup process in its first moment, and Postgres
    // ends with that one: so nobody is ended for it who was not seen twice.
    for (const pid of nameless) if (this.#nameless.has(pid)) this.#end(pid)
    this.#nameless = new Set(nameless)
    const postmaster = processes.find(({ pid }) => pid === this.#postmaster)
    // Whom it forked before it stopped may be missing in the listing that shows it stopped.
    this.isOver = postmaster === undefined || (!this.#couldFork && nameless.every((pid) => this.#told.has(pid)))
    this.#couldFork = postmaster === undefined || !cannotFork(postmaster)
  }

  #end(pid: number): void {
    this.#told.add(pid)
    this.#processes.signal(pid, 'SIGTERM')
  }
}

function titleOf({ argv }: ProcessEntry): string {
  return `${argv.join(' ')} `
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}
