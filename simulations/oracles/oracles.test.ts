import { crc32 } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { useScheduler } from '../../runtime/system/run.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { Plan } from '../plan/plan.ts'
import { SimDisk } from '../world/sim-disk.ts'
import { clusterAfter, quietPlan } from './testing.ts'

beforeAll(() => void useChecksum((bytes, before) => crc32(bytes, before)))
afterEach(() => useScheduler(undefined))

/** What the oracles find at the end of a quiet run that `spoil` has spoiled behind everybody's back. */
async function verdict(spoil: (cluster: SimCluster) => void, plan: Plan = quietPlan(1)): Promise<string> {
  const { kernel, cluster, oracles } = await clusterAfter(plan, 8_000)
  spoil(cluster)
  try {
    await oracles.atEnd(cluster, kernel.nowMs + 10_000)
    return ''
  } catch (error) {
    return (error as { words: string }).words
  }
}

const objectsOf = (cluster: SimCluster) => cluster.bucket.objects as Map<string, Uint8Array>
const keysOf = (cluster: SimCluster, folder: string) =>
  [...objectsOf(cluster).keys()].filter((key) => key.startsWith(`timelines/main/${folder}/`)).sort()

describe('a quiet run', () => {
  test('is without blame, and its crash images recover', async () => {
    const { kernel, cluster, oracles } = await clusterAfter(quietPlan(1), 8_000)
    await oracles.atEnd(cluster, kernel.nowMs + 10_000)
    expect(cluster.ledger.counts.acknowledgedWrites).toBeGreaterThan(50)
    expect(oracles.probes.filter((probe) => probe.startsWith('a crash image')).length).toBeGreaterThan(0)
  })
})

describe('what is caught at the end', () => {
  test('an archived object that is gone', async () => {
    const found = await verdict((cluster) => {
      const keys = keysOf(cluster, 'log')
      objectsOf(cluster).delete(keys[Math.floor(keys.length / 2)]!)
    })
    expect(found).toMatch(/the archive ends at \d+ of term 1, though \d+ was durable/)
  })

  test('an archived object that has rotted', async () => {
    const found = await verdict((cluster) => {
      const body = objectsOf(cluster).get(keysOf(cluster, 'log')[5]!)!
      body[body.length - 1]! ^= 1
    })
    expect(found).toContain('is not a whole frame of that name')
  })

  test('sealed pages that are gone', async () => {
    const found = await verdict((cluster) => {
      for (const key of [...keysOf(cluster, 'segments'), ...keysOf(cluster, 'index')]) objectsOf(cluster).delete(key)
    })
    expect(found).toMatch(/the log up to \d+, folded from .*, is no crash image/)
  })

  test('a journal that lost its end', async () => {
    const found = await verdict((cluster) => objectsOf(cluster).delete(keysOf(cluster, 'journal').at(-1)!))
    expect(found).toMatch(/timeline.main in zone-\d has reached event \d+, but its journal ends at \d+/)
  })

  test('disks that do not hold what they have acknowledged', async () => {
    const found = await verdict((cluster) => {
      for (const zone of cluster.zones.slice(0, 2)) {
        // Not as a fault: that would excuse what is missing.
        zone.kill()
        zone.disk = new SimDisk(cluster.kernel)
        zone.start()
      }
    })
    expect(found).toMatch(/\d+ was durable \(archived\), but of 3 safekeepers only 1 hold it/)
  })
})
