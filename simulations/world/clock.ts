/**
 * The clocks of the simulated hosts, each wrong in its own way: off by some time, too fast or too slow, and set anew now and
 * then. A clock belongs to a host and outlives its processes. Nobody but the kernel knows the true time.
 */
import type { Kernel } from '../kernel/kernel.ts'

export interface ClockError {
  /** Ahead of the truth. */
  readonly skewMs: number
  /** Gained per second of the truth, in millionths. */
  readonly driftPpm: number
}

/**
 * Up to which a host's clock may be off in its rate, fast or slow, for a serving lease to be what it promises. It ends no later
 * than LEASE_DURATION_MS + LEASE_ASK_INTERVAL_MS on its holder's clock, and LEASE_MS_MAX on those of the safekeeper that was heard
 * and of the successor: alone, r with 6000 / (1 + r) >= 5500 / (1 - r) would be within it, which is 43,478. Half of the margin is
 * left to timers that fire late (TIMER_LATE_MS_MAX) and to the end of sessions: 6000 / 1.02 - 5500 / 0.98 = 270 ms.
 */
export const DRIFT_PPM_MAX = 20_000

export class HostClock {
  readonly #kernel: Kernel
  /** What it showed at the moment from which the present drift counts. */
  #sinceMs: number
  #shownMs: number
  #driftPpm: number
  /** As in its plan: what it comes back to. */
  readonly #usualPpm: number
  #timerRate = 1
  #jumpedMs = 0

  constructor(kernel: Kernel, { skewMs, driftPpm }: ClockError = { skewMs: 0, driftPpm: 0 }) {
    this.#kernel = kernel
    this.#sinceMs = kernel.nowMs
    this.#shownMs = kernel.nowMs + skewMs
    this.#driftPpm = driftPpm
    this.#usualPpm = driftPpm
  }

  /** By how much timers are faster than the truth: see host-timers.ts. */
  get timerRate(): number {
    return this.#timerRate
  }

  /** As Date.now: whole milliseconds since 1970, and not monotonic. */
  nowMs(): number {
    return Math.floor(this.#uncutMs())
  }

  /** As performance.now: it drifts and never jumps. */
  monotonicMs(): number {
    return this.#uncutMs() - this.#jumpedMs
  }

  /** Somebody sets it, forward or backward. */
  jump(byMs: number): void {
    this.#shownMs += byMs
    this.#jumpedMs += byMs
  }

  /** Its oscillator breaks, or its machine is stolen from: face and timers go at this rate. */
  drift(ppm: number): void {
    this.#driftFrom(ppm)
    this.#timerRate = 1 + ppm / 1e6
  }

  /** It goes as in the beginning; what it is off by stays. */
  steady(): void {
    this.#driftFrom(this.#usualPpm)
    this.#timerRate = 1
  }

  #driftFrom(ppm: number): void {
    this.#shownMs = this.#uncutMs()
    this.#sinceMs = this.#kernel.nowMs
    this.#driftPpm = ppm
  }

  #uncutMs(): number {
    const passedMs = this.#kernel.nowMs - this.#sinceMs
    return this.#shownMs + passedMs + (passedMs * this.#driftPpm) / 1e6
  }
}

/** The clocks of all hosts, by the name of the host's processes. */
export class Clocks {
  readonly #kernel: Kernel
  readonly #errorOf: (name: string) => ClockError
  readonly #clocks = new Map<string, HostClock>()

  constructor(kernel: Kernel, errorOf: (name: string) => ClockError = () => ({ skewMs: 0, driftPpm: 0 })) {
    this.#kernel = kernel
    this.#errorOf = errorOf
  }

  clockOf({ name }: { readonly name: string }): HostClock {
    const known = this.#clocks.get(name)
    if (known !== undefined) return known
    const clock = new HostClock(this.#kernel, this.#errorOf(name))
    this.#clocks.set(name, clock)
    return clock
  }
}
