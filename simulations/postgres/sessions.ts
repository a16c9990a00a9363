/**
 * The sessions of a running server: each takes the locks of its keys, reads, writes, makes its commit durable and answers. A
 * session that was ended gets no answer, whatever becomes of its transaction. What is durable when is not decided here.
 */
import type { BufferPage } from './buffer-pool.ts'
import { ConnectionLost } from './errors.ts'
import { MountFailed } from './mount.ts'
import { pageLsn, readSlot, slotOf, writeSlot } from './page.ts'
import type { Server } from './server.ts'
import {
  type ExecutionObserver,
  type KeyResult,
  successorOf,
  type Transaction,
  type TransactionResult,
} from './transaction.ts'
import { type Change, RECORD_BYTES_MAX, RECORD_HEADER_BYTES } from './wal-format.ts'
import type { WalWriter } from './wal-writer.ts'

interface Session {
  readonly transaction: Transaction
  readonly resolve: (result: TransactionResult) => void
  readonly reject: (error: Error) => void
}

export class Sessions {
  readonly #server: Server
  readonly #observer: ExecutionObserver
  readonly #panic: (error: unknown) => Promise<never>
  readonly #bulkWalBytes: () => number
  readonly #open = new Set<Session>()

  /** `bulkWalBytes` says how much WAL a write makes beside its own. */
  constructor(
    server: Server,
    observer: ExecutionObserver,
    panic: (error: unknown) => Promise<never>,
    bulkWalBytes: () => number,
  ) {
    this.#server = server
    this.#observer = observer
    this.#panic = panic
    this.#bulkWalBytes = bulkWalBytes
  }

  /** That have not been answered. */
  get openCount(): number {
    return this.#open.size
  }

  /** `begin` calls its argument once the server takes the request up. */
  execute(transaction: Transaction, begin: (run: () => void) => void): Promise<TransactionResult> {
    return new Promise((resolve, reject) => {
      const session = { transaction, resolve, reject }
      this.#open.add(session)
      begin(() => this.#run(session).catch(this.#panic))
    })
  }

  /** What is committing goes on; nobody hears of it. */
  endAll(reason: string): void {
    const ended = [...this.#open]
    this.#open.clear()
    for (const { reject } of ended) reject(new ConnectionLost(reason))
  }

  async #run(session: Session): Promise<void> {
    const keys = [...new Set(session.transaction.keys)].sort((left, right) => left - right)
    for (const key of keys) await this.#server.locks.acquire(key)
    try {
      const result = await this.#withPages(session, keys)
      if (result !== undefined && this.#open.delete(session)) session.resolve(result)
    } catch (error) {
      if (!(error instanceof MountFailed)) throw error
      this.#open.delete(session)
      session.reject(new ConnectionLost(`a page could not be read: ${error.message}`))
    } finally {
      for (const key of keys) this.#server.locks.release(key)
    }
  }

  async #withPages(session: Session, keys: readonly number[]): Promise<TransactionResult | undefined> {
    const { pool, relations } = this.#server
    const pages = new Map<number, BufferPage>()
    try {
      for (const key of keys) pages.set(key, await pool.pin(relations.placeOf(key)))
      if (!this.#open.has(session)) return undefined
      const { id, isWrite } = session.transaction
      return await (isWrite ? this.#write(pages, id) : read(pages))
    } finally {
      for (const page of pages.values()) pool.unpin(page)
    }
  }

  /** Changes all pages in one step, under one record: all or nothing. The locks hide it until it is durable. */
  async #write(pages: ReadonlyMap<number, BufferPage>, transactionId: number): Promise<TransactionResult> {
    const { wal, pool, background } = this.#server
    const changes = changesOf(pages, transactionId)
    insertBulk(wal, this.#bulkWalBytes())
    const { endLsn } = wal.insert({ kind: 'update', transactionId, changes })
    for (const { key, written } of changes) writeSlot(pages.get(key)!.bytes, slotOf(key), written)
    for (const page of pages.values()) pool.changed(page, endLsn)
    this.#observer.executed(transactionId, changes)
    background.changed()
    await wal.flush(endLsn)
    return changes.map(({ key, parent, written }) => ({ key, read: parent, written }))
  }
}

function insertBulk(wal: WalWriter, bytes: number): void {
  for (let end = wal.insertLsn + bytes; wal.insertLsn < end; )
    wal.insert({ kind: 'bulk', bodyBytes: RECORD_BYTES_MAX - RECORD_HEADER_BYTES })
}

function read(pages: ReadonlyMap<number, BufferPage>): TransactionResult {
  return [...pages].map(
    ([key, { bytes }]): KeyResult => ({ key, read: readSlot(bytes, slotOf(key)), written: undefined }),
  )
}

function changesOf(pages: ReadonlyMap<number, BufferPage>, transactionId: number): readonly Change[] {
  const started = new Set<BufferPage>()
  return [...pages].map(([key, page]) => {
    const parent = readSlot(page.bytes, slotOf(key))
    const startsPage = pageLsn(page.bytes) === 0 && !started.has(page)
    started.add(page)
    return { key, file: page.place.file, startsPage, parent, written: successorOf(parent, key, transactionId) }
  })
}
