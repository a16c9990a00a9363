/** For tests of several safekeepers of one timeline, in this process. */
import { findArchiveTail, readArchived } from '../log/archive.ts'
import { run } from '../system/run.ts'
import type { SafekeeperService } from './safekeeper.ts'
import { MemoryDisk, SafekeeperWorld, TIMELINE } from './testing.ts'
import { BASE, TestWriter } from './testing-writer.ts'

export const ZONES = ['zone-1', 'zone-2', 'zone-3']

/** Three zones with a disk each, one bus and one store. */
export class Cluster {
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

  service(zone: string): SafekeeperService {
    return this.services.get(zone)!
  }

  /** Stops all; no file may be left open. */
  end(): void {
    for (const zone of ZONES) this.stop(zone)
    for (const disk of this.disks.values()) if (disk.opened > 0) throw new Error('a file was left open')
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
