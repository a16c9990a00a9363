/**
 * One client: it thinks, connects if it has no connection, runs a transaction, and keeps the connection until it breaks. What
 * failed is never repeated, because its outcome is unknown; the next transaction is a new one. A client knows nothing of
 * zones and terms, just whoever answered when it connected.
 */
import { type Kernel, NEVER_PAUSED, type Process } from '../kernel/kernel.ts'
import type { Ledger } from '../oracles/ledger.ts'
import type { Transaction, TransactionResult } from '../postgres/transaction.ts'
import type { WorkloadPlan } from './plan.ts'

/** In a burst, between two transactions. */
const HURRIED_MS = 2

/** What a client needs of a server. */
export interface TransactionServer {
  readonly isServing: boolean
  execute(transaction: Transaction): Promise<TransactionResult>
}

export interface ClientOptions {
  readonly kernel: Kernel
  readonly plan: WorkloadPlan
  /** Also the prefix of its draws. */
  readonly name: string
  readonly ledger: Ledger
  /** Whoever serves at the endpoint's address now. */
  readonly connect: () => TransactionServer | undefined
  readonly nextTransactionId: () => number
}

export class Client {
  readonly #options: ClientOptions
  readonly #process: Process
  #connection: TransactionServer | undefined
  readonly #bornMs: number
  #isStopping = false
  /** The transaction that it waits for. */
  #pending: number | undefined

  constructor(options: ClientOptions) {
    this.#options = options
    this.#bornMs = options.kernel.nowMs
    this.#process = { name: options.name, isAlive: true, pausedUntilMs: NEVER_PAUSED }
  }

  /** Waits for an answer. */
  get isWaiting(): boolean {
    return this.#pending !== undefined
  }

  start(): void {
    this.#after('think', this.#options.plan.thinkMeanMs)
  }

  /** No further transactions. */
  stop(): void {
    this.#isStopping = true
  }

  #after(name: 'think' | 'backoff', meanMs: number): void {
    const { kernel, name: prefix } = this.#options
    const ms = kernel.draws.exponential(`${prefix}.${name}`, meanMs)
    kernel.after(this.#process, name === 'think' && this.#isHurried ? HURRIED_MS : ms, () => this.#next())
  }

  get #isHurried(): boolean {
    const { kernel, plan } = this.#options
    if (plan.burst === undefined) return false
    const sinceMs = kernel.nowMs - this.#bornMs - plan.burst.atMs
    return sinceMs >= 0 && sinceMs < plan.burst.forMs
  }

  #next(): void {
    if (this.#isStopping) return
    if (!this.#connection?.isServing) this.#connection = this.#options.connect()
    if (this.#connection === undefined) this.#after('backoff', this.#options.plan.backoffMeanMs)
    else this.#send(this.#connection)
  }

  #send(connection: TransactionServer): void {
    const { kernel, plan, ledger, name } = this.#options
    const transaction = this.#draw()
    const attempt = ledger.began(name, transaction)
    const lose = () => {
      this.#connection = undefined
      ledger.lost(attempt)
      this.#after('backoff', plan.backoffMeanMs)
    }
    this.#pending = transaction.id
    const cancelTimeout = kernel.after(this.#process, plan.timeoutMs, () => this.#settle(transaction, lose))
    const settle = (conclude: () => void) => {
      cancelTimeout()
      this.#settle(transaction, conclude)
    }
    const acknowledge = (result: TransactionResult) => {
      ledger.acknowledged(attempt, result)
      this.#after('think', plan.thinkMeanMs)
    }
    connection.execute(transaction).then(
      (result) => settle(() => acknowledge(result)),
      () => settle(lose),
    )
  }

  /** An answer that comes after the client has given up says nothing to anybody. */
  #settle(transaction: Transaction, conclude: () => void): void {
    if (this.#pending !== transaction.id) return
    this.#pending = undefined
    conclude()
  }

  #draw(): Transaction {
    const { kernel, plan, name, nextTransactionId } = this.#options
    const { draws } = kernel
    const keys = [draws.between(`${name}.key`, 0, plan.keys - 1)]
    if (plan.keys > 1 && draws.chance(`${name}.is-two-key`, plan.twoKeyShare))
      keys.push((keys[0]! + draws.between(`${name}.second-key`, 1, plan.keys - 1)) % plan.keys)
    return { id: nextTransactionId(), keys, isWrite: draws.chance(`${name}.is-write`, plan.writeShare) }
  }
}
