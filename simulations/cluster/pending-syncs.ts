/**
 * Fsyncs of a simulated mount that wait for their answer: what a kernel keeps of open requests, by their number. They are
 * answered from the volume's thread and from its host, as in production.
 */
import type { SyncAnswers } from '../../runtime/compute/fsyncs.ts'

const EIO = 5

export class PendingSyncs implements SyncAnswers {
  readonly #waiting = new Map<number, (errno: number) => void>()
  #last = 0

  /** A number for a new request; `answered` gets 0 or an errno, once. */
  open(answered: (errno: number) => void): number {
    this.#waiting.set(++this.#last, answered)
    return this.#last
  }

  readonly replyEmpty = (low: number): void => this.#answer(low, 0)
  readonly replyError = (low: number, _high: number, errno: number): void => this.#answer(low, errno)

  /** The mount is gone. */
  failAll(): void {
    for (const number of [...this.#waiting.keys()]) this.#answer(number, EIO)
  }

  #answer(number: number, errno: number): void {
    const answered = this.#waiting.get(number)
    this.#waiting.delete(number)
    answered?.(errno)
  }
}
