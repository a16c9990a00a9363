import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { decode } from '../../events/codec.ts'
import { TimelineId } from '../../events/identifiers.ts'
import { depositionSubject, encodeDeposition, parseDeposition } from './deposition.ts'
import { LEASE_MS_MAX as LEASE_MS, leasesEndAtMs, Predecessors } from './predecessors.ts'
import { ReignWorld, settle, ZONES } from './testing.ts'

const votes = (...silences: readonly number[]) => silences.map((silentMs) => ({ silentMs }))

describe('no predecessor has a lease', () => {
  test('once so much time has passed that a majority was heard too long ago', () => {
    // One of two suffices to a predecessor, with the third, which did not vote.
    expect(leasesEndAtMs(votes(0, 4_000), 3, 10_000)).toBe(10_000 + LEASE_MS)
    expect(leasesEndAtMs(votes(9_000, 4_000), 3, 10_000)).toBe(10_000 + LEASE_MS - 4_000)
    // If all have voted it needs two of them.
    expect(leasesEndAtMs(votes(0, 4_000, 9_000), 3, 10_000)).toBe(10_000 + LEASE_MS - 4_000)
    expect(leasesEndAtMs(votes(1, 2, 3, 4), 5, 0)).toBe(LEASE_MS - 2)
    expect(leasesEndAtMs(votes(300), 1, 0)).toBe(LEASE_MS - 300)
  })
})

test('what is no deposition is none', () => {
  const timeline = TimelineId.make('main')
  const { term } = world.grant(3)
  expect(parseDeposition(encodeDeposition({ timeline, term }))).toEqual({ timeline, term: 3 })
  const cause = { id: 'a', correlationId: 'b' }
  const envelope = { ...cause, payload: 'long' }
  expect(decode(encodeDeposition({ timeline, term, cause: envelope }))).toEqual({ timeline, term: 3, cause })
  expect(parseDeposition(encodeDeposition({ timeline, term, cause }))).toEqual({ timeline, term: 3, cause })
  expect(parseDeposition(Buffer.from('hello'))).toBeUndefined()
  expect(parseDeposition(new Uint8Array(0))).toBeUndefined()
})

let world: ReignWorld
let predecessors: Predecessors

/** Of term 2, whose predecessors hold a lease for five more seconds. */
function begin(term = 2): Predecessors {
  const reign = { grant: world.grant(term), predecessorsEndAtMs: world.nowMs + 5_000 }
  predecessors = new Predecessors(world.ports, reign)
  return predecessors
}

function answer(...zones: readonly string[]): void {
  for (const zone of zones)
    world.bus.subscribe(depositionSubject(world.ports.project, zone), (message) => message.respond(new Uint8Array(0)))
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    world.nowMs += 50
    await vi.advanceTimersByTimeAsync(50)
    await settle()
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  world = new ReignWorld()
})
afterEach(() => {
  predecessors?.close()
  vi.useRealTimers()
})

describe('predecessors', () => {
  test('are gone when every zone has said so', async () => {
    answer('zone-1', 'zone-2')
    begin()
    await pass(1_000)
    expect(predecessors.areGone).toBe(false)
    // It was being started anew.
    answer('zone-3')
    await pass(500)
    expect(predecessors.areGone).toBe(true)
  })

  test('or when their leases have run out', async () => {
    answer(...ZONES.slice(0, 2))
    begin()
    await pass(4_950)
    expect(predecessors.areGone).toBe(false)
    await pass(50)
    expect(predecessors.areGone).toBe(true)
  })

  test('of the first term there are none', () => {
    expect(begin(1).areGone).toBe(true)
  })

  test('nobody is asked any more once nobody wants to know', async () => {
    begin().close()
    const asked: string[] = []
    world.bus.intercept = (subject, data) => {
      asked.push(subject)
      return data
    }
    await pass(3_000)
    expect(asked).toEqual([])
  })
})
