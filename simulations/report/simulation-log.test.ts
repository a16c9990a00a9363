/** The run log of a simulation: that it can be looked into as those of production can, and that writing it changes nothing. */
import { crc32 } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { memorySource } from '../../runtime/replay/byte-source.ts'
import { Cursor } from '../../runtime/replay/cursor.ts'
import { RunLog } from '../../runtime/replay/open-log.ts'
import { reExecute } from '../../runtime/replay/re-execute.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { type Outcome, runPlan } from '../run/run.ts'
import { SimulationLog } from './simulation-log.ts'

useChecksum((bytes, before) => crc32(bytes, before))

/** Clocks that are wrong, a failover, and a zone that comes back. */
const PLAN: Plan = {
  ...generatePlan(3),
  durationMs: 9_000,
  durability: 'archived',
  clocks: [
    { skewMs: 4_000, driftPpm: 0 },
    { skewMs: -3_000, driftPpm: 0 },
    { skewMs: 0, driftPpm: 0 },
  ],
  faults: [
    { kind: 'kill-zone', atMs: 4_000, zone: 0, forMs: 1_500 },
    { kind: 'cut', atMs: 6_000, zone: 1, forMs: 500, client: '' },
  ],
}

let outcome: Outcome
let bytes: Buffer
let cursor: Cursor
beforeAll(async () => {
  const chunks: Uint8Array[] = []
  const log = new SimulationLog(PLAN, (chunk) => chunks.push(chunk))
  outcome = await runPlan(PLAN, log)
  log.end(outcome)
  bytes = Buffer.concat(chunks)
  cursor = new Cursor(new RunLog(memorySource(bytes)))
})

const placesOf = (where: string): readonly number[] => {
  cursor.show({ where })
  cursor.seek(0)
  return [...cursor.shown()]
}

describe('what stands in it', () => {
  test('the plan, the faults, the clients and the verdict', () => {
    const { log } = cursor
    expect(log.problem).toBeUndefined()
    expect(log.header).toMatchObject({ kind: 'simulation', seed: '3' })
    expect(log.event(0)).toMatchObject({ kind: 'note', source: 'world', type: 'plan', payload: PLAN })
    expect(placesOf('kind = fault').map((place) => log.event(place))).toMatchObject([
      { type: 'kill-zone', payload: { zone: 0, forMs: 1_500 } },
      { type: 'cut', payload: { zone: 1 } },
    ])
    expect(placesOf('type = acknowledged').length).toBeGreaterThanOrEqual(outcome.commits)
    expect(log.event(log.length - 1)).toMatchObject({
      type: 'verdict',
      payload: { violation: null, commits: outcome.commits, lastDraw: outcome.lastDraw },
    })
  })

  test('actors of all zones and all kinds', () => {
    expect(cursor.states.actors()).toEqual(
      expect.arrayContaining(['endpoint.main', 'safekeeper.main', 'timeline.main', 'zone.zone-1', 'zone.zone-3']),
    )
    expect(cursor.states.lanesOf('safekeeper.main')).toHaveLength(PLAN.zones)
    expect(cursor.states.actors().some((actor) => actor.startsWith('compute.'))).toBe(true)
  })
})

test('writing it changes nothing of the run', async () => {
  expect(await runPlan(PLAN)).toEqual(outcome)
})

test('today’s code decides all of it again as it was', () => {
  const { executed, skipped, divergence } = reExecute(cursor.log)
  expect({ skipped, divergence }).toEqual({ skipped: 0, divergence: undefined })
  expect(executed).toBeGreaterThan(300)
})

test('a time is found though clocks are wrong', () => {
  expect(cursor.log.table.isInOrderOfTime).toBe(false)
  cursor.seek('+4s')
  const next = cursor.event.sequence
  const [fault] = placesOf('type = kill-zone')
  expect(cursor.log.event(fault!).sequence - next).toBeGreaterThanOrEqual(0)
  expect(cursor.log.event(fault!).sequence - next).toBeLessThan(5)
})
