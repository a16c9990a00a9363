/**
 * Checkpoints, in the order that makes them safe: note where redo would begin, write what is dirty, fsync every file written,
 * make the checkpoint's record durable, then the control file, and only then remove old WAL. When one is due is decided
 * elsewhere.
 */
import type { BufferPool } from './buffer-pool.ts'
import type { Control, ControlFile } from './control.ts'
import { MountFailed, type SimMount } from './mount.ts'
import type { RelationMap } from './relation-map.ts'
import type { Mistake } from './settings.ts'
import { segmentOf } from './wal-format.ts'
import type { WalSegments } from './wal-segments.ts'
import type { WalWriter } from './wal-writer.ts'

export interface CheckpointerOptions {
  readonly mount: SimMount
  readonly pool: BufferPool
  readonly wal: WalWriter
  readonly segments: WalSegments
  readonly controlFile: ControlFile
  readonly control: Control
  readonly relations: RelationMap
  readonly mistakes: readonly Mistake[]
  readonly panic: (error: unknown) => Promise<never>
}

export class Checkpointer {
  readonly #options: CheckpointerOptions
  #control: Control
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: CheckpointerOptions) {
    this.#options = options
    this.#control = options.control
  }

  /** Where redo would begin if the server ended now. */
  get redoLsn(): number {
    return this.#control.redoLsn
  }

  /** One after the other. Rejects with `MountFailed` if a page could not be written: nothing is lost, it is tried again. */
  checkpoint(isShutdown: boolean): Promise<void> {
    const done = this.#last.then(() => this.#checkpoint(isShutdown))
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Says in the control file that there is more than the last checkpoint. */
  async markInProduction(): Promise<void> {
    if (this.#control.isShutDown) await this.#writeControl({ ...this.#control, isShutDown: false })
  }

  async #checkpoint(isShutDown: boolean): Promise<void> {
    const { pool, wal, segments, relations } = this.#options
    const redoLsn = wal.insertLsn
    // As of here: a replacement that comes later is redone, and may yet be lost.
    const files = relations.files
    for (const page of pool.dirtyPages) await pool.writeBack(page)
    await this.#syncFiles()
    const { startLsn, endLsn } = wal.insert({ kind: 'checkpoint', redoLsn })
    await wal.flush(endLsn)
    await this.#writeControl({ isShutDown, files, checkpointLsn: startLsn, redoLsn })
    for (const file of relations.takeDropped(redoLsn)) await pool.unlinkFile(file).catch(ignoreFailedOperation)
    await segments.removeBefore(segmentOf(redoLsn))
  }

  async #syncFiles(): Promise<void> {
    const { mount, pool, mistakes, panic } = this.#options
    const files = pool.takeUnsynced()
    if (mistakes.includes('forget-data-fsync')) return
    for (const ino of files) await mount.fsync(ino).catch(panic)
  }

  async #writeControl(control: Control): Promise<void> {
    await this.#options.controlFile.write(control).catch(this.#options.panic)
    this.#control = control
  }
}

/** An old file that could not be removed stays for ever, as in Postgres. */
function ignoreFailedOperation(error: unknown): void {
  if (!(error instanceof MountFailed)) throw error
}
