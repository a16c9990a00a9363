import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Position, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { SafekeeperEvent } from '../../events/safekeeper.ts'
import { BACKOFF_FIRST_MS } from '../backoff.ts'
import { anyTime, checkProperties, scenario } from '../testing.ts'
import { safekeeper } from './machine.ts'

const input = { zone: 'zone-1' as ZoneId, timeline: 'main' as TimelineId }
const place = (
  type: 'Opened' | 'Elected' | 'FellBehind' | 'CaughtUp',
  term: number,
  position: number,
): SafekeeperEvent => ({
  type,
  at: 1,
  term: term as Term,
  position: position as Position,
})
const duty = (type: 'DutyGranted' | 'DutyRevoked', term: number): SafekeeperEvent => ({
  type,
  at: 2,
  term: term as Term,
})
const following = () => scenario(safekeeper, input).given(place('Opened', 1, 100))

describe('a safekeeper', () => {
  test('is empty until it has a log, from its disk or from an election', () => {
    scenario(safekeeper, input)
      .when(place('Opened', 0, 0))
      .expect({ state: 'empty' })
      .when(duty('DutyGranted', 1))
      .expect({ outcome: 'refused' })
      .when(place('Elected', 1, 0))
      .expect({ state: 'following' })
    following().expect({ state: 'following', context: { term: 1, position: 100 } })
  })

  test('archives the term whose duty it has, until that is revoked or another writer is elected', () => {
    following()
      .when(duty('DutyGranted', 1))
      .expect({ state: 'archiving', effects: [{ type: 'startArchiving', term: 1 }], context: { position: 100 } })
      .when(duty('DutyRevoked', 7))
      .expect({ state: 'archiving', outcome: 'ignored' })
      .when(duty('DutyRevoked', 1))
      .expect({ state: 'following', effects: ['stopArchiving'] })
      .given(duty('DutyGranted', 1))
      .when(place('Elected', 2, 90))
      .expect({ state: 'following', effects: ['stopArchiving'], context: { term: 2, dutyTerm: 0 } })
  })

  test('ignores what belongs to a term that was succeeded', () => {
    following()
      .given(place('Elected', 3, 100))
      .when(duty('DutyGranted', 2))
      .expect({ state: 'following', outcome: 'ignored' })
      .when(place('FellBehind', 2, 50))
      .expect({ state: 'following', outcome: 'ignored' })
  })

  test('catches up before it archives, and tries again when that fails', () => {
    following()
      .given(duty('DutyGranted', 1))
      .when(place('FellBehind', 1, 120))
      .expect({ state: 'catchingUp', effects: ['stopArchiving', 'catchUp'], context: { position: 120 } })
      .given({ type: 'CatchUpFailed', at: 10, problem: 'no donor' })
      .when({ type: 'TimerFired', name: 'retry', at: 10 + BACKOFF_FIRST_MS })
      .expect({ effects: ['catchUp'], context: { timers: {} } })
      .when(place('CaughtUp', 1, 500))
      .expect({ state: 'archiving', effects: ['startArchiving'], context: { position: 500 } })
  })

  test('withdraws when its log is damaged, and comes back only empty', () => {
    following()
      .given(duty('DutyGranted', 1))
      .when({ type: 'DamageFound', at: 5, problem: 'checksum' })
      .expect({ state: 'damaged', effects: ['stopArchiving', 'withdraw'] })
      .when(place('Elected', 2, 0))
      .expect({ outcome: 'refused' })
      .when({ type: 'Wiped', at: 6 })
      .expect({ state: 'empty', context: { term: 0, position: 0, problem: '' } })
    following().when({ type: 'Wiped', at: 6 }).expect({ state: 'following', outcome: 'refused' })
  })

  test('removes its log when it retires, and never comes back', () => {
    following()
      .when({ type: 'Retire', at: 5 })
      .expect({ state: 'retired', effects: ['removeLog'] })
      .when(place('Elected', 9, 0))
      .expect({ state: 'retired', outcome: 'refused' })
  })

  test('stays in its states whatever it hears', () => {
    const term = fc.integer({ min: 0, max: 3 })
    const places = fc.constantFrom('Opened' as const, 'Elected' as const, 'FellBehind' as const, 'CaughtUp' as const)
    const events: fc.Arbitrary<SafekeeperEvent> = fc.oneof(
      { arbitrary: fc.tuple(places, term).map(([type, value]) => place(type, value, value * 10)), weight: 4 },
      { arbitrary: term.map((value) => duty('DutyGranted', value)), weight: 2 },
      term.map((value) => duty('DutyRevoked', value)),
      anyTime.map((at) => ({ type: 'TimerFired' as const, name: 'retry', at })),
      anyTime.map((at) => ({ type: 'CatchUpFailed' as const, problem: 'p', at })),
      fc.constantFrom({ type: 'DamageFound' as const, at: 1, problem: 'p' }, { type: 'Wiped' as const, at: 1 }),
      fc.constant({ type: 'Retire' as const, at: 1 }),
    )
    expect(checkProperties(safekeeper, input, events)).toEqual(new Set(safekeeper.states))
  })
})
