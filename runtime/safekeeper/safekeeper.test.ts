import { afterEach, describe, expect, test } from 'vitest'
import { findArchiveTail, readArchived } from '../log/archive.ts'
import { run } from '../system/run.ts'
import type { SafekeeperService } from './safekeeper.ts'
import { MemoryDisk, SafekeeperWorld, settle, TIMELINE } from './testing.ts'
import { BASE, TestWriter } from './testing-writer.ts'

const ZONES = ['zone-1', 'zone-2', 'zone-3']

class Cluster {
  readonly world: SafekeeperWorld
  readonly disks = new Map<string, MemoryDisk>(ZONES.map((zone) => [zone, new MemoryDisk()]))
  readonly services = new Map<string, SafekeeperService>()

  constructor(options: { readonly synchronous?: boolean } = {}) {
    this.world = new SafekeeperWorld(options)
  }

  async start(...zones: readonly string[]): Promise<void> {
    for (const zone of zones.length > 0 ? zones : ZONES) {
      const peers = ZONES.filter((other) => other !== zone)
      this.services.set(zone, await this.world.open(zone, this.disk(zone), peers))
    }
  }

  stop(zone: string): void {
    this.services.get(zone)?.stop()
    this.services.delete(zone)
  }

  disk(zone: string): MemoryDisk {
    return this.disks.get(zone)!
  }

  writer(term: number): TestWriter {
    return new TestWriter(this.world, ZONES, term)
  }

  async archivedText(from = 0): Promise<string> {
    const tail = (await run(findArchiveTail(this.world.store, TIMELINE, BASE)))!
    const parts: Buffer[] = []
    await run(
      readArchived(this.world.store, TIMELINE, tail.history, { ...BASE, position: from }, tail.end, async (bytes) => {
        parts.push(Buffer.from(bytes))
      }),
    )
    return Buffer.concat(parts).toString()
  }
}

let cluster = new Cluster()
const begin = async (options: { readonly synchronous?: boolean } = {}) => {
  cluster = new Cluster(options)
  await cluster.start()
  return cluster
}
afterEach(() => {
  for (const zone of ZONES) cluster.stop(zone)
  for (const zone of ZONES) expect(cluster.disk(zone).opened).toBe(0)
})

for (const synchronous of [true, false]) {
  describe(`three safekeepers and a store that creates ${synchronous ? 'synchronously' : 'later'}`, () => {
    test('what is acknowledged is on a majority and in the archive', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-2' })
      expect(await writer.append('one,')).toBe(writer.durable)
      expect(await writer.append('two,')).toBe(writer.durable)
      expect(await cluster.archivedText()).toBe('one,two,')
      expect(world.reports).toEqual([])
      expect(cluster.services.get('zone-2')?.status()).toMatchObject({ state: 'archiving', archived: 8, flushed: 8 })
      expect(cluster.services.get('zone-1')?.status()).toMatchObject({ state: 'following', archived: 0, flushed: 8 })
    })
  })
}

test('the log survives a power failure of all zones', async () => {
  await begin()
  const first = cluster.writer(1)
  await first.reign({ duty: 'zone-1' })
  await first.append('one,')
  for (const zone of ZONES) cluster.stop(zone)
  for (const disk of cluster.disks.values()) disk.powerFailure()
  await cluster.start()
  const second = cluster.writer(2)
  await second.reign({ duty: 'zone-2' })
  expect(second.tail?.position).toBe(4)
  await second.append('two,')
  await settle()
  expect(await cluster.archivedText()).toBe('one,two,')
})
