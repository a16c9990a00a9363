/**
 * SimPostgres: a small transactional store that treats its files exactly as Postgres does with full_page_writes=off, so that
 * what stands below it can be judged by whether it survives. It never looks behind the mount, and trusts nothing but what an
 * fsync has promised. One object is one postmaster's life.
 */
import type { Kernel, Process } from '../kernel/kernel.ts'
import { ConnectionLost, Corruption, PostgresEnded } from './errors.ts'
import type { KeyLocks } from './key-locks.ts'
import { type Exit, Life, LivingMount } from './life.ts'
import { MountFailed, type SimMount } from './mount.ts'
import { openServer, type Server } from './server.ts'
import { Sessions } from './sessions.ts'
import type { PostgresSettings } from './settings.ts'
import type { ExecutionObserver, Transaction, TransactionResult } from './transaction.ts'

export interface SimPostgresOptions {
  readonly kernel: Kernel
  /** Whose death is this server's too. */
  readonly process: Process
  readonly mount: SimMount
  /** Prefix of its draws. */
  readonly name: string
  readonly settings: PostgresSettings
  readonly observer: ExecutionObserver
}

/** Of the writes, how many are large statements. */
const BULK_SHARE = 0.1

const EXIT_OK = 0
const EXIT_FATAL = 1
const EXIT_IMMEDIATE = 2
const EXIT_ABORTED = 134
const EXIT_KILLED = 137

export class SimPostgres {
  readonly #options: SimPostgresOptions
  readonly #life: Life
  #server: Server | undefined
  #sessions: Sessions | undefined
  #admitsClients = true

  constructor(options: SimPostgresOptions) {
    this.#options = options
    this.#life = new Life(options.process)
  }

  /** When the server ended by itself, was stopped or killed. The death of its process does not show here. */
  get exited(): Promise<Exit> {
    return this.#life.exited
  }

  get isServing(): boolean {
    return this.#sessions !== undefined && this.#admitsClients && !this.#life.isOver
  }

  get isOver(): boolean {
    return this.#life.isOver
  }

  /** For whoever wants to know why nothing gets on. */
  inspect(): { readonly sessions: number; readonly lockedRows: KeyLocks['held'] } {
    return { sessions: this.#sessions?.openCount ?? 0, lockedRows: this.#server?.locks.held ?? [] }
  }

  /** Recovers and serves. Rejects with `Corruption`, or with `PostgresEnded` if it ended before it served. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#life.exited.then(({ reason }) => reject(new PostgresEnded(reason ?? 'stopped')))
      this.#recover().then(resolve, (error) => {
        if (error instanceof Corruption) reject(error)
        this.#fail(error)
      })
    })
  }

  /** Rejects with `ConnectionLost`; the transaction may have happened, or may happen yet. */
  execute(transaction: Transaction): Promise<TransactionResult> {
    if (!this.isServing) return Promise.reject(new ConnectionLost('nobody accepts connections'))
    const { kernel, process, settings } = this.#options
    return this.#sessions!.execute(transaction, (run) => {
      kernel.after(process, settings.requestDelayMs, run)
    })
  }

  /** The serving lease has lapsed: all sessions end, and nobody gets in until `openClients`. */
  closeClients(): void {
    this.#admitsClients = false
    this.#sessions?.endAll('terminated by an administrator')
  }

  openClients(): void {
    this.#admitsClients = true
  }

  /** Resolves when it has ended; a fast stop makes a checkpoint first, and never ends if that cannot get on. */
  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    if (this.#life.isOver) return
    this.closeClients()
    if (mode === 'immediate' || this.#server === undefined) return this.#end({ code: EXIT_IMMEDIATE, reason: mode })
    try {
      await this.#server.checkpointer.checkpoint(true)
      this.#end({ code: EXIT_OK })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** SIGKILL. The mount and what was written to it live on. Also for whoever kills the process: the sessions get to know. */
  kill(): void {
    this.#end({ code: EXIT_KILLED, reason: 'killed' })
  }

  async #recover(): Promise<void> {
    const { mount, observer } = this.#options
    const panic = (error: unknown) => this.#panic(error)
    this.#server = await openServer({
      ...this.#options,
      life: this.#life,
      mount: new LivingMount(this.#life, mount),
      panic,
    })
    this.#sessions = new Sessions(this.#server, observer, panic, () => this.#drawBulkWalBytes())
  }

  /** Nothing is drawn where no statement is large. */
  #drawBulkWalBytes(): number {
    const { kernel, name, settings } = this.#options
    const { bulkWalBytes = 0 } = settings
    return bulkWalBytes > 0 && kernel.draws.chance(`${name}.bulk`, BULK_SHARE) ? bulkWalBytes : 0
  }

  /** The server ends here and now: whoever called waits for ever, so nothing after it is acknowledged. */
  #panic(error: unknown): Promise<never> {
    this.#fail(error, EXIT_ABORTED)
    return new Promise(() => {})
  }

  #fail(error: unknown, code = EXIT_FATAL): void {
    if (this.#life.isOver) return
    if (error instanceof Corruption) this.#options.observer.corrupted(error)
    else if (!(error instanceof MountFailed)) this.#options.kernel.fail(error)
    this.#end({ code, reason: error instanceof Error ? error.message : String(error) })
  }

  #end(exit: Exit): void {
    this.#life.end(exit)
    this.#sessions?.endAll(`the server ended: ${exit.reason ?? 'stopped'}`)
  }
}
