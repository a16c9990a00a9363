import * as Effect from 'effect/Effect'
import { describe, expect, test } from 'vitest'
import { zone } from '../../actors/zone/machine.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, wrap } from '../../events/envelope.ts'
import { EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { StoreUnavailable } from '../errors.ts'
import { actorSubject } from '../system/ports.ts'
import { run } from '../system/run.ts'
import { TestWorld } from '../system/testing.ts'
import { realTimers } from '../system/timers.ts'
import { type LeaderParts, Leadership, NEWS_REPEAT_INTERVAL_MS } from './leadership.ts'

const zones = [ZoneId.make('zone-1')]
const config: LeaderParts['config'] = {
  project: ProjectId.make('p'),
  timeline: TimelineId.make('main'),
  endpoint: EndpointId.make('main'),
  durability: 'archived',
  zones,
}
const time = { nowMs: Date.now, monotonicMs: () => performance.now(), timers: realTimers }
const down = new StoreUnavailable({ component: 'store', value: '', problem: 'it is down', remedy: 'Wait.' })

test('what could not be created is tried again', async () => {
  const world = new TestWorld()
  const { create } = world.store
  const creations: string[] = []
  // The first creation of each journal finds the store down.
  world.store.create = (key, body) => {
    const isFirst = !creations.includes(key)
    creations.push(key)
    return isFirst ? Effect.fail(down) : create(key, body)
  }
  const reports: string[] = []
  const leadership = new Leadership(world.system(), {
    config,
    bus: { publish: () => {} },
    store: world.store,
    report: (line) => void reports.push(line),
    ...time,
  })
  leadership.begin(() => zone.begin({ id: zones[0]!, zones, incarnation: 1 }))
  const writtenBy = async (kind: string) => (await run(world.journal(kind, 'main').history())).map(({ type }) => type)
  await expect.poll(() => writtenBy('timeline')).toContain('TimelineCreated')
  await expect.poll(() => writtenBy('endpoint')).toContain('EndpointCreated')
  expect(reports.filter((line) => line.includes('it is down'))).toHaveLength(2)
  await leadership.end()
})

test('an endpoint that heard old news of a zone last is set right, and not oftener than it is worth', async () => {
  const two = [...zones, ZoneId.make('zone-2')]
  let nowMs = 0
  const begun = zone.begin({ id: zones[0]!, zones: two, incarnation: 1 })
  const peer = { heardAtMs: 0, sees: two, state: 'up', incarnation: 1, up: true } as const
  const seen = { ...begun, context: { ...begun.context, peers: { 'zone-2': peer } } }
  const world = new TestWorld()
  const parts: LeaderParts = {
    config: { ...config, zones: two },
    bus: { publish: () => {} },
    store: world.store,
    report: () => {},
    timers: realTimers,
    nowMs: () => 0,
    monotonicMs: () => nowMs,
  }
  const system = world.system()
  const leadership = new Leadership(system, parts)
  leadership.begin(() => seen)
  const cause = { id: 'news', correlationId: 'news' }
  const heard = () =>
    world.published
      .filter(({ subject }) => subject.endsWith('events.endpoint.main'))
      .map(({ data }) => (decodeEnvelope(data) as Envelope).type)
      .filter((type) => type.startsWith('Zone'))
  await expect.poll(() => system.inspect().map(({ state }) => state)).toEqual(['active', 'suspended'])
  leadership.tellZone('ZoneDown', two[1]!, cause)
  await expect.poll(heard).toEqual(['ZoneDown'])
  leadership.repeatNews(seen, cause)
  await expect.poll(heard).toEqual(['ZoneDown', 'ZoneUp'])
  const down = { ...seen, context: { ...seen.context, peers: { 'zone-2': { ...peer, up: false, heardAtMs: -9_000 } } } }
  nowMs = NEWS_REPEAT_INTERVAL_MS - 1
  leadership.repeatNews(down, cause)
  await new Promise(setImmediate)
  expect(heard()).toHaveLength(2)
  nowMs++
  leadership.repeatNews(down, cause)
  await expect.poll(heard).toEqual(['ZoneDown', 'ZoneUp', 'ZoneDown'])
  await leadership.end()
})

test('when Loch is to stop no compute is placed any more, yet the timeline is answered for until the end', async () => {
  const world = new TestWorld()
  const system = world.system()
  const parts: LeaderParts = { config, bus: { publish: () => {} }, store: world.store, report: () => {}, ...time }
  const leadership = new Leadership(system, parts)
  leadership.begin(() => zone.begin({ id: zones[0]!, zones, incarnation: 1 }))
  const hosted = () => system.inspect().map(({ actor }) => actor)
  await expect.poll(hosted).toEqual(['timeline.main', 'endpoint.main'])
  leadership.stopPlacing()
  await expect.poll(hosted).toEqual(['timeline.main'])
  // Should it begin to lead only now, that holds too.
  await leadership.end()
  expect(hosted()).toEqual([])
  leadership.begin(() => zone.begin({ id: zones[0]!, zones, incarnation: 1 }))
  await expect.poll(hosted).toEqual(['timeline.main'])
  await leadership.end()
})

describe('when Loch is to stop while its journals are being opened', () => {
  async function woken() {
    const world = new TestWorld()
    const system = world.system()
    const [placements, reports]: [string[], string[]] = [[], []]
    const report = (line: string) => void reports.push(line)
    const bus = { publish: (subject: string) => void placements.push(subject) }
    const begin = () => {
      const leadership = new Leadership(system, { config, bus, store: world.store, report, ...time })
      leadership.begin(() => zone.begin({ id: zones[0]!, zones, incarnation: 1 }))
      return leadership
    }
    const hosted = () => system.inspect().map(({ actor }) => actor)
    const resumed = () =>
      world.published
        .filter(({ subject }) => subject.endsWith('events.endpoint.main'))
        .filter(({ data }) => (decodeEnvelope(data) as Envelope).type === 'Resumed').length
    const first = begin()
    await expect.poll(() => system.inspect().map(({ state }) => state)).toEqual(['active', 'suspended'])
    const wake = wrap({ type: 'Wake', at: 0 } as const, { id: 'wake', actor: 'endpoint.main', sequence: 0, term: 0 })
    world.send(actorSubject('p', 'endpoint.main'), encodeEnvelope(wake))
    await expect.poll(() => placements).toHaveLength(1)
    await first.end()
    placements.length = 0
    return { world, begin, hosted, resumed, placements, reports }
  }

  test('the timeline is answered for once they can be', async () => {
    const { world, begin, hosted, reports } = await woken()
    world.store.down = true
    const leadership = begin()
    await expect.poll(() => reports.join()).toContain('it is down')
    leadership.stopPlacing()
    expect(hosted()).toEqual([])
    world.store.down = false
    await expect.poll(hosted, { timeout: 5_000 }).toEqual(['timeline.main'])
    await leadership.end()
  })

  test('an endpoint whose hosting cannot be called back places nothing', async () => {
    const { world, begin, hosted, resumed, placements } = await woken()
    const { list } = world.store
    const before = resumed()
    world.store.list = (prefix, options) => {
      if (prefix.startsWith('endpoints/')) leadership.stopPlacing()
      return list(prefix, options)
    }
    const leadership = begin()
    await expect.poll(resumed).toBe(before + 1)
    await expect.poll(hosted).toEqual(['timeline.main'])
    expect(placements).toEqual([])
    await leadership.end()
  })
})
