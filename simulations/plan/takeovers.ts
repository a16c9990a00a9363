/**
 * Contested takeovers: a zone is presumed down although it lives, and its connections are bad just then, so that it goes on for
 * a while beside its successor; meanwhile another zone dies for a moment, between a vote and the election it was for. Faults
 * that are drawn each for itself meet like this in one seed of thousands, and rules of elections break nowhere else.
 */
import { BUS_CLIENTS, type Fault } from '../faults/fault.ts'
import type { Draws } from '../kernel/draws.ts'

const TAKEOVERS_MAX = 5
/** Of the takeovers, in how many the former writer's connections are bad, and in how many another zone dies. */
const HINDERED_SHARE = 0.7
const INTERRUPTED_SHARE = 0.6
const PRESUMED_MS = [1_000, 8_000]
const HINDERED_MS = [200, 6_000]
/** Until a successor has been elected, in most runs. */
const INTERRUPTED_WITHIN_MS = 1_500
const INTERRUPTED_MS = [1, 400]

export function drawTakeovers(draws: Draws, zones: number, fromMs: number, untilMs: number): readonly Fault[] {
  const count = draws.between('plan.takeovers', 1, TAKEOVERS_MAX)
  return Array.from({ length: count }, () => drawTakeover(draws, zones, fromMs, untilMs)).flat()
}

function drawTakeover(draws: Draws, zones: number, fromMs: number, untilMs: number): readonly Fault[] {
  const name = 'plan.takeover'
  const atMs = Math.round(fromMs + draws.uniform(`${name}.at`) * (untilMs - fromMs))
  const zone = draws.between(`${name}.zone`, 0, zones - 1)
  const between = (what: string, [low, high]: readonly number[]) => draws.between(`${name}.${what}`, low!, high!)
  const faults: Fault[] = [{ kind: 'presume-down', atMs, zone, forMs: between('presumed', PRESUMED_MS) }]
  if (draws.chance(`${name}.isHindered`, HINDERED_SHARE)) {
    const client = draws.pick(`${name}.client`, BUS_CLIENTS)
    const forMs = between('hindered', HINDERED_MS)
    const how = draws.pick(`${name}.how`, ['cut', 'isolate', 'slow'] as const)
    faults.push(
      how === 'slow' ? { kind: how, atMs, zone, client, forMs, factor: 100 } : { kind: how, atMs, zone, client, forMs },
    )
  }
  if (draws.chance(`${name}.isInterrupted`, INTERRUPTED_SHARE)) {
    const kind = draws.pick(`${name}.death`, ['kill-zone', 'lose-power'] as const)
    const other = (zone + draws.between(`${name}.other`, 0, zones - 1)) % zones
    const laterMs = between('interrupted', [0, INTERRUPTED_WITHIN_MS])
    faults.push({ kind, atMs: atMs + laterMs, zone: other, forMs: between('death.for', INTERRUPTED_MS) })
  }
  return faults
}
