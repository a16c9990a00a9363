/** The run log of a simulation: that it can be looked into as those of production can, and that writing it changes nothing. */
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import type { RunEvent } from '../../events/run-log.ts'
import type { Cursor } from '../../runtime/replay/cursor.ts'
import { reExecute } from '../../runtime/replay/re-execute.ts'
import { openBytes, rewritten } from '../../runtime/replay/testing.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { type Outcome, runPlan } from '../run/run.ts'
import { readKeptSeed } from '../seeds/kept-seed.ts'
import { SimulationLog } from './simulation-log.ts'

useChecksum((bytes, before) => crc32(bytes, before))

/** Clocks that are wrong, a failover, and a zone that comes back. */
const PLAN: Plan = {
  ...generatePlan(3),
  durationMs: 18_000,
  store: {},
  network: {},
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
  cursor = openBytes(bytes)
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

test('tells how far the log is durable at each moment', () => {
  cursor.show({})
  cursor.seek('first')
  const positions = [...cursor.shown()].map(cursor.value('timeline.main.durablePosition', '--print'))
  const told = positions.filter((position) => position !== undefined) as number[]
  expect(positions[0]).toBeUndefined()
  expect(told).toEqual([...told].sort((left, right) => left - right))
  expect(new Set(told).size).toBeGreaterThan(outcome.commits / 4)
  expect(told.at(-1)).toBeGreaterThan(10_000)
})

test('writing it changes nothing of the run', async () => {
  expect(await runPlan(PLAN)).toEqual(outcome)
})

test('today’s code decides all of it again as it was', () => {
  const { executed, skipped, divergence } = reExecute(cursor.log)
  expect({ skipped, divergence }).toEqual({ skipped: 0, divergence: undefined })
  expect(executed).toBeGreaterThan(300)
})

test('what other code had decided differs, and is shown', () => {
  const [place] = placesOf('type = TermGranted')
  const { sequence, source, term } = cursor.log.event(place!)
  const change = (event: RunEvent) => (event.sequence === sequence ? { ...event, effects: [] } : event)
  const { divergence } = reExecute(openBytes(rewritten(bytes, change)).log)
  expect(divergence).toMatchObject({ sequence, actor: source })
  expect(divergence?.differences[0]).toMatchObject({ path: expect.stringMatching(/^effects\.0/), after: { term } })
})

test('a time is found though clocks are wrong', () => {
  expect(cursor.log.table.isInOrderOfTime).toBe(false)
  cursor.seek('+4s')
  const next = cursor.event.sequence
  const [fault] = placesOf('type = kill-zone')
  expect(cursor.log.event(fault!).sequence - next).toBeGreaterThanOrEqual(0)
  expect(cursor.log.event(fault!).sequence - next).toBeLessThan(5)
})

describe('causes', () => {
  const chainOf = (place: number) => {
    const { places, missing } = cursor.why(place)
    expect(missing).toBeUndefined()
    return places.map((one) => cursor.log.event(one)).map(({ source, type }) => `${source.split('.')[0]} ${type}`)
  }

  test('lead from a term to the order of whoever enabled the endpoint', () => {
    const [first] = placesOf("type = StartTerm and actor = 'timeline.main'")
    expect(chainOf(first!)).toEqual(['endpoint Enable', 'compute Start', 'timeline StartTerm'])
  })

  test('lead from a message to the event that it came of, and on', () => {
    const [placement] = placesOf('kind = message and type ~ /place$/')
    expect(chainOf(placement!).at(0)).toBe('endpoint Enable')
    const [began] = placesOf('type = RecordTermBegan')
    expect(chainOf(began!).slice(-2)).toEqual(['compute FenceGranted', 'timeline RecordTermBegan'])
    const beats = placesOf('type = Heartbeat').slice(3)
    expect(chainOf(beats[0]!)).toEqual(['zone Tick', 'zone Heartbeat'])
  })

  test('lead from what ends a server to the order of whoever brought up its successor', async () => {
    const kept = new URL('../seeds/reads-of-a-deposed-server.json', import.meta.url)
    const { plan } = readKeptSeed(kept.pathname, readFileSync(kept, 'utf8'))
    const chunks: Uint8Array[] = []
    await runPlan(plan, new SimulationLog(plan, (chunk) => chunks.push(chunk)))
    const own = openBytes(Buffer.concat(chunks))
    own.show({ where: "type = AppendRejected and payload.problem ~ 'another compute serves'" })
    const [rejected] = own.shown()
    const { places, missing } = own.why(rejected)
    expect(missing).toBeUndefined()
    const chain = places.map((place) => own.log.event(place)).map(({ source, type }) => `${source} ${type}`)
    expect(chain).toEqual([
      'endpoint.main@zone-1 ZoneDown',
      'compute.main-zone-2@zone-2 Start',
      'compute.main-zone-2@zone-2 TermGranted',
      'compute.main-zone-1@zone-1 AppendRejected',
    ])
  })

  test('lead from the beginning to all that came of it', () => {
    const [ready] = placesOf('type = PostgresReady')
    const order = cursor.why(ready!).places[0]!
    const types = cursor.effectsOf(order).map(({ place }) => cursor.log.event(place).type)
    for (const type of ['Start', 'StartTerm', 'FenceGranted', 'Attached', 'PostgresReady']) {
      expect(types).toContain(type)
    }
  })

  test('are known of all messages that carry one, be it after a failover', () => {
    const unexplained = placesOf('kind = took').filter((place) => cursor.why(place).missing !== undefined)
    expect(unexplained.map((place) => cursor.log.event(place))).toEqual([])
  })
})
