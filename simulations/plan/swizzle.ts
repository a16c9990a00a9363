/**
 * Swizzled connections, after FoundationDB's "swizzle-clogging" (Zhou et al., SIGMOD 2021, section 4): some connections are held
 * one after the other, and go on one after the other in another order, so that what each side learns of the others comes in
 * orders that no single partition makes. It finds more than partitions drawn each for itself, and nobody quite says why.
 */
import { BUS_CLIENTS, type Fault } from '../faults/fault.ts'
import type { Draws } from '../kernel/draws.ts'

const SWIZZLES_MAX = 3
/** Between one that is held and the next, and between one that goes on and the next. */
const STEP_MEAN_MS = 300
const HELD_MS = [200, 6_000]
/** Of all connections, how many. */
const HELD_SHARES = [0.3, 0.6, 1]

const NAME = 'plan.swizzle'

export function drawSwizzles(draws: Draws, zones: number, fromMs: number, untilMs: number): readonly Fault[] {
  const count = draws.between(`${NAME}.count`, 1, SWIZZLES_MAX)
  return Array.from({ length: count }, () => {
    const atMs = fromMs + draws.uniform(`${NAME}.at`) * (untilMs - fromMs)
    return drawSwizzle(draws, zones, atMs)
  }).flat()
}

function drawSwizzle(draws: Draws, zones: number, fromMs: number): readonly Fault[] {
  const share = draws.pick(`${NAME}.share`, HELD_SHARES)
  const all = Array.from({ length: zones }, (_, zone) => BUS_CLIENTS.map((client) => ({ zone, client }))).flat()
  // The name of a whole zone holds the others with it.
  const held = all.filter(({ client }) => client !== '' && draws.chance(`${NAME}.isHeld`, share))
  const begins = momentsFrom(draws, fromMs, held.length)
  const ends = momentsFrom(
    draws,
    begins.at(-1) ?? fromMs,
    held.length,
    draws.between(`${NAME}.held`, HELD_MS[0]!, HELD_MS[1]!),
  )
  const order = shuffled(draws, ends)
  return held.map((which, at) => {
    const atMs = Math.round(begins[at]!)
    return { kind: 'isolate', ...which, atMs, forMs: Math.round(order[at]! - atMs) }
  })
}

function momentsFrom(draws: Draws, fromMs: number, count: number, firstAfterMs = 0): number[] {
  let atMs = fromMs + firstAfterMs
  return Array.from({ length: count }, () => {
    atMs += draws.exponential(`${NAME}.step`, STEP_MEAN_MS)
    return atMs
  })
}

function shuffled(draws: Draws, values: readonly number[]): number[] {
  return values
    .map((value) => ({ value, rank: draws.uniform(`${NAME}.order`) }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ value }) => value)
}
