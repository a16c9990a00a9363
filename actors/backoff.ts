/**
 * How long to wait before trying again. Deterministic, since actors draw no random numbers: what keeps rivals apart is
 * that the journal's next slot has one winner, not that they wait for different times.
 */
export const BACKOFF_FIRST_MS = 100
/** Long enough to spare a store that is down, short enough that nobody notices once it is back. */
export const BACKOFF_MAX_MS = 5_000

/** Wait before attempt `failures` + 1; doubles from the first failure on. */
export function backoffMs(failures: number): number {
  return Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(Math.max(failures - 1, 0), 16), BACKOFF_MAX_MS)
}
