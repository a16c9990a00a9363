/**
 * The files of pg_wal. A segment is made as Postgres makes it: under a temporary name, fsynced, renamed, fsynced again.
 * What stands in the segments is not known here.
 */
import { MountFailed, type SimMount } from './mount.ts'
import { parseSegmentName, segmentName } from './wal-format.ts'

const TEMPORARY = /^xlogtemp\./

export class WalSegments {
  readonly #mount: SimMount
  readonly #inodes = new Map<number, number>()
  readonly #present = new Set<number>()

  constructor(mount: SimMount) {
    this.#mount = mount
  }

  /** Looks what is there, and removes what was left half made. */
  async scan(): Promise<void> {
    for (const name of await this.#mount.list('pg_wal')) {
      const segment = parseSegmentName(name)
      if (segment !== undefined) this.#present.add(segment)
      if (TEMPORARY.test(name)) await this.#mount.unlink(`pg_wal/${name}`)
    }
  }

  /** Inode number, 0 if there is no such segment. */
  async find(segment: number): Promise<number> {
    if (!this.#present.has(segment)) return 0
    let ino = this.#inodes.get(segment)
    if (ino === undefined) {
      ino = await this.#mount.lookup(`pg_wal/${segmentName(segment)}`)
      this.#inodes.set(segment, ino)
    }
    return ino
  }

  async findOrMake(segment: number): Promise<number> {
    return (await this.find(segment)) || this.#make(segment)
  }

  /** A segment that cannot be removed is tried again after the next checkpoint. */
  async removeBefore(segment: number): Promise<void> {
    for (const old of [...this.#present].filter((present) => present < segment)) {
      try {
        await this.#mount.unlink(`pg_wal/${segmentName(old)}`)
      } catch (error) {
        if (error instanceof MountFailed) continue
        throw error
      }
      this.#present.delete(old)
      this.#inodes.delete(old)
    }
  }

  async #make(segment: number): Promise<number> {
    const temporary = `pg_wal/xlogtemp.${segment}`
    const ino = await this.#mount.create(temporary)
    await this.#mount.fsync(ino)
    await this.#mount.rename(temporary, `pg_wal/${segmentName(segment)}`)
    await this.#mount.fsync(ino)
    this.#present.add(segment)
    this.#inodes.set(segment, ino)
    return ino
  }
}
