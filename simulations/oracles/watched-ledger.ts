/**
 * A ledger that also tells what it is told, for whoever looks on. It judges as the ledger does, which it is; nothing may be
 * decided here.
 */
import type { ExecutedWrite, Transaction, TransactionResult } from '../postgres/transaction.ts'
import { type Attempt, Ledger, type LedgerOptions } from './ledger.ts'

export type LedgerWatch = (kind: 'sent' | 'acknowledged' | 'lost' | 'executed', who: string, text: string) => void

export class WatchedLedger extends Ledger {
  readonly #tell: LedgerWatch

  constructor(options: LedgerOptions, tell: LedgerWatch) {
    super(options)
    this.#tell = tell
  }

  override began(client: string, transaction: Transaction): Attempt {
    this.#tell('sent', client, inShort(transaction))
    return super.began(client, transaction)
  }

  override acknowledged(attempt: Attempt, results: TransactionResult): void {
    const values = results.map(({ key, read, written }) => `${key}=${(written ?? read).version}`)
    this.#tell('acknowledged', attempt.client, `${inShort(attempt.transaction)}: ${values.join(' ')}`)
    super.acknowledged(attempt, results)
  }

  override lost(attempt: Attempt): void {
    this.#tell('lost', attempt.client, inShort(attempt.transaction))
    super.lost(attempt)
  }

  override executed(transactionId: number, writes: readonly ExecutedWrite[]): void {
    const values = writes.map(({ key, written }) => `${key}=${written.version}/${written.hash.toString(16)}`)
    this.#tell('executed', 'server', `${transactionId}: ${values.join(' ')}`)
    super.executed(transactionId, writes)
  }
}

function inShort({ id, keys, isWrite }: Transaction): string {
  return `transaction ${id} ${isWrite ? 'writes' : 'reads'} ${keys.length > 4 ? `${keys.length} keys` : keys.join(', ')}`
}
