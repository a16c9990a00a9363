import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ComputeState } from '../../events/compute.ts'
import type { EndpointCommand } from '../../events/endpoint.ts'
import type { ComputeId, EndpointId, ProjectId, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { anyTime, checkProperties, scenario } from '../testing.ts'
import { DOUBTS_MAX, SILENCE_MS } from './decide.ts'
import { endpoint } from './machine.ts'

const zone = (number: number) => `zone-${number}` as ZoneId
const create: EndpointCommand = {
  type: 'Create',
  at: 0,
  endpoint: 'main' as EndpointId,
  project: 'p' as ProjectId,
  timeline: 'main' as TimelineId,
}
const up = (number: number): EndpointCommand => ({ type: 'ZoneUp', at: 0, zone: zone(number) })
const down = (number: number): EndpointCommand => ({ type: 'ZoneDown', at: 5, zone: zone(number) })
const wake: EndpointCommand = { type: 'Wake', at: 1 }
const report = (number: number, launch: number, state: ComputeState, problem = ''): EndpointCommand => ({
  type: 'ComputeReport',
  at: 2,
  compute: `main-zone-${number}` as ComputeId,
  zone: zone(number),
  launch,
  term: launch as Term,
  state,
  problem,
})
const timer = (name: string, at: number): EndpointCommand => ({ type: 'TimerFired', name, at })

const asleep = () => scenario(endpoint, undefined).given(create, up(2), up(1), up(3))
const waking = () => asleep().given(wake)
const available = () => waking().given(report(1, 1, 'serving.active'))

describe('an endpoint', () => {
  test('does not exist before it is created, and not with a name too long for its computes', () => {
    scenario(endpoint, undefined).when(wake).expect({ state: 'disabled', outcome: 'refused' })
    scenario(endpoint, undefined)
      .when({ ...create, endpoint: 'e'.repeat(41) as EndpointId } as EndpointCommand)
      .expect({ outcome: 'refused' })
  })

  test('places its compute in the lowest zone and starts it only after the fact', () => {
    asleep()
      .expect({ state: 'suspended' })
      .when(wake)
      .expect({
        state: 'waking',
        facts: ['ComputePlaced'],
        effects: [{ type: 'startCompute', compute: 'main-zone-1', zone: 'zone-1', launch: 1, timeline: 'main' }],
      })
      .when(report(1, 1, 'recovering'))
      .expect({ state: 'waking', facts: [] })
      .when(report(1, 1, 'serving.active'))
      .expect({ state: 'available', facts: ['ComputeServed'], context: { remembered: { term: 1 } } })
  })

  test('prefers the zone in which it ran last', () => {
    asleep()
      .given(down(1), wake, report(2, 1, 'serving.active'), { type: 'Suspend', at: 3 }, up(1))
      .when(wake)
      .expect({ effects: [{ type: 'startCompute', zone: 'zone-2', launch: 2 }] })
  })

  test('leaves a compute alone that another host of it has placed and this one has not read of', () => {
    asleep()
      .when(report(1, 1, 'electing'))
      .expect({ outcome: 'ignored', effects: [] })
    available()
      .when(report(2, 2, 'electing'))
      .expect({ outcome: 'ignored', effects: [] })
    // One of a launch that it knows to be over is another matter.
    available()
      .given({ type: 'Suspend', at: 3 })
      .when(report(1, 1, 'serving.active'))
      .expect({ effects: [{ type: 'send', event: { type: 'Stop', launch: 1 } }] })
  })

  test('refuses to wake without a zone', () => {
    scenario(endpoint, undefined).given(create).when(wake).expect({ state: 'suspended', outcome: 'refused' })
  })

  test('fails over to another zone when that of its compute goes down', () => {
    available()
      .when(down(2))
      .expect({ state: 'available', facts: [] })
      .when(down(1))
      .expect({
        state: 'failingOver',
        facts: ['ComputeLost', 'ComputePlaced'],
        effects: [
          { type: 'send', to: 'compute.main-zone-1', event: { type: 'Stop', launch: 1 } },
          { type: 'startCompute', zone: 'zone-3', launch: 2 },
        ],
      })
      .when(report(3, 2, 'serving.active'))
      .expect({ state: 'available', context: { remembered: { lostInARow: 0 } } })
  })

  test('stops a compute of a former launch that still reports', () => {
    available()
      .given(down(1))
      .when(report(1, 1, 'serving.active'))
      .expect({ facts: [], effects: [{ to: 'compute.main-zone-1', event: { type: 'Stop', launch: 1 } }] })
      .when(report(1, 1, 'stopped'))
      .expect({ outcome: 'ignored' })
  })

  test('waits longer after each failure in a row, so that failing does not spin', () => {
    waking()
      .when(report(1, 1, 'failed', 'no'))
      .expect({ facts: ['ComputeLost', 'ComputePlaced'], context: { remembered: { primary: { zone: 'zone-2' } } } })
      .when(report(2, 2, 'failed', 'no'))
      .expect({ state: 'failingOver', facts: ['ComputeLost'], context: { timers: { place: 202 } } })
      .when(timer('place', 201))
      .expect({ outcome: 'ignored' })
      .when(timer('place', 202))
      .expect({ facts: ['ComputePlaced'], effects: ['startCompute'] })
  })

  test('looks again for a zone while none is up, and takes the first that comes', () => {
    scenario(endpoint, undefined)
      .given(create, up(1), wake, down(1))
      .expect({ state: 'failingOver', context: { remembered: { primary: null } } })
      .when(timer('place', 5_000))
      .expect({ facts: [], effects: [] })
      .when(up(2))
      .expect({ facts: ['ComputePlaced'], effects: [{ type: 'startCompute', zone: 'zone-2' }] })
  })

  test('repeats its order to a silent compute before it gives it up', () => {
    const doubting = available()
    for (let doubt = 1; doubt <= DOUBTS_MAX; doubt++) {
      doubting
        .when(timer('silence', 2 + doubt * SILENCE_MS))
        .expect({ state: 'available', effects: [{ type: 'startCompute', launch: 1 }] })
    }
    doubting
      .when(timer('silence', 2 + (DOUBTS_MAX + 1) * SILENCE_MS))
      .expect({ state: 'failingOver', facts: ['ComputeLost', 'ComputePlaced'] })
  })

  test('forgets its doubts when it hears a report', () => {
    available()
      .given(timer('silence', 2 + SILENCE_MS), report(1, 1, 'serving.idle'))
      .expect({ state: 'available', context: { doubts: 0, timers: { silence: 2 + SILENCE_MS } } })
  })

  test('is degraded while Postgres recovers', () => {
    available()
      .when(report(1, 1, 'recovering', 'Postgres ended'))
      .expect({ state: 'degraded', facts: ['ComputeImpaired'] })
      .when(report(1, 1, 'serving.active'))
      .expect({ state: 'available' })
  })

  test('restarts by a new launch in the same zone', () => {
    available()
      .when({ type: 'Restart', at: 3 })
      .expect({ state: 'waking', effects: [{ type: 'startCompute', zone: 'zone-1', launch: 2 }] })
  })

  test('runs nothing while disabled, and comes back when enabled', () => {
    available()
      .when({ type: 'Disable', at: 3 })
      .expect({ state: 'disabled', effects: [{ to: 'compute.main-zone-1', event: { type: 'Stop', launch: 1 } }] })
      .when(wake)
      .expect({ outcome: 'refused' })
      .when({ type: 'Enable', at: 4 })
      .expect({ state: 'waking', facts: ['EndpointEnabled', 'ComputePlaced'] })
  })

  test('refuses to be enabled without a zone, so that whoever asks goes on asking', () => {
    const disabled = asleep().given({ type: 'Disable', at: 3 }, down(1), down(2), down(3))
    disabled.when({ type: 'Enable', at: 4 }).expect({ state: 'disabled', outcome: 'refused' })
    disabled
      .given(up(2))
      .when({ type: 'Enable', at: 5 })
      .expect({ state: 'waking', facts: ['EndpointEnabled', 'ComputePlaced'] })
  })

  test('starts its compute again under a new host, in case the order was lost with the old one', () => {
    waking()
      .when({ type: 'Resumed', at: 50, zonesUp: [zone(1), zone(2)] })
      .expect({ state: 'waking', facts: [], effects: [{ type: 'startCompute', launch: 1 }] })
  })

  test('is the fold of its facts after any sequence of commands', () => {
    const number = fc.integer({ min: 1, max: 3 })
    const states = ['electing', 'recovering', 'serving.active', 'failed', 'stopped'] as const
    const plain = fc.constantFrom('Wake', 'Suspend', 'Restart', 'Disable', 'Enable')
    const events: fc.Arbitrary<EndpointCommand> = fc.oneof(
      fc.constantFrom(create, wake, up(1), up(2)),
      fc.tuple(plain, anyTime).map(([type, at]) => ({ type, at })),
      fc.tuple(number, number, fc.constantFrom(...states)).map(([z, launch, state]) => report(z, launch, state)),
      number.map(up),
      number.map(down),
      fc.tuple(fc.constantFrom('silence', 'place', 'x'), anyTime).map(([name, at]) => timer(name, at)),
      fc.subarray([1, 2, 3]).map((some) => ({ type: 'Resumed' as const, at: 7, zonesUp: some.map(zone) })),
    )
    const opening = [create, up(1), up(2), wake, report(1, 1, 'serving.active')]
    expect(checkProperties(endpoint, undefined, events, [[], opening])).toEqual(new Set(endpoint.states))
  })
})
