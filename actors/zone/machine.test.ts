import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ZoneId } from '../../events/identifiers.ts'
import type { ZoneEvent, ZoneState } from '../../events/zone.ts'
import { anyTime, checkProperties, scenario } from '../testing.ts'
import { DOWN_MS, HEARTBEAT_INTERVAL_MS, placeableZones, SUSPICION_MS } from './decide.ts'
import { zone } from './machine.ts'

const name = (number: number) => `zone-${number}` as ZoneId
const zones = [1, 2, 3].map(name)
const self = (number: number) => scenario(zone, { id: name(number), zones, incarnation: 1 })
const tick = (at: number): ZoneEvent => ({ type: 'Tick', at })
const beat = (from: number, at: number, sees = [1, 2, 3], state: ZoneState = 'up', incarnation = 1): ZoneEvent => ({
  type: 'Heartbeat',
  at,
  from: name(from),
  sees: sees.map(name),
  state,
  incarnation,
})

describe('a zone', () => {
  test('joins once it sees a majority, and beats at every tick', () => {
    self(2)
      .when(tick(1_000))
      .expect({ state: 'joining', effects: [{ type: 'publishHeartbeat', heartbeat: { sees: ['zone-2'] } }] })
      .when(beat(3, 1_100))
      .expect({
        effects: ['peerUp', { type: 'publishHeartbeat', heartbeat: { sees: ['zone-2', 'zone-3'] } }, 'becomeLeader'],
      })
      .when(beat(3, 1_200))
      .expect({ effects: [] })
      .when(tick(1_250))
      .expect({
        state: 'up',
        effects: [{ type: 'publishHeartbeat', heartbeat: { sees: ['zone-2', 'zone-3'], state: 'up' } }],
        context: { timers: { tick: 1_250 + HEARTBEAT_INTERVAL_MS } },
      })
  })

  test('leads alone in a cluster of one', () => {
    const only = { id: name(1), zones: [name(1)], incarnation: 1 }
    scenario(zone, only)
      .when(tick(0))
      .expect({ state: 'up', effects: ['becomeLeader', 'publishHeartbeat'] })
  })

  test('leaves leadership to a lower zone that sees a majority, and takes it over when that one is silent', () => {
    self(2)
      .given(tick(1_000), beat(3, 1_000), tick(1_250))
      .when(beat(1, 1_300, [1]))
      .expect({ context: { leader: 'zone-2' } })
      .when(beat(1, 1_400, [1, 2]))
      .expect({ effects: [{ type: 'loseLeadership', leader: 'zone-1' }], context: { leader: 'zone-1' } })
      .given(beat(3, 2_300), tick(2_300))
      .when(tick(1_400 + SUSPICION_MS + 1))
      .expect({ effects: ['becomeLeader', 'publishHeartbeat'] })
  })

  test('calls a peer down once after the down time, and up again at its next heartbeat', () => {
    self(1)
      .given(tick(0), beat(2, 0), beat(3, 0), tick(1_500), tick(3_000), beat(3, DOWN_MS - 100), tick(DOWN_MS - 50))
      .when(tick(DOWN_MS + 1))
      .expect({ effects: [{ type: 'peerDown', zone: 'zone-2' }, 'publishHeartbeat'] })
      .given(beat(3, DOWN_MS + 100))
      .when(tick(DOWN_MS + 200))
      .expect({ effects: ['publishHeartbeat'] })
      .when(beat(2, DOWN_MS + 300))
      .expect({ effects: [{ type: 'peerUp', zone: 'zone-2' }, 'publishHeartbeat'] })
  })

  test('calls a peer down and up when its process was started anew', () => {
    self(1)
      .given(beat(2, 0))
      .when(beat(2, 100, [1, 2, 3], 'up', 2))
      .expect({ effects: ['peerDown', 'peerUp', 'publishHeartbeat'] })
      .when(beat(2, 150, [1, 2, 3], 'up', 1))
      .expect({ outcome: 'ignored' })
  })

  test('takes a peer for started anew whose clock went back, once its former life has been silent', () => {
    self(1)
      .given(beat(2, 0, [1, 2, 3], 'up', 9))
      .when(beat(2, SUSPICION_MS, [1, 2, 3], 'up', 1))
      .expect({ outcome: 'ignored' })
      .when(beat(2, SUSPICION_MS + 1, [1, 2, 3], 'up', 1))
      .expect({
        effects: ['peerDown', 'peerUp', 'publishHeartbeat'],
        context: { peers: { 'zone-2': { incarnation: 1 } } },
      })
  })

  test('goes on when its own clock was set back', () => {
    self(1)
      .given(beat(2, 3_600_000, [1, 2, 3], 'up', 9), tick(3_600_000))
      .when(tick(1_000))
      .expect({ context: { majorityAtMs: 1_000, peers: { 'zone-2': { heardAtMs: 1_000 } } } })
      .given(tick(2_500), tick(4_000))
      .when(beat(2, 4_000, [1, 2, 3], 'up', 1))
      .expect({ effects: ['peerDown', 'peerUp', 'publishHeartbeat', 'becomeLeader'] })
      .given(tick(5_500), tick(7_000), tick(8_500))
      .when(tick(4_000 + DOWN_MS + 1))
      .expect({ effects: [{ type: 'peerDown', zone: 'zone-2' }, 'publishHeartbeat'] })
  })

  test('calls nobody down right after it was itself away', () => {
    self(1)
      .given(tick(0), beat(2, 0), beat(3, 0), tick(250))
      .when(tick(60_000))
      .expect({ state: 'suspected', effects: [{ type: 'loseLeadership' }, 'publishHeartbeat'] })
  })

  test('suspects itself when it sees no majority, then holds itself for down, and recovers', () => {
    self(1)
      .given(beat(2, 0), tick(0), tick(900))
      .when(tick(SUSPICION_MS + 1))
      .expect({ state: 'suspected', effects: ['loseLeadership', 'publishHeartbeat'] })
      .given(tick(3_000), tick(4_500))
      .when(tick(900 + DOWN_MS + 1))
      .expect({ state: 'down' })
      .when(beat(3, DOWN_MS + 1_000))
      .expect({ effects: ['peerUp', 'publishHeartbeat', 'becomeLeader'] })
      .when(tick(DOWN_MS + 1_100))
      .expect({ state: 'up', effects: ['publishHeartbeat'] })
  })

  test('neither leads nor takes computes while it drains', () => {
    const draining = self(1)
      .given(tick(0), beat(2, 0), beat(3, 0), tick(250))
      .when({ type: 'Drain', at: 300 })
      .expect({ state: 'draining', effects: [{ type: 'loseLeadership', leader: 'zone-2' }, 'publishHeartbeat'] })
    const { context, state } = draining.snapshot
    expect(placeableZones(context, state, 300)).toEqual(['zone-2', 'zone-3'])
    draining
      .given({ type: 'Undrain', at: 400 })
      .when(tick(500))
      .expect({ state: 'up', context: { leader: 'zone-1' } })
  })

  test('ignores strangers and itself', () => {
    self(1).when(beat(9, 0)).expect({ outcome: 'ignored' }).when(beat(1, 0)).expect({ outcome: 'ignored' })
  })

  test('stays in its states whatever it hears', () => {
    const time = fc.integer({ min: 0, max: 8_000 })
    const sees = fc.subarray([1, 2, 3])
    const events: fc.Arbitrary<ZoneEvent> = fc.oneof(
      anyTime.map(tick),
      time.map(tick),
      fc
        .tuple(fc.integer({ min: 1, max: 4 }), time, sees, fc.constantFrom(...zone.states), fc.nat(2))
        .map(([from, at, seen, state, incarnation]) => beat(from, at, seen, state, incarnation)),
      fc.constantFrom({ type: 'Drain' as const, at: 1 }, { type: 'Undrain' as const, at: 2 }),
    )
    const input = { id: name(1), zones, incarnation: 1 }
    expect(checkProperties(zone, input, events)).toEqual(new Set(zone.states))
  })
})
