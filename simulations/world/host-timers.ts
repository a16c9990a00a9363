/**
 * The timers of one process on a simulated host. They go by the rate of its clock, as those of a real host do, and on a loaded
 * machine they fire late. Messages do not pass here: a process whose timers are late hears them as soon as ever.
 *
 * The error of a clock that stands in a plan is one of its face alone: some 100 millionths are nothing in a timer, and runs that
 * are kept would become others. What befalls the clock in a run reaches the timers.
 */
import type { Timers } from '../../runtime/system/timers.ts'
import type { Kernel, Process } from '../kernel/kernel.ts'
import type { HostClock } from './clock.ts'

/** As in Node, which rounds the moments between which it counts. */
const EARLY_MS_MAX = 1

/** A load under which each timer is late, in the mean by `meanMs`. */
export interface Lateness {
  readonly meanMs: number
  readonly untilMs: number
}

export const PUNCTUAL: Lateness = { meanMs: 0, untilMs: Number.NEGATIVE_INFINITY }

/**
 * A serving lease counts with its lapse being noticed half a second late (MARGIN_MS in predecessors.ts), and with clocks of which
 * one is slow; what lateness may take of that is shared with DRIFT_PPM_MAX. Later ones are another promise than is given.
 */
export const TIMER_LATE_MS_MAX = 200

interface Pending {
  /** On the host's clock, since `armedAtMs`. */
  leftMs: number
  armedAtMs: number
  cancel: () => void
  readonly fire: () => void
}

export class HostTimers implements Timers {
  readonly #kernel: Kernel
  readonly #process: Process
  readonly #lateness: () => Lateness
  readonly #pending = new Set<Pending>()
  #rate: number

  constructor(kernel: Kernel, process: Process, clock: Pick<HostClock, 'timerRate'>, lateness = () => PUNCTUAL) {
    this.#kernel = kernel
    this.#process = process
    this.#lateness = lateness
    this.#rate = clock.timerRate
  }

  readonly after = (ms: number, fire: () => void): (() => void) => {
    const { nowMs } = this.#kernel
    const timer: Pending = { leftMs: this.#inFact(ms), armedAtMs: nowMs, cancel: () => {}, fire }
    this.#pending.add(timer)
    this.#arm(timer)
    return () => {
      this.#pending.delete(timer)
      timer.cancel()
    }
  }

  /** The clock goes at another rate from now on: so do those that are armed already. */
  follow(rate: number): void {
    const { nowMs } = this.#kernel
    for (const timer of this.#pending) {
      timer.leftMs -= (nowMs - timer.armedAtMs) * this.#rate
      timer.armedAtMs = nowMs
      timer.cancel()
    }
    this.#rate = rate
    for (const timer of this.#pending) this.#arm(timer)
  }

  #arm(timer: Pending): void {
    timer.cancel = this.#kernel.after(this.#process, timer.leftMs / this.#rate, () => {
      this.#pending.delete(timer)
      timer.fire()
    })
  }

  /** Nothing is drawn unless there is a load. */
  #inFact(ms: number): number {
    const { meanMs, untilMs } = this.#lateness()
    const { draws, nowMs } = this.#kernel
    if (nowMs >= untilMs) return ms
    const { name } = this.#process
    const lateMs = Math.min(TIMER_LATE_MS_MAX, draws.exponential(`timers.late.${name}`, meanMs))
    return Math.max(0, ms + lateMs - EARLY_MS_MAX * draws.uniform(`timers.early.${name}`))
  }
}
