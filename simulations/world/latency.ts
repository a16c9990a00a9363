/**
 * How long something takes: a least time, an exponential spread, and now and then a long tail, all from one draw. Networks
 * and object stores share it. Nothing here knows what is waited for.
 */
import type { Draws } from '../kernel/draws.ts'

export interface Latency {
  readonly minMs: number
  /** Of the spread above the least. */
  readonly meanMs: number
  /** How many of all take `tailMeanMs` instead. */
  readonly tailShare: number
  readonly tailMeanMs: number
}

export function drawLatencyMs(draws: Draws, name: string, { minMs, meanMs, tailShare, tailMeanMs }: Latency): number {
  const drawn = draws.uniform(name)
  // What is left of the draw within its part is uniform again.
  if (drawn < tailShare) return minMs - Math.log(1 - drawn / tailShare) * tailMeanMs
  return minMs - Math.log(1 - (drawn - tailShare) / (1 - tailShare)) * meanMs
}
