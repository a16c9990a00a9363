/**
 * A file on a simulated disk: what the kernel shows of it, and what of that is not on the platter. Only the difference is
 * kept, sector by sector, so a sync costs what was written since the last one. Names, errors and faults are the disk's.
 */
import type { Draws } from '../kernel/draws.ts'

/** What a device writes at once: a power failure keeps or loses whole sectors. */
export const SECTOR_BYTES = 512

const EMPTY = Buffer.alloc(0)
/** For a sector that was never written. */
const ZEROS = Buffer.alloc(SECTOR_BYTES)

export class SimFile {
  /** What the kernel shows; longer than the file, so that appending does not copy it, and zero beyond its end. */
  #bytes = EMPTY
  #size = 0
  #platterSize = 0
  /** Sectors that differ from the platter, with what is there. */
  readonly #platter = new Map<number, Buffer>()
  /**
   * Those that the next sync writes. A sync that failed leaves some out that are still not on the platter. What lies wholly
   * beyond the platter's end is dirty without being listed, here or above, until `#listTail`: appending must cost nothing.
   */
  readonly #dirty = new Set<number>()
  /** Least size since the last sync, if it was cut below what is on the platter. */
  #cutTo: number | undefined
  /** Sectors that a sync that lied has left in the disk's own cache, with what is below; undefined if none has. */
  #below: { readonly size: number; readonly sectors: Map<number, Buffer> } | undefined
  /** Before it no byte has changed since `takeChanged`. */
  #changedFrom = 0

  get size(): number {
    return this.#size
  }

  content(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#size))
  }

  read(target: Buffer, at: number, length: number, position: number): number {
    return this.#bytes.copy(target, at, position, Math.min(position + length, this.#size))
  }

  /** For whoever looks on: what the kernel shows, not to be kept or changed. */
  get shown(): Buffer {
    return this.#bytes.subarray(0, this.#size)
  }

  /** For whoever looks on, and only for one: the first byte that may have changed since the last call. */
  takeChanged(): number {
    const from = this.#changedFrom
    this.#changedFrom = Number.POSITIVE_INFINITY
    return from
  }

  /** For whoever looks on: of what is shown, how many bytes from the beginning survive a loss of power, come what may. */
  get certainBytes(): number {
    let certain = Math.min(this.#size, this.#platterSize)
    for (const [sector, there] of this.#platter) {
      const at = sector * SECTOR_BYTES
      for (let byte = at; byte < Math.min(at + SECTOR_BYTES, certain); byte++)
        if (this.#bytes[byte] !== (there[byte - at] ?? 0)) certain = byte
    }
    return certain
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    this.#changedFrom = Math.min(this.#changedFrom, position)
    this.#touch(position, end)
    this.#reserve(end)
    this.#bytes.set(bytes, position)
    this.#size = Math.max(this.#size, end)
  }

  truncate(size: number): void {
    this.#touch(size, this.#size)
    this.#changedFrom = Math.min(this.#changedFrom, size)
    if (size < this.#size) this.#bytes.fill(0, size, this.#size)
    else this.#reserve(size)
    this.#size = size
    if (size < this.#platterSize) this.#cutTo = Math.min(this.#cutTo ?? size, size)
  }

  sync(): void {
    this.#below = undefined
    this.#takeForWritten()
  }

  /**
   * A sync of a disk that keeps it in a cache of its own, which only a loss of power empties: a later sync writes that too. To the
   * kernel, and to whoever looks on, it is on the platter. Not for a file that is cut: a file system has a journal for that, and a
   * log that was cut for another term would come back as that term's.
   */
  lie(): void {
    this.#listTail()
    this.#below ??= { size: this.#platterSize, sectors: new Map() }
    const { sectors } = this.#below
    for (const sector of this.#dirty) if (!sectors.has(sector)) sectors.set(sector, this.#platter.get(sector)!)
    this.#takeForWritten()
  }

  #takeForWritten(): void {
    for (const sector of this.#dirty) this.#platter.delete(sector)
    this.#becomeClean()
  }

  /** As on Linux: the kernel gives up what it could not write, and takes it for clean. Some of it may be on the platter. */
  failSync(draws: Draws): void {
    this.#listTail()
    const share = draws.uniform('disk.failed-sync.share')
    for (const sector of this.#dirty) if (draws.chance('disk.failed-sync', share)) this.#platter.delete(sector)
    this.#cutCache()
    this.#becomeClean()
    // Of what was cut off nothing shows again, and what comes there later is dirty without being listed.
    const tail = this.#tailSector()
    for (const sector of this.#platter.keys()) if (sector >= tail) this.#platter.delete(sector)
  }

  /** The kernel drops clean pages from memory, and what a failed sync did not write shows again as it is on the platter. */
  evict(): void {
    if (!this.hasUnwritten) return
    for (const [sector, there] of this.#platter) if (!this.#dirty.has(sector)) this.#revert(sector, there)
  }

  /** True if something is cut off that the platter still has. */
  get isCut(): boolean {
    return this.#cutTo !== undefined
  }

  /** True if a sync that failed left something out. */
  get hasUnwritten(): boolean {
    return this.#platter.size > this.#dirty.size
  }

  /** Power is lost: each unsynced sector is on the platter, or is not. */
  crash(draws: Draws): void {
    this.#changedFrom = 0
    this.#crashKernel(draws)
    this.#crashCache(draws)
  }

  #crashKernel(draws: Draws): void {
    this.evict()
    this.#listTail()
    if (this.#dirty.size === 0 && this.#size === this.#platterSize) return
    const share = drawShare(draws)
    const isCut = this.#cutTo !== undefined && draws.chance('disk.crash.cut', share)
    if (this.#cutTo !== undefined && !isCut) this.#revertFrom(this.#cutTo)
    if (isCut) this.#cutCache()
    let size = isCut ? this.#cutTo! : this.#platterSize
    for (const sector of this.#dirty) {
      if (!draws.chance('disk.crash.sector', share)) continue
      this.#platter.delete(sector)
      size = Math.max(size, Math.min((sector + 1) * SECTOR_BYTES, this.#size))
    }
    for (const [sector, there] of this.#platter) this.#revert(sector, isCut ? this.#cutFrom(sector, there) : there)
    this.#bytes.fill(0, size)
    this.#reserve(size)
    this.#size = size
    this.#becomeClean()
  }

  /** What a sync that lied has left is lost as what was never synced is. */
  #crashCache(draws: Draws): void {
    if (this.#below === undefined) return
    const { size, sectors } = this.#below
    const share = draws.pick('disk.crash.cache', [0, draws.uniform('disk.crash.cache.share'), 1])
    let end = size
    for (const [sector, below] of sectors) {
      if (draws.chance('disk.crash.cache.sector', share)) end = Math.max(end, (sector + 1) * SECTOR_BYTES)
      else this.#revert(sector, below)
    }
    this.#size = Math.min(end, this.#size)
    this.#bytes.fill(0, this.#size)
    this.sync()
  }

  /** Of what is cut off nothing comes back from below the cache either. */
  #cutCache(): void {
    if (this.#below === undefined || this.#cutTo === undefined) return
    const { size, sectors } = this.#below
    for (const [sector, below] of sectors) sectors.set(sector, this.#cutFrom(sector, below))
    this.#below = { size: Math.min(size, this.#cutTo), sectors }
  }

  /** Flips one bit of what is on the platter; undefined if nothing is. */
  flipBit(draws: Draws): number | undefined {
    if (this.#platterSize === 0) return undefined
    const position = draws.between('disk.flip.position', 0, this.#platterSize - 1)
    this.flipBitAt(position, draws)
    return position
  }

  flipBitAt(position: number, draws: Draws): void {
    const sector = Math.floor(position / SECTOR_BYTES)
    const there = this.#platter.get(sector)
    const mask = 1 << draws.between('disk.flip.bit', 0, 7)
    if (there !== undefined) this.#platter.set(sector, Buffer.from(there))
    const [bytes, at] = there ? [this.#platter.get(sector)!, position % SECTOR_BYTES] : [this.#bytes, position]
    bytes[at] = bytes[at]! ^ mask
    this.#changedFrom = Math.min(this.#changedFrom, position)
  }

  #becomeClean(): void {
    this.#dirty.clear()
    this.#platterSize = this.#size
    this.#cutTo = undefined
  }

  /** [from, to) is about to change. */
  #touch(from: number, to: number): void {
    const end = Math.min(Math.ceil(to / SECTOR_BYTES), this.#tailSector())
    for (let sector = Math.floor(from / SECTOR_BYTES); sector < end; sector++) {
      if (this.#dirty.has(sector)) continue
      this.#dirty.add(sector)
      const at = sector * SECTOR_BYTES
      if (!this.#platter.has(sector))
        this.#platter.set(sector, Buffer.from(this.#bytes.subarray(at, at + SECTOR_BYTES)))
    }
  }

  #listTail(): void {
    for (let sector = this.#tailSector(); sector * SECTOR_BYTES < this.#size; sector++) {
      this.#dirty.add(sector)
      this.#platter.set(sector, ZEROS)
    }
  }

  #tailSector(): number {
    return Math.ceil(this.#platterSize / SECTOR_BYTES)
  }

  /** The cut never reached the platter, and so nothing that was written beyond it did. */
  #revertFrom(position: number): void {
    for (const [sector, there] of this.#platter) {
      if ((sector + 1) * SECTOR_BYTES <= position) continue
      this.#dirty.delete(sector)
      this.#revert(sector, there)
    }
  }

  #cutFrom(sector: number, there: Buffer): Buffer {
    const keeps = Math.max(0, Math.min(this.#cutTo! - sector * SECTOR_BYTES, SECTOR_BYTES))
    return keeps === SECTOR_BYTES ? there : Buffer.concat([there.subarray(0, keeps), ZEROS.subarray(keeps)])
  }

  #revert(sector: number, there: Buffer): void {
    const at = sector * SECTOR_BYTES
    this.#changedFrom = Math.min(this.#changedFrom, at)
    this.#reserve(at + SECTOR_BYTES)
    this.#bytes.set(there, at)
    this.#platter.delete(sector)
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return
    const wanted = Math.max(this.#bytes.length * 2, size)
    const grown = Buffer.alloc(Math.ceil(wanted / CAPACITY_STEP_BYTES) * CAPACITY_STEP_BYTES)
    this.#bytes.copy(grown)
    this.#bytes = grown
  }
}

/** Whole sectors. */
const CAPACITY_STEP_BYTES = 4 * 1024

/** All, nothing or some of what was not synced survives: each third of the time. */
function drawShare(draws: Draws): number {
  const kind = draws.uniform('disk.crash.kind') * 3
  if (kind < 1) return 0
  return kind < 2 ? 1 : draws.uniform('disk.crash.share')
}
