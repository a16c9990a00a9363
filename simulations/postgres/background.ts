/**
 * What the server does beside its sessions: now and then it writes some dirty pages or rewrites a relation, and when enough time or WAL has passed
 * it makes a checkpoint. Timers run only while something is dirty, so that an idle server costs nothing.
 */
import type { Kernel, Process } from '../kernel/kernel.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { Life } from './life.ts'
import { MountFailed } from './mount.ts'
import type { RelationMap } from './relation-map.ts'
import type { Rewriter } from './rewriter.ts'
import type { PostgresSettings } from './settings.ts'
import type { WalWriter } from './wal-writer.ts'

export interface BackgroundOptions {
  readonly kernel: Kernel
  readonly process: Process
  readonly life: Life
  readonly name: string
  readonly settings: PostgresSettings
  readonly pool: BufferPool
  readonly wal: WalWriter
  readonly checkpointer: Checkpointer
  readonly rewriter: Rewriter
  readonly relations: RelationMap
  /** What is no failure of a file ends the server. */
  readonly panic: (error: unknown) => Promise<never>
}

export class Background {
  readonly #options: BackgroundOptions
  #writerIsArmed = false
  #checkpointIsArmed = false
  #isCheckpointing = false
  #rewriteIsArmed = false

  constructor(options: BackgroundOptions) {
    this.#options = options
  }

  /** To be called after each change of a page. */
  changed(): void {
    const { settings, wal, checkpointer } = this.#options
    this.#armWriter()
    this.#armCheckpoint()
    this.#armRewrite()
    if (wal.insertLsn - checkpointer.redoLsn > settings.checkpointWalBytes) this.#checkpoint()
  }

  #armWriter(): void {
    if (this.#writerIsArmed) return
    this.#writerIsArmed = true
    const { kernel, name, settings } = this.#options
    const delayMs = kernel.draws.exponential(`${name}.background-writer`, settings.backgroundWriterIntervalMs)
    this.#after(delayMs, () => this.#writeSome())
  }

  #writeSome(): void {
    const { kernel, name, settings, pool } = this.#options
    this.#writerIsArmed = false
    const chosen = pool.dirtyPages.filter(() =>
      kernel.draws.chance(`${name}.background-page`, settings.backgroundWriterShare),
    )
    const written = chosen.reduce((before, page) => before.then(() => pool.writeBack(page)), Promise.resolve())
    this.#follow(written, () => pool.dirtyPages.length > 0 && this.#armWriter())
  }

  /** One at a time. */
  #armRewrite(): void {
    const { kernel, name, settings } = this.#options
    if (this.#rewriteIsArmed || settings.rewriteIntervalMs === 0) return
    this.#rewriteIsArmed = true
    this.#after(kernel.draws.exponential(`${name}.rewrite`, settings.rewriteIntervalMs), () => this.#rewrite())
  }

  #rewrite(): void {
    const { kernel, name, relations, rewriter } = this.#options
    const relation = kernel.draws.between(`${name}.rewrite-relation`, 0, relations.files.length - 1)
    this.#follow(rewriter.rewrite(relation), () => {
      this.#rewriteIsArmed = false
      this.#armWriter()
      this.#armCheckpoint()
    })
  }

  #checkpointDue(): void {
    this.#checkpointIsArmed = false
    this.#checkpoint()
  }

  #checkpoint(): void {
    if (this.#isCheckpointing) return
    this.#isCheckpointing = true
    this.#follow(this.#options.checkpointer.checkpoint(false), () => {
      this.#isCheckpointing = false
      // Changes came while it ran, or it failed: the next one is due in its time.
      if (this.#options.pool.dirtyPages.length > 0) this.#armCheckpoint()
    })
  }

  #armCheckpoint(): void {
    if (this.#checkpointIsArmed) return
    this.#checkpointIsArmed = true
    this.#after(this.#options.settings.checkpointIntervalMs, () => this.#checkpointDue())
  }

  #follow(work: Promise<void>, then: () => void): void {
    work
      .catch((error) => {
        if (!(error instanceof MountFailed)) return this.#options.panic(error)
        return undefined
      })
      .then(then)
  }

  #after(delayMs: number, fire: () => void): void {
    const { kernel, process, life } = this.#options
    kernel.after(process, delayMs, () => life.isOver || fire())
  }
}
