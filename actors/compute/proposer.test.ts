import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  acknowledge,
  createProposer,
  DUTY_TIMEOUT_MS,
  type Durability,
  dutyToMove,
  majorityFlushed,
  type Proposer,
  RESEND_AFTER_MS,
  stalledMembers,
} from './proposer.ts'

const ZONES = ['a', 'b', 'c']
const reign = (durability: Durability = 'archived', archived = 100): Proposer =>
  createProposer(7, 100, durability, ZONES, archived, 'b', 0)

describe('durable', () => {
  test('needs a majority and the archive', () => {
    const state = reign()
    expect(acknowledge(state, 'a', 150, 0, 1)).toBe(false)
    expect(acknowledge(state, 'b', 140, 0, 1)).toBe(true)
    expect(state.durable).toBe(100)
    expect(acknowledge(state, 'b', 140, 130, 2)).toBe(true)
    expect(state.durable).toBe(130)
    expect(acknowledge(state, 'c', 150, 145, 3)).toBe(true)
    expect(state.durable).toBe(145)
  })

  test('needs the majority alone under quorum durability', () => {
    const state = reign('quorum')
    acknowledge(state, 'a', 150, 0, 1)
    acknowledge(state, 'c', 120, 0, 1)
    expect(state.durable).toBe(120)
  })

  test('is nothing before the start of the term is on a majority', () => {
    for (const durability of ['archived', 'quorum'] as const) {
      const state = reign(durability, 500)
      acknowledge(state, 'a', 99, 0, 1)
      acknowledge(state, 'b', 99, 0, 1)
      acknowledge(state, 'c', 99, 0, 1)
      expect(state.durable).toBe(0)
      acknowledge(state, 'a', 100, 0, 1)
      expect(state.durable).toBe(0)
      acknowledge(state, 'c', 100, 0, 1)
      expect(state.durable).toBe(100)
    }
  })

  test('is nothing while the archive has not reached the start of the term', () => {
    const state = reign('archived', 90)
    acknowledge(state, 'a', 150, 0, 1)
    acknowledge(state, 'b', 150, 0, 1)
    expect(state.durable).toBe(0)
    acknowledge(state, 'b', 150, 100, 1)
    expect(state.durable).toBe(100)
  })

  test('never falls, whatever comes late, twice, or from a stranger', () => {
    const ack = fc.record({ zone: fc.constantFrom(...ZONES, 'x'), flushed: fc.nat(300), archived: fc.nat(300) })
    fc.assert(
      fc.property(fc.array(ack, { maxLength: 40 }), fc.constantFrom('archived', 'quorum'), (acks, durability) => {
        const state = reign(durability as Durability)
        const best = new Map<string, number>()
        let archived = 100
        for (const { zone, flushed, archived: told } of acks) {
          const before = state.durable
          const grew = acknowledge(state, zone, flushed, told, 1)
          best.set(zone, Math.max(best.get(zone) ?? 0, flushed))
          archived = Math.max(archived, told)
          const sorted = ZONES.map((of) => best.get(of) ?? 0).sort((left, right) => right - left)
          const majority = sorted[1]! >= 100 ? sorted[1]! : 0
          expect(majorityFlushed(state)).toBe(majority)
          const expected = durability === 'quorum' ? majority : Math.min(majority, archived)
          expect(state.durable).toBe(expected)
          expect(grew).toBe(expected > before)
        }
      }),
    )
  })
})

describe('stalled safekeepers', () => {
  test('are named once per interval, and not while they move or have everything', () => {
    const state = reign()
    acknowledge(state, 'a', 200, 0, 10)
    acknowledge(state, 'b', 150, 0, 10)
    expect(stalledMembers(state, 200, RESEND_AFTER_MS - 1)).toEqual([])
    expect(stalledMembers(state, 200, RESEND_AFTER_MS).map(({ zone }) => zone)).toEqual(['c'])
    expect(stalledMembers(state, 200, RESEND_AFTER_MS + 10).map(({ zone }) => zone)).toEqual(['b'])
    expect(stalledMembers(state, 200, RESEND_AFTER_MS + 20)).toEqual([])
  })

  test('one that has all the log does not stand still', () => {
    const state = reign()
    for (const zone of ['a', 'b', 'c']) acknowledge(state, zone, 150, 0, 0)
    expect(stalledMembers(state, 150, 5 * RESEND_AFTER_MS)).toEqual([])
    expect(stalledMembers(state, 200, 5 * RESEND_AFTER_MS + 1)).toEqual([])
    expect(stalledMembers(state, 200, 6 * RESEND_AFTER_MS)).toHaveLength(3)
  })
})

describe('archive duty', () => {
  test('moves to the next zone that has more than the archive, once it stands still', () => {
    const state = reign()
    acknowledge(state, 'a', 150, 0, 0)
    acknowledge(state, 'c', 150, 0, 0)
    expect(dutyToMove(state, DUTY_TIMEOUT_MS - 1)).toBeUndefined()
    expect(dutyToMove(state, DUTY_TIMEOUT_MS)).toBe('a')
    expect(dutyToMove(state, DUTY_TIMEOUT_MS + 1)).toBeUndefined()
    expect(dutyToMove(state, 3 * DUTY_TIMEOUT_MS - 1)).toBeUndefined()
    expect(dutyToMove(state, 3 * DUTY_TIMEOUT_MS)).toBe('c')
    expect(state.dutyZone).toBe('c')
  })

  test('moves the less often the more moves did not help, until the archive grows in time again', () => {
    const state = reign()
    acknowledge(state, 'a', 150, 0, 0)
    acknowledge(state, 'c', 150, 0, 0)
    const moves: number[] = []
    for (let at = 0; at < 62; at++) if (dutyToMove(state, at * DUTY_TIMEOUT_MS)) moves.push(at)
    expect(moves).toEqual([1, 3, 7, 15, 23, 31, 39, 47, 55])
    // A store as slow as that is not helped by another holder after each object.
    acknowledge(state, 'c', 150, 120, 62 * DUTY_TIMEOUT_MS)
    expect(dutyToMove(state, 63 * DUTY_TIMEOUT_MS)).toBeUndefined()
    acknowledge(state, 'c', 150, 121, 63 * DUTY_TIMEOUT_MS)
    for (const later of [1, 2, 3]) acknowledge(state, 'c', 150, 121 + later, 63 * DUTY_TIMEOUT_MS + later)
    expect(dutyToMove(state, 64 * DUTY_TIMEOUT_MS + 2)).toBeUndefined()
    expect(dutyToMove(state, 64 * DUTY_TIMEOUT_MS + 3)).toBeDefined()
  })

  test('stays for the first log after a rest as long as for any', () => {
    const state = reign()
    acknowledge(state, 'a', 150, 150, 0)
    acknowledge(state, 'c', 150, 150, 0)
    expect(dutyToMove(state, 5 * DUTY_TIMEOUT_MS)).toBeUndefined()
    acknowledge(state, 'a', 200, 150, 5 * DUTY_TIMEOUT_MS + 1)
    acknowledge(state, 'c', 200, 150, 5 * DUTY_TIMEOUT_MS + 1)
    expect(dutyToMove(state, 5 * DUTY_TIMEOUT_MS + 2)).toBeUndefined()
    expect(dutyToMove(state, 6 * DUTY_TIMEOUT_MS + 1)).toBeDefined()
  })

  test('stays while the archive moves, or has all that a majority has', () => {
    const state = reign()
    acknowledge(state, 'a', 150, 0, 0)
    acknowledge(state, 'b', 150, 120, DUTY_TIMEOUT_MS - 1)
    expect(dutyToMove(state, DUTY_TIMEOUT_MS)).toBeUndefined()
    acknowledge(state, 'b', 150, 150, DUTY_TIMEOUT_MS)
    expect(dutyToMove(state, 10 * DUTY_TIMEOUT_MS)).toBeUndefined()
  })
})
