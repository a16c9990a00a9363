/**
 * Crash recovery, from the files alone: the control file says where redo begins, and redo goes to the end of the WAL. A page
 * takes a change if it is older than the change's record, and then it must hold exactly what the change replaced. Nothing is
 * served here, and nothing is acknowledged.
 */
import type { BufferPage, BufferPool } from './buffer-pool.ts'
import type { Control } from './control.ts'
import { CONTROL_PATH } from './control.ts'
import { Corruption } from './errors.ts'
import type { SimMount } from './mount.ts'
import { filesFor, pageLsn, pathOf, placeOf, readSlot, slotOf, writeSlot } from './page.ts'
import type { Change, WalRecord } from './wal-format.ts'
import { type ReadRecord, WalReader } from './wal-reader.ts'
import type { WalSegments } from './wal-segments.ts'
import type { WalEnd } from './wal-writer.ts'

export interface Redone {
  readonly end: WalEnd
  /** Records behind the newest checkpoint. */
  readonly recordsAfterCheckpoint: number
}

/** Makes durable whatever an earlier server wrote and never fsynced, because redo is about to build on it. */
export async function syncAllFiles(mount: SimMount, keys: number): Promise<void> {
  const wal = (await mount.list('pg_wal')).map((name) => `pg_wal/${name}`)
  for (const path of [...wal, ...filesFor(keys).map(pathOf), CONTROL_PATH]) {
    const ino = await mount.lookup(path)
    if (ino !== 0) await mount.fsync(ino)
  }
}

export async function redo(
  mount: SimMount,
  segments: WalSegments,
  control: Control,
  pool: BufferPool,
  isSkipped: boolean,
): Promise<Redone> {
  const reader = new WalReader(mount, segments, control.redoLsn)
  let sawCheckpoint = false
  let recordsAfterCheckpoint = 0
  for (let read = await reader.next(); read !== undefined; read = await reader.next()) {
    if (sawCheckpoint) recordsAfterCheckpoint++
    sawCheckpoint ||= isCheckpoint(read, control)
    if (read.record.kind === 'update' && !isSkipped) await apply(pool, read.record, read.endLsn)
  }
  if (!sawCheckpoint)
    throw new Corruption(
      `the WAL ends at ${reader.lsn}, without the checkpoint at ${control.checkpointLsn} that the control file names`,
    )
  return { end: await reader.end(), recordsAfterCheckpoint }
}

function isCheckpoint({ record, startLsn }: ReadRecord, control: Control): boolean {
  return startLsn === control.checkpointLsn && record.kind === 'checkpoint' && record.redoLsn === control.redoLsn
}

async function apply(pool: BufferPool, record: WalRecord & { kind: 'update' }, endLsn: number): Promise<void> {
  const pages = new Map<number, BufferPage>()
  for (const change of record.changes) pages.set(change.key, await pageFor(pool, change))
  const started = new Set(record.changes.filter(({ startsPage }) => startsPage).map(({ key }) => pages.get(key)))
  const older = new Set([...pages.values()].filter((page) => pageLsn(page.bytes) < endLsn))
  for (const change of record.changes) {
    const page = pages.get(change.key)!
    if (!older.has(page)) continue
    if (pageLsn(page.bytes) === 0 && !started.has(page)) throw mismatch(change, record.transactionId, 'an empty page')
    replace(page, change, record.transactionId)
  }
  for (const page of older) pool.changed(page, endLsn)
  for (const page of pages.values()) pool.unpin(page)
}

function pageFor(pool: BufferPool, change: Change): Promise<BufferPage> {
  const place = placeOf(change.key)
  return change.startsPage ? pool.pinEmpty(place) : pool.pin(place)
}

function replace(page: BufferPage, change: Change, transactionId: number): void {
  const found = readSlot(page.bytes, slotOf(change.key))
  if (found.hash !== change.parent.hash)
    throw mismatch(change, transactionId, `version ${found.version} by transaction ${found.transactionId}`)
  writeSlot(page.bytes, slotOf(change.key), change.written)
}

function mismatch({ key, parent }: Change, transactionId: number, found: string): Corruption {
  const { file, block } = placeOf(key)
  return new Corruption(
    `redo of transaction ${transactionId} needs version ${parent.version} of key ${key} ` +
      `on page ${block} of ${pathOf(file)}, but finds ${found}`,
  )
}
