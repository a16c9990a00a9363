/**
 * Crash recovery, from the files alone: the control file says where redo begins, and redo goes to the end of the WAL. A page
 * takes a change if it is older than the change's record, and then it must hold exactly what the change replaced. A page that
 * is not there is forgiven if its file is dropped further on. Nothing is served here, and nothing is acknowledged.
 */
import type { BufferPage, BufferPool } from './buffer-pool.ts'
import { CONTROL_PATH, type Control } from './control.ts'
import { Corruption } from './errors.ts'
import type { SimMount } from './mount.ts'
import { blockOfKey, pageLsn, pathOf, readSlot, slotOf, writeSlot } from './page.ts'
import type { RelationMap } from './relation-map.ts'
import type { Change, PageRecord, RelationRecord, UpdateRecord } from './wal-format.ts'
import { type ReadRecord, WalReader } from './wal-reader.ts'
import type { WalSegments } from './wal-segments.ts'
import type { WalEnd } from './wal-writer.ts'

export interface Redone {
  readonly end: WalEnd
  /** Records behind the newest checkpoint. */
  readonly recordsAfterCheckpoint: number
}

export interface RedoOptions {
  readonly mount: SimMount
  readonly segments: WalSegments
  readonly control: Control
  readonly pool: BufferPool
  readonly relations: RelationMap
  readonly isSkipped: boolean
}

/** Makes durable whatever an earlier server wrote and never fsynced, because redo is about to build on it. */
export async function syncAllFiles(mount: SimMount): Promise<void> {
  const paths = [CONTROL_PATH]
  for (const directory of ['pg_wal', 'base/1']) {
    for (const name of await mount.list(directory)) paths.push(`${directory}/${name}`)
  }
  for (const path of paths) {
    const ino = await mount.lookup(path)
    if (ino !== 0) await mount.fsync(ino)
  }
}

export async function redo(options: RedoOptions): Promise<Redone> {
  const { mount, segments, control } = options
  const reader = new WalReader(mount, segments, control.redoLsn)
  const redoer = new Redoer(options.pool, options.relations)
  let sawCheckpoint = false
  let recordsAfterCheckpoint = 0
  for (let read = await reader.next(); read !== undefined; read = await reader.next()) {
    if (sawCheckpoint) recordsAfterCheckpoint++
    sawCheckpoint ||= isCheckpoint(read, control)
    if (!options.isSkipped) await redoer.apply(read)
  }
  if (!sawCheckpoint)
    throw new Corruption(
      `the WAL ends at ${reader.lsn}, without the checkpoint at ${control.checkpointLsn} that the control file names`,
    )
  redoer.finish()
  return { end: await reader.end(), recordsAfterCheckpoint }
}

function isCheckpoint({ record, startLsn }: ReadRecord, control: Control): boolean {
  return startLsn === control.checkpointLsn && record.kind === 'checkpoint' && record.redoLsn === control.redoLsn
}

class Redoer {
  readonly #pool: BufferPool
  readonly #relations: RelationMap
  /** By file, the first complaint about a page that was not there. */
  readonly #missing = new Map<number, Corruption>()

  constructor(pool: BufferPool, relations: RelationMap) {
    this.#pool = pool
    this.#relations = relations
  }

  async apply({ record, endLsn }: ReadRecord): Promise<void> {
    if (record.kind === 'update') await this.#update(record, endLsn)
    else if (record.kind === 'page') await this.#page(record, endLsn)
    else if (record.kind === 'relation') await this.#relation(record, endLsn)
  }

  /** Throws if a page was missing in a file that is still there. */
  finish(): void {
    for (const corruption of this.#missing.values()) throw corruption
  }

  async #update({ transactionId, changes }: UpdateRecord, endLsn: number): Promise<void> {
    const pages = new Map<number, BufferPage>()
    for (const change of changes) pages.set(change.key, await this.#pageFor(change))
    const started = new Set(changes.filter(({ startsPage }) => startsPage).map(({ key }) => pages.get(key)))
    const older = new Set([...pages.values()].filter((page) => pageLsn(page.bytes) < endLsn))
    const empty = new Set([...older].filter((page) => pageLsn(page.bytes) === 0 && !started.has(page)))
    for (const change of changes) {
      const page = pages.get(change.key)!
      if (empty.has(page)) this.#miss(page.place.file, mismatch(change, transactionId, 'an empty page'))
      else if (older.has(page)) replace(page, change, transactionId)
    }
    for (const page of older) if (!empty.has(page)) this.#pool.changed(page, endLsn)
    for (const page of pages.values()) this.#pool.unpin(page)
  }

  async #page({ file, block, slots }: PageRecord, endLsn: number): Promise<void> {
    await this.#pool.makeFile(file)
    const page = await this.#pool.pinEmpty({ file, block })
    for (const [slot, value] of slots.entries()) writeSlot(page.bytes, slot, value)
    this.#pool.changed(page, endLsn)
    this.#pool.unpin(page)
  }

  async #relation({ relation, file, oldFile }: RelationRecord, endLsn: number): Promise<void> {
    this.#missing.delete(oldFile)
    this.#relations.put(relation, file)
    await this.#pool.dropFile(oldFile)
    this.#relations.dropped(oldFile, endLsn)
  }

  #pageFor({ key, file, startsPage }: Change): Promise<BufferPage> {
    const place = { file, block: blockOfKey(key) }
    return startsPage ? this.#pool.pinEmpty(place) : this.#pool.pin(place)
  }

  #miss(file: number, corruption: Corruption): void {
    if (!this.#missing.has(file)) this.#missing.set(file, corruption)
  }
}

function replace(page: BufferPage, change: Change, transactionId: number): void {
  const found = readSlot(page.bytes, slotOf(change.key))
  if (found.hash !== change.parent.hash)
    throw mismatch(change, transactionId, `version ${found.version} by transaction ${found.transactionId}`)
  writeSlot(page.bytes, slotOf(change.key), change.written)
}

function mismatch({ key, file, parent }: Change, transactionId: number, found: string): Corruption {
  return new Corruption(
    `redo of transaction ${transactionId} needs version ${parent.version} of key ${key} ` +
      `on page ${blockOfKey(key)} of ${pathOf(file)}, but finds ${found}`,
  )
}
