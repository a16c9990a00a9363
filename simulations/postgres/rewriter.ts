/**
 * Rewrites a relation into a new file, as VACUUM FULL does: all its rows are locked, its pages copied and logged, and one
 * record puts the new file in the place of the old one, which is truncated at once and unlinked after the next checkpoint.
 * It is what makes data files come and go; it changes no value.
 */
import type { BufferPool } from './buffer-pool.ts'
import type { KeyLocks } from './key-locks.ts'
import { blockOfKey, KEYS_PER_RELATION, readSlots, SLOTS_PER_PAGE, writeSlot } from './page.ts'
import type { RelationMap } from './relation-map.ts'
import type { WalWriter } from './wal-writer.ts'

export interface RewriterOptions {
  readonly pool: BufferPool
  readonly wal: WalWriter
  readonly relations: RelationMap
  readonly locks: KeyLocks
}

export class Rewriter {
  readonly #options: RewriterOptions

  constructor(options: RewriterOptions) {
    this.#options = options
  }

  /** Rejects with `MountFailed` if a page could not be read: the relation stays where it is. */
  async rewrite(relation: number): Promise<void> {
    const { locks } = this.#options
    const keys = Array.from({ length: KEYS_PER_RELATION }, (_, index) => relation * KEYS_PER_RELATION + index)
    for (const key of keys) await locks.acquire(key)
    try {
      await this.#move(relation, keys)
    } finally {
      for (const key of keys) locks.release(key)
    }
  }

  async #move(relation: number, keys: readonly number[]): Promise<void> {
    const { pool, wal, relations } = this.#options
    const oldFile = relations.files[relation]!
    // No WAL names this file yet. It may exist, but without a page, since pages follow their WAL.
    const file = wal.insertLsn
    await pool.makeFile(file)
    for (const key of keys) if (key % SLOTS_PER_PAGE === 0) await this.#copyPage(key, file)
    const { endLsn } = wal.insert({ kind: 'relation', relation, file, oldFile })
    relations.put(relation, file)
    await wal.flush(endLsn)
    await pool.dropFile(oldFile)
    relations.dropped(oldFile, endLsn)
  }

  async #copyPage(key: number, file: number): Promise<void> {
    const { pool, wal, relations } = this.#options
    const old = await pool.pin(relations.placeOf(key))
    const slots = readSlots(old.bytes)
    const block = blockOfKey(key)
    const page = await pool.pinEmpty({ file, block }).finally(() => pool.unpin(old))
    const { endLsn } = wal.insert({ kind: 'page', file, block, slots })
    for (const [slot, value] of slots.entries()) writeSlot(page.bytes, slot, value)
    pool.changed(page, endLsn)
    pool.unpin(page)
  }
}
