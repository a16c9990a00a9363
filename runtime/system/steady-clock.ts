/**
 * The time of day for actors, whose deadlines are times of day: it never goes back. Should somebody set the host's clock
 * back, it goes on from where it was, as fast as time passes, until the host's clock is there again; the heartbeats that
 * are due would not be sent, and silence not be noticed, before that. Set forward, it follows: after a host has slept,
 * time has passed, though monotonic clocks stand still then; and what actors do at a deadline that seems long gone is
 * what they do after they were away. So times in facts are never before those of earlier facts of one process, and are
 * right unless the clock was set back. Leases must not use this: it leaps.
 */
export interface HostClocks {
  /** As Date.now: whole milliseconds, and set at will. */
  readonly nowMs: () => number
  /** As performance.now: nobody sets it. */
  readonly monotonicMs: () => number
}

export function steadyClock({ nowMs, monotonicMs }: HostClocks): () => number {
  /** By how much the time of day was ahead of the monotonic clock, at most so far. */
  let aheadMs = Number.NEGATIVE_INFINITY
  return () => {
    const wallMs = nowMs()
    const passedMs = monotonicMs()
    aheadMs = Math.max(aheadMs, wallMs - passedMs)
    // Sums are rounded: where the clock was never set, it is to be exactly the host's.
    return Math.max(wallMs, Math.floor(passedMs + aheadMs))
  }
}
