/**
 * A disk in memory that loses what was not synced, sector by sector, when the power goes; for tests of safekeepers. Nothing
 * here is used by Loch itself.
 */
import { dirname } from 'node:path'
import { DiskFailed } from '../errors.ts'
import type { DiskFiles } from './disk-files.ts'

/** What a device writes at once: a power failure keeps or loses whole sectors. */
const SECTOR_BYTES = 512

class MemoryFile {
  /** Longer than the file, so that appending does not copy it. */
  #bytes = Buffer.alloc(0)
  #size = 0
  /** As on the platter. */
  #synced = Buffer.alloc(0)
  #syncedSize = 0
  /** Sectors written since the last sync. */
  readonly #dirty = new Set<number>()

  get size(): number {
    return this.#size
  }

  content(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#size))
  }

  read(target: Buffer, at: number, length: number, position: number): number {
    return this.#bytes.copy(target, at, position, Math.min(position + length, this.#size))
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(end)])
    this.#bytes.set(bytes, position)
    this.#size = Math.max(this.#size, end)
    for (let at = Math.floor(position / SECTOR_BYTES); at * SECTOR_BYTES < end; at++) this.#dirty.add(at)
  }

  truncate(size: number): void {
    this.#bytes.fill(0, size)
    for (let at = Math.floor(size / SECTOR_BYTES); at * SECTOR_BYTES < this.#size; at++) this.#dirty.add(at)
    this.#size = size
  }

  sync(): void {
    this.#settle(() => true)
    this.#syncedSize = this.#size
  }

  powerFailure(keeps: (sector: number) => boolean): void {
    let size = this.#syncedSize
    for (const sector of this.#dirty) {
      if (keeps(sector)) size = Math.max(size, Math.min((sector + 1) * SECTOR_BYTES, this.#size))
    }
    this.#settle(keeps)
    this.#bytes = Buffer.alloc(Math.max(size, this.#synced.length))
    this.#synced.copy(this.#bytes)
    this.#size = size
    this.#syncedSize = size
  }

  /** Dirty sectors that `keeps` names reach the platter. */
  #settle(keeps: (sector: number) => boolean): void {
    const lacking = this.#bytes.length - this.#synced.length
    if (lacking > 0) this.#synced = Buffer.concat([this.#synced, Buffer.alloc(lacking)])
    for (const sector of this.#dirty) {
      const at = sector * SECTOR_BYTES
      if (keeps(sector)) this.#bytes.copy(this.#synced, at, at, at + SECTOR_BYTES)
    }
    this.#dirty.clear()
  }
}

/** Files in memory. `powerFailure` keeps what was synced, and of the rest what `keeps` says. */
export class MemoryDisk implements DiskFiles {
  #names = new Map<string, MemoryFile>()
  #syncedNames = new Map<string, MemoryFile>()
  readonly #open = new Map<number, MemoryFile>()
  #descriptors = 10
  syncs = 0
  /** Set to make calls of a kind fail with this code. */
  fails: { create?: string; write?: string; sync?: string; remove?: string } = {}
  /** Called before anything is changed; a test throws here to stand for a crash. */
  beforeChange: () => void = () => {}

  makeDirectory(): void {}
  list(path: string): readonly string[] {
    return [...this.#names.keys()].filter((name) => dirname(name) === path).map((name) => name.slice(path.length + 1))
  }
  readWhole(path: string): Buffer | undefined {
    return this.#names.get(path)?.content()
  }
  open(path: string, create: boolean): number {
    const there = this.#names.get(path)
    if (create === (there !== undefined)) throw failure(path, create ? 'EEXIST' : 'ENOENT')
    if (create) this.beforeChange()
    if (create && this.fails.create) throw failure(path, this.fails.create)
    const file = there ?? new MemoryFile()
    this.#names.set(path, file)
    this.#open.set(++this.#descriptors, file)
    return this.#descriptors
  }
  close(file: number): void {
    if (!this.#open.delete(file)) throw failure(`file ${file}`, 'EBADF')
  }
  size(file: number): number {
    return this.#of(file).size
  }
  read(file: number, target: Buffer, at: number, length: number, position: number): number {
    return this.#of(file).read(target, at, length, position)
  }
  write(file: number, parts: readonly Uint8Array[], position: number): void {
    this.beforeChange()
    const bytes = Buffer.concat(parts)
    // A full disk takes a part of what is written.
    if (this.fails.write) this.#of(file).write(bytes.subarray(0, bytes.length / 2), position)
    if (this.fails.write) throw failure(`file ${file}`, this.fails.write)
    this.#of(file).write(bytes, position)
  }
  truncate(file: number, size: number): void {
    this.beforeChange()
    this.#of(file).truncate(size)
  }
  sync(file: number): void {
    this.beforeChange()
    if (this.fails.sync) throw failure(`file ${file}`, this.fails.sync)
    this.syncs++
    this.#of(file).sync()
  }
  syncDirectory(path: string): void {
    this.beforeChange()
    if (this.fails.sync) throw failure(path, this.fails.sync)
    this.#syncedNames = new Map(this.#names)
  }
  rename(from: string, to: string): void {
    this.beforeChange()
    const file = this.#names.get(from)
    if (!file) throw failure(from, 'ENOENT')
    this.#names.delete(from)
    this.#names.set(to, file)
  }
  remove(path: string): void {
    this.beforeChange()
    if (this.fails.remove) throw failure(path, this.fails.remove)
    this.#names.delete(path)
  }

  /** Puts bytes of a test's own in place, durably. */
  place(path: string, bytes: Uint8Array): void {
    const file = new MemoryFile()
    file.write(bytes, 0)
    file.sync()
    this.#names.set(path, file)
    this.#syncedNames.set(path, file)
  }

  paths(): readonly string[] {
    return [...this.#names.keys()].sort()
  }

  /** Number of files that are open. */
  get opened(): number {
    return this.#open.size
  }

  /** The process dies: what was written is there. */
  kill(): void {
    this.#open.clear()
  }

  /** The host loses power: names are as last synced, and of what was not synced, only what `keeps` says is there. */
  powerFailure(keeps: (sector: number) => boolean = () => false): void {
    this.kill()
    this.#names = new Map(this.#syncedNames)
    for (const file of new Set(this.#names.values())) file.powerFailure(keeps)
  }

  #of(file: number): MemoryFile {
    const found = this.#open.get(file)
    if (!found) throw failure(`file ${file}`, 'EBADF')
    return found
  }
}

function failure(value: string, code: string): DiskFailed {
  return new DiskFailed({ component: 'memory disk', value, problem: code, remedy: 'None: this is a test.' })
}
