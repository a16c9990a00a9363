import { randomUUID } from 'node:crypto'
import * as Effect from 'effect/Effect'
import { expect, test } from 'vitest'
import { decodeEnvelope, isFault } from '../../events/envelope.ts'
import { ComputeId, EndpointId, ProjectId, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { BusMessage } from '../bus/bus.ts'
import { depositionSubject, encodeDeposition } from '../compute/deposition.ts'
import { NoAnswer } from '../errors.ts'
import { MemoryStore } from '../log/testing.ts'
import { realTimers } from '../system/timers.ts'
import { encodePlacement, placementSubject } from './compute-placement.ts'
import { zonePorts } from './ports.ts'
import { ZoneHost, type ZoneParts } from './zone-host.ts'

const noAnswer = new NoAnswer({
  component: 'bus',
  value: '',
  problem: 'nobody is there',
  remedy: 'None: this is a test.',
})

/** Hands messages over at once, as NATS does with what came in one packet. */
class PacketBus {
  readonly url = 'nats://nowhere'
  readonly published: Array<{ readonly subject: string; readonly data: Uint8Array }> = []
  readonly #handlers = new Map<string, (message: BusMessage) => void>()

  publish(subject: string, data: Uint8Array): void {
    this.published.push({ subject, data })
  }
  subscribe(subject: string, handler: (message: BusMessage) => void) {
    this.#handlers.set(subject, handler)
    return { subject, unsubscribe: () => void this.#handlers.delete(subject) }
  }
  request = () => Effect.fail(noAnswer)

  deliver(subject: string, data: Uint8Array, respond: () => void = () => {}): void {
    this.#handlers.get(subject)?.({ subject, data, reply: undefined, respond })
  }
}

async function open(
  bus: PacketBus,
  reports: string[],
  names = ['zone-1', 'zone-2'],
  store = new MemoryStore(),
): Promise<ZoneHost> {
  const zones = names.map((name) => ZoneId.make(name))
  const config = {
    project: ProjectId.make('p'),
    zone: zones[0]!,
    zones,
    zoneDirectory: '/nowhere',
    logDirectory: '/nowhere',
    timeline: TimelineId.make('main'),
    endpoint: EndpointId.make('main'),
    durability: 'archived',
  }
  const report = (line: string) => reports.push(line)
  const time = { nowMs: Date.now, monotonicMs: () => performance.now(), timers: realTimers }
  const ports = zonePorts({
    ...time,
    project: config.project,
    bus: bus as never,
    store: store as never,
    newId: randomUUID,
    report: (actor, doing) => report(`${actor}: ${doing}`),
  })
  const world = { ...time, ports, body: {}, newWriter: () => new Uint8Array(16) }
  const link = { failed: async () => {} }
  const parts = { config, bus, lane: bus, store, link, report, ...world }
  const host = new ZoneHost(parts as unknown as ZoneParts)
  await host.start()
  return host
}

/** How often the compute was told this. */
function told(bus: PacketBus, type: string): number {
  return bus.published
    .filter(({ subject }) => subject === 'loch.p.events.compute.c1')
    .map(({ data }) => decodeEnvelope(data))
    .filter((envelope) => !isFault(envelope) && envelope.type === type).length
}

test('two placements of a compute that come together host it once', async () => {
  const bus = new PacketBus()
  const reports: string[] = []
  const host = await open(bus, reports)
  const zone = ZoneId.make('zone-1')
  const names = { endpoint: EndpointId.make('main'), timeline: TimelineId.make('main'), zone }
  const placement = encodePlacement({ compute: ComputeId.make('c1'), ...names, launch: 1 })
  for (let count = 0; count < 2; count++) bus.deliver(placementSubject('p', 'zone-1'), placement)
  await expect.poll(() => told(bus, 'Start')).toBe(2)
  expect(reports.filter((line) => line.includes('hosted already'))).toEqual([])
  await host.close()
})

test('a zone where nobody serves says so to a new writer', async () => {
  const bus = new PacketBus()
  const host = await open(bus, [])
  let answers = 0
  const deposition = encodeDeposition({ timeline: TimelineId.make('main'), term: Term.make(4) })
  bus.deliver(depositionSubject('p', 'zone-1'), Buffer.from('nonsense'), () => answers++)
  bus.deliver(depositionSubject('p', 'zone-1'), deposition, () => answers++)
  await expect.poll(() => answers).toBe(1)
  await host.close()
})

test('a leader stops its computes though the store is down, and nothing can be hosted', async () => {
  const bus = new PacketBus()
  const reports: string[] = []
  const store = new MemoryStore()
  store.down = true
  const host = await open(bus, reports, ['zone-1'], store)
  await expect.poll(() => reports.join()).toContain('it is down')
  const zone = ZoneId.make('zone-1')
  const names = { endpoint: EndpointId.make('main'), timeline: TimelineId.make('main'), zone }
  bus.deliver(placementSubject('p', 'zone-1'), encodePlacement({ compute: ComputeId.make('c1'), ...names, launch: 1 }))
  await expect.poll(() => told(bus, 'Start')).toBe(1)
  await host.quiesce()
  await expect.poll(() => told(bus, 'Stop')).toBe(1)
  await host.close()
})
