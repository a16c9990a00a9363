/**
 * All clients of a run. It hands out the numbers of transactions, and can read every register at once when the rest has
 * settled, so that whatever was acknowledged is looked at at least once more.
 */
import type { Kernel } from '../kernel/kernel.ts'
import type { Ledger } from '../oracles/ledger.ts'
import { Client, type TransactionServer } from './client.ts'
import type { WorkloadPlan } from './plan.ts'

export interface WorkloadOptions {
  readonly kernel: Kernel
  readonly plan: WorkloadPlan
  /** Prefix of all draws. */
  readonly name: string
  readonly ledger: Ledger
  readonly connect: () => TransactionServer | undefined
}

export class Workload {
  readonly #options: WorkloadOptions
  readonly #clients: readonly Client[]
  #lastTransactionId = 0

  constructor(options: WorkloadOptions) {
    this.#options = options
    this.#clients = Array.from(
      { length: options.plan.clients },
      (_, index) =>
        new Client({
          ...options,
          plan: index < (options.plan.readers ?? 0) ? { ...options.plan, writeShare: 0 } : options.plan,
          name: `${options.name}-${index + 1}`,
          nextTransactionId: () => ++this.#lastTransactionId,
        }),
    )
  }

  /** No client waits for an answer. */
  get isQuiet(): boolean {
    return this.#clients.every(({ isWaiting }) => !isWaiting)
  }

  start(): void {
    for (const client of this.#clients) client.start()
  }

  stop(): void {
    for (const client of this.#clients) client.stop()
  }

  /** Reads all registers in one transaction. Rejects with `ConnectionLost`. */
  async audit(server: TransactionServer): Promise<void> {
    const { ledger, plan, name } = this.#options
    const keys = Array.from({ length: plan.keys }, (_, key) => key)
    const attempt = ledger.began(`${name}-auditor`, { id: ++this.#lastTransactionId, keys, isWrite: false })
    try {
      ledger.acknowledged(attempt, await server.execute(attempt.transaction))
    } catch (error) {
      ledger.lost(attempt)
      throw error
    }
  }
}
