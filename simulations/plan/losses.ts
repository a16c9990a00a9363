/**
 * What the design does not promise to survive, for the runs beyond it: a majority of the zones is gone for good, or the store, or
 * objects have rotted there. Service may end with it. What is answered before, meanwhile and afterwards must be right.
 */
import { majorityOf } from '../../actors/quorum.ts'
import type { Fault } from '../faults/fault.ts'
import type { Draws } from '../kernel/draws.ts'

const FOR_GOOD_MS = 3_600_000
const ROTTEN_MAX = 4
/** Between the first zone that is lost and the last. */
const ZONES_LOST_WITHIN_MS = 5_000
const NAME = 'plan.loss'

export function drawLosses(draws: Draws, zones: number, fromMs: number, untilMs: number): readonly Fault[] {
  const at = (what: string) => Math.round(fromMs + draws.uniform(`${NAME}.${what}.at`) * (untilMs - fromMs))
  switch (draws.pick(`${NAME}.of`, ['zones', 'store', 'objects', 'objects'] as const)) {
    case 'zones':
      return lostZones(draws, zones, at('zones'))
    case 'store':
      return [{ kind: 'store-outage', atMs: at('store'), forMs: FOR_GOOD_MS }]
    case 'objects': {
      const count = draws.between(`${NAME}.objects`, 1, ROTTEN_MAX)
      return Array.from({ length: count }, () => ({ kind: 'rot-object', atMs: at('object') }))
    }
  }
}

function lostZones(draws: Draws, zones: number, fromMs: number): readonly Fault[] {
  const first = draws.between(`${NAME}.first`, 0, zones - 1)
  const kind = draws.pick(`${NAME}.how`, ['kill-zone', 'lose-power', 'stop-zone'] as const)
  return Array.from({ length: majorityOf(zones) }, (_, at) => {
    const atMs = fromMs + draws.between(`${NAME}.zone.at`, 0, ZONES_LOST_WITHIN_MS)
    return { kind, atMs, zone: (first + at) % zones, forMs: FOR_GOOD_MS }
  })
}
