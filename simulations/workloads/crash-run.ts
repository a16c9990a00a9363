/**
 * One server over the mount in memory, clients, and crashes at random moments: a run of everything here without the rest of
 * Loch. It finds what is wrong with simulated Postgres or with the ledger themselves, and shows that neither is blind.
 */
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel, NEVER_PAUSED, type Process, WORLD } from '../kernel/kernel.ts'
import { Ledger } from '../oracles/ledger.ts'
import { initializeCluster } from '../postgres/cluster.ts'
import { Corruption } from '../postgres/errors.ts'
import { MemoryMount } from '../postgres/memory-mount.ts'
import { SimPostgres } from '../postgres/postgres.ts'
import { DEFAULT_SETTINGS, type PostgresSettings } from '../postgres/settings.ts'
import { DEFAULT_WORKLOAD, type WorkloadPlan } from './plan.ts'
import { Workload } from './workload.ts'

export interface CrashRunOptions {
  readonly seed: number
  readonly durationMs: number
  readonly faults: readonly Fault[]
  readonly faultMeanMs: number
  readonly fsyncMeanMs: number
  readonly settings: Partial<PostgresSettings>
  readonly plan: Partial<WorkloadPlan>
}

export const FAULTS = ['power', 'kill', 'failed-fsync', 'failed-read', 'fast-stop', 'close-clients'] as const
export type Fault = (typeof FAULTS)[number]
const RESTART_MEAN_MS = 300
const EPOCH_MS = Date.UTC(2026, 0, 1)
/** To answer what is under way and to recover once more. */
const SETTLE_MS = 60_000

export class CrashRun {
  readonly kernel: Kernel
  readonly ledger: Ledger
  readonly mount: MemoryMount
  readonly workload: Workload
  /** How often each fault struck, and how many starts served. */
  readonly counts: Record<string, number> = {}
  readonly #options: CrashRunOptions
  readonly #settings: PostgresSettings
  readonly #plan: WorkloadPlan
  #server: SimPostgres | undefined
  #process: Process = WORLD
  #lives = 0
  #isCorrupt = false
  #isEnding = false

  constructor(options: CrashRunOptions) {
    const plan = { ...DEFAULT_WORKLOAD, ...options.plan }
    this.#plan = plan
    this.#options = options
    this.#settings = { ...DEFAULT_SETTINGS, ...options.settings }
    this.kernel = new Kernel(new SeededDraws(options.seed), EPOCH_MS)
    this.ledger = new Ledger({ nowMs: () => this.kernel.nowMs })
    this.mount = new MemoryMount(this.kernel, options.fsyncMeanMs)
    const connect = () => (this.#server?.isServing ? this.#server : undefined)
    this.workload = new Workload({ kernel: this.kernel, plan, name: 'client', ledger: this.ledger, connect })
  }

  /** Crashes for a while, then lets everything settle and reads every register. */
  async run(): Promise<void> {
    const { durationMs } = this.#options
    const endMs = EPOCH_MS + durationMs
    initializeCluster(this.mount, this.#plan.keys).then(
      () => {
        this.workload.start()
        this.#start()
        this.#faultLater()
      },
      (error) => this.kernel.fail(error),
    )
    await this.kernel.run(endMs, () => this.#isCorrupt)
    this.#isEnding = true
    this.workload.stop()
    this.mount.failingFsyncs = 0
    this.mount.failingReads = 0
    await this.kernel.run(endMs + SETTLE_MS, () => this.#isCorrupt || (this.workload.isQuiet && this.#isServing))
    if (this.#isCorrupt) return
    const audited = this.workload.audit(this.#server!).catch((error) => {
      if (this.ledger.violations.length === 0) throw error
    })
    await Promise.all([audited, this.kernel.run(endMs + 2 * SETTLE_MS)])
  }

  get #isServing(): boolean {
    return this.#server?.isServing ?? false
  }

  #start(): void {
    this.#lives++
    const { kernel, mount, ledger: observer } = this
    const process = { name: `server-${this.#lives}`, isAlive: true, pausedUntilMs: NEVER_PAUSED }
    const server = new SimPostgres({ kernel, process, mount, name: 'server', settings: this.#settings, observer })
    this.#server = server
    this.#process = process
    server.exited.then(({ code, reason }) => {
      this.#count(`exit ${code}`)
      if (reason !== undefined && code !== 137) this.#count(reason.replace(/\d+/g, '#'))
      if (this.#server === server) this.#startLater()
    })
    server.start().then(
      () => this.#count('served'),
      (error) => {
        this.#isCorrupt ||= error instanceof Corruption
      },
    )
  }

  #startLater(): void {
    this.kernel.after(WORLD, this.kernel.draws.exponential('restart', RESTART_MEAN_MS), () => this.#start())
  }

  #faultLater(): void {
    this.kernel.after(WORLD, this.kernel.draws.exponential('fault', this.#options.faultMeanMs), () => {
      if (this.#isEnding) return
      this.#fault()
      this.#faultLater()
    })
  }

  #fault(): void {
    const fault = this.kernel.draws.pick('fault-kind', this.#options.faults)
    this.#count(fault)
    const server = this.#server
    if (fault === 'failed-fsync') this.mount.failingFsyncs = 1
    else if (fault === 'failed-read') this.mount.failingReads = 1
    else if (fault === 'kill') server?.kill()
    else if (fault === 'fast-stop') server?.stop('fast')
    else if (fault === 'power') this.#cutPower()
    else {
      server?.closeClients()
      this.kernel.after(WORLD, RESTART_MEAN_MS, () => server?.openClients())
    }
  }

  #cutPower(): void {
    this.#process.isAlive = false
    this.#server?.kill()
    this.mount.crash()
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }
}
