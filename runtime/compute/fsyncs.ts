/**
 * When an fsync of the mount is answered: once the log is durable up to the file's last change, and sealed first if pages of
 * it are dirty. It runs on the volume's thread and never waits itself: what is not durable yet is left to the sealer or,
 * with its position, in the shared log, where the main thread answers it.
 */
import type { Volume } from '../volume/volume.ts'
import { EIO } from './log-writer.ts'
import type { RingSink } from './ring-sink.ts'
import type { Sealer } from './sealer.ts'
import type { SharedLog } from './shared-log.ts'

/** Answers a request of the kernel that was left open, by its id. */
export interface SyncAnswers {
  readonly replyEmpty: (uniqueLow: number, uniqueHigh: number) => unknown
  readonly replyError: (uniqueLow: number, uniqueHigh: number, errno: number) => unknown
}

export class Fsyncs {
  private readonly volume: Volume
  private readonly sealer: Sealer
  private readonly sink: Pick<RingSink, 'send'>
  private readonly log: SharedLog
  private readonly answers: SyncAnswers
  /** Seals that every fsync waits for, and the position that the last of them led to. */
  private guards = 0
  private guardedPosition = 0

  constructor(volume: Volume, sealer: Sealer, sink: Pick<RingSink, 'send'>, log: SharedLog, answers: SyncAnswers) {
    this.volume = volume
    this.sealer = sealer
    this.sink = sink
    this.log = log
    this.answers = answers
  }

  /** True if the request was or will be answered; false if the caller may answer it at once. */
  sync(low: number, high: number, ino: number): boolean {
    this.sink.send()
    if (this.log.failure !== 0) {
      this.answers.replyError(low, high, this.log.failure)
      return true
    }
    // Of what the log alone makes durable: the last seal may have been written long before it.
    const own = this.volume.lastPosition(ino)
    if (this.volume.isClean(ino) && this.guards === 0)
      return this.awaitDurable(low, high, Math.max(own, this.guardedPosition))
    this.sealer.sync((sealed) => {
      this.sink.send()
      // The guard it waited for has only now said up to where.
      const position = Math.max(own, sealed, this.guardedPosition)
      if (!this.awaitDurable(low, high, position)) this.answers.replyEmpty(low, high)
    })
    return true
  }

  /**
   * From now on no fsync is answered before all that was written until now is durable. A Postgres that starts where another
   * has died finds that one's pages and need not sync what it did not write, yet its checkpoint declares them safe.
   */
  guard(): void {
    this.sink.send()
    const written = this.log.end
    this.guards++
    this.sealer.sync((sealed) => {
      this.guards--
      this.guardedPosition = Math.max(this.guardedPosition, sealed, written)
      this.sink.send()
    })
  }

  /** True if the request was or will be answered elsewhere; false if `position` is durable. */
  private awaitDurable(low: number, high: number, position: number): boolean {
    if (this.log.enqueueSync(low, high, position)) return true
    if (this.log.failure === 0) return false
    this.answers.replyError(low, high, EIO)
    return true
  }
}
