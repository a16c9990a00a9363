/** What can be done to a cluster besides faults: orders to its endpoint, stops in good order, and hosts on which time goes wrong. */
import { crc32 } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { decodeEnvelope, isFault } from '../../events/envelope.ts'
import { actorSubject } from '../../runtime/system/ports.ts'
import { useScheduler } from '../../runtime/system/run.ts'
import { WORLD } from '../kernel/kernel.ts'
import { audit, awaitService } from '../oracles/liveness.ts'
import { clusterOf, quietPlan } from '../oracles/testing.ts'
import { STOP_WITHIN_MS } from './orderly-stop.ts'
import type { SimZone } from './sim-zone.ts'

beforeAll(() => useChecksum((bytes, before) => crc32(bytes, before)))
afterEach(() => useScheduler(undefined))

const SERVES_AFTER_MS = 8_000

async function serving() {
  const { kernel, cluster, oracles } = clusterOf({ ...quietPlan(1), clocks: ZONES.map(() => NO_ERROR) })
  cluster.start()
  await kernel.run(kernel.nowMs + SERVES_AFTER_MS)
  expect(cluster.server?.isServing).toBe(true)
  const host = () => cluster.zones.find((zone) => zone.inspect().actors.some(({ state }) => state === 'serving.active'))
  const pass = (ms: number) => kernel.run(kernel.nowMs + ms)
  const servesToTheEnd = async () => {
    cluster.settle()
    for (const zone of cluster.zones) zone.start()
    oracles.healed(cluster)
    await awaitService(cluster, 3)
    cluster.workload.stop()
    await audit(cluster, kernel.nowMs + 60_000)
  }
  return { kernel, cluster, host, pass, servesToTheEnd }
}

const ZONES = [1, 2, 3]
const NO_ERROR = { skewMs: 0, driftPpm: 0 }

describe('orders to the endpoint', () => {
  test.each(['Disable', 'Suspend'] as const)('%s ends service, until all is settled', async (order) => {
    const { cluster, pass, servesToTheEnd } = await serving()
    cluster.order(order, 1)
    await pass(10_000)
    expect(cluster.server?.isServing).toBe(false)
    await servesToTheEnd()
  })

  test.each([
    ['Disable', 'Enable'],
    ['Suspend', 'Wake'],
  ] as const)('after %s and %s it serves again', async (first, second) => {
    const { cluster, pass } = await serving()
    cluster.order(first, 2)
    await pass(5_000)
    cluster.order(second, 2)
    await pass(10_000)
    expect(cluster.server?.isServing).toBe(true)
  })

  test('Restart gives another launch its turn', async () => {
    const { cluster, pass } = await serving()
    cluster.order('Restart', 1)
    await pass(10_000)
    expect(cluster.servings).toBe(2)
    expect(cluster.server?.isServing).toBe(true)
  })

  test('come as often as they are said, under one id or under several, and not once all is settled', async () => {
    const { kernel, cluster, pass } = await serving()
    const ids: string[] = []
    const ear = cluster.network.connect(WORLD, 'ear')
    ear.subscribe(actorSubject('main', 'endpoint.main'), ({ data }) => {
      const envelope = decodeEnvelope(data)
      if (!isFault(envelope) && envelope.type === 'Wake') ids.push(envelope.id)
    })
    await pass(100)
    const different = new Set<number>()
    for (let count = 0; count < 10; count++) {
      ids.length = 0
      cluster.order('Wake', 3)
      await pass(5_000)
      expect(ids).toHaveLength(3)
      different.add(new Set(ids).size)
    }
    expect([...different].sort()).toEqual([1, 3])
    ids.length = 0
    cluster.order('Wake', 3)
    cluster.settle()
    await kernel.run(kernel.nowMs + 5_000)
    expect(ids).toEqual([])
  }, 30_000)
})

describe('a zone that is told to stop', () => {
  test('stops its compute first, and then ends by itself', async () => {
    const { kernel, cluster, host, pass, servesToTheEnd } = await serving()
    const zone = host()!
    const { server } = cluster
    const exited = server!.exited
    const beginMs = kernel.nowMs
    let goneAtMs = 0
    const gone = zone.stop().then(() => {
      goneAtMs = kernel.nowMs
    })
    expect(zone.isStopping).toBe(true)
    await pass(STOP_WITHIN_MS)
    await gone
    expect(await exited).toMatchObject({ code: 0 })
    expect(zone.isUp || zone.isStopping).toBe(false)
    expect(goneAtMs - beginMs).toBeLessThan(10_000)
    await servesToTheEnd()
  })

  test('and does not, is killed', async () => {
    const { cluster, pass } = await serving()
    const [zone] = cluster.zones
    zone!.pause(Number.MAX_SAFE_INTEGER)
    const gone = zone!.stop()
    await pass(STOP_WITHIN_MS - 100)
    expect(zone!.isUp).toBe(true)
    await pass(200)
    expect(zone!.isUp).toBe(false)
    await gone
  })

  test('is gone, too, if something else ends it', async () => {
    const { cluster, pass } = await serving()
    const [zone] = cluster.zones
    const gone = zone!.stop()
    zone!.kill()
    await gone
    zone!.start()
    await pass(STOP_WITHIN_MS + 1_000)
    expect(zone!.isUp).toBe(true)
  })

  test('has followers: a rolling restart gives every zone a new process and loses nothing', async () => {
    const { cluster, pass, servesToTheEnd } = await serving()
    const processes = cluster.zones.map(({ process }) => process)
    let isOver = false
    void cluster.rollingRestart(3_000).then(() => {
      isOver = true
    })
    let downAtOnce = 0
    while (!isOver) {
      await pass(100)
      downAtOnce = Math.max(downAtOnce, cluster.zones.filter(({ isUp }) => !isUp).length)
    }
    expect(downAtOnce).toBe(1)
    for (const [at, zone] of cluster.zones.entries()) expect(zone.process).not.toBe(processes[at])
    await servesToTheEnd()
  })

  test('a rolling restart ends where all is settled', async () => {
    const { cluster, pass, servesToTheEnd } = await serving()
    const last = cluster.zones.at(-1)!
    const { process } = last
    const [first] = cluster.zones
    void cluster.rollingRestart(3_000)
    await pass(500)
    expect(first!.isStopping).toBe(true)
    cluster.settle()
    expect(first!.isUp).toBe(false)
    await servesToTheEnd()
    await pass(30_000)
    expect(last.process).toBe(process)
  })
})

describe('a host on which time goes wrong', () => {
  /** How many heartbeats a zone sends in half a minute. */
  const beats = async (befall: (zone: SimZone) => void) => {
    const { cluster, pass } = await serving()
    const zone = cluster.zones[2]!
    let count = 0
    const ear = cluster.network.connect(WORLD, 'ear')
    ear.subscribe(`loch.main.heartbeat.${zone.name}`, () => count++)
    await pass(100)
    befall(zone)
    await pass(30_000)
    return count
  }

  const HOUR_MS = 3_600_000

  test('beats on when its clock is set back or forward', async () => {
    const usual = await beats(() => {})
    expect(await beats((zone) => zone.clock.jump(-HOUR_MS))).toBe(usual)
    expect(await beats((zone) => zone.clock.jump(HOUR_MS))).toBeGreaterThanOrEqual(usual)
  }, 60_000)

  test.each([-HOUR_MS, HOUR_MS])(
    'is found to be down, and followed, though all clocks were set by %i ms',
    async (byMs) => {
      const { cluster, pass, servesToTheEnd } = await serving()
      const leaders = () =>
        cluster.zones
          .filter((zone) => zone.isUp && zone.inspect().actors.some(({ actor }) => actor === 'endpoint.main'))
          .map(({ name }) => name)
      for (const zone of cluster.zones) zone.clock.jump(byMs)
      await pass(2_000)
      expect(leaders()).toEqual(['zone-1'])
      cluster.zones[0]!.kill()
      await pass(15_000)
      expect(leaders()).toEqual(['zone-2'])
      expect(cluster.server?.isServing).toBe(true)
      await servesToTheEnd()
    },
    60_000,
  )

  test('beats faster, slower or later than others, and as they do once it is steady', async () => {
    const usual = await beats(() => {})
    expect(await beats((zone) => zone.drift(100_000))).toBeGreaterThan(usual * 1.05)
    expect(await beats((zone) => zone.drift(-100_000))).toBeLessThan(usual * 0.95)
    expect(await beats((zone) => zone.timersLate(100, Number.POSITIVE_INFINITY))).toBeLessThan(usual * 0.95)
    const steadied = await beats((zone) => {
      zone.drift(100_000)
      zone.timersLate(100, Number.POSITIVE_INFINITY)
      zone.steady()
      zone.unload()
    })
    expect(steadied).toBe(usual)
  }, 60_000)
})
