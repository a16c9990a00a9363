/**
 * Timers as a port, for code that is neither an actor (its deadlines are data) nor a safekeeper (which has its own): in
 * production Node's, in a simulation the kernel's. Nothing that runs in a simulation may call setTimeout by itself.
 */
export interface Timers {
  /** Calls `fire` once, not before `ms` have passed; returns what cancels it. */
  readonly after: (ms: number, fire: () => void) => () => void
}

export const realTimers: Timers = {
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms)
    return () => clearTimeout(timer)
  },
}

/** Calls `tick` each `ms` until it is cancelled. */
export function every(timers: Timers, ms: number, tick: () => void): () => void {
  let cancel = () => {}
  const arm = () => {
    cancel = timers.after(ms, () => {
      arm()
      tick()
    })
  }
  arm()
  return () => cancel()
}

export function sleep(timers: Timers, ms: number): Promise<void> {
  return new Promise((resolve) => void timers.after(ms, resolve))
}
