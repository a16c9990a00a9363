/**
 * One file of the mount in memory: for each page what is durable, and every version it had since. Whoever asks sees the newest
 * version; a crash picks one of them for each page on its own, so even a truncation may happen by half.
 */
import { PAGE_BYTES } from './page.ts'

interface Version {
  /** Undefined where the file had no such page. */
  readonly bytes: Buffer | undefined
}

/** Newest version of each page when an fsync began. */
export type FileMark = ReadonlyMap<number, Version>

const ABSENT: Version = { bytes: undefined }
const ZEROS = Buffer.alloc(PAGE_BYTES)

export class MemoryFile {
  /** Oldest first; the first one is durable. */
  readonly #pages = new Map<number, Version[]>()

  /** Whole pages. */
  get size(): number {
    let pages = 0
    for (const [number, versions] of this.#pages) if (versions.at(-1)!.bytes) pages = Math.max(pages, number + 1)
    return pages * PAGE_BYTES
  }

  read(offset: number, length: number): Buffer {
    const parts: Buffer[] = []
    const end = Math.min(offset + length, this.size)
    for (let at = offset; at < end; at += PAGE_BYTES) {
      parts.push(this.#pages.get(at / PAGE_BYTES)?.at(-1)?.bytes ?? ZEROS)
    }
    return Buffer.concat(parts)
  }

  write(offset: number, page: Buffer): void {
    if (offset % PAGE_BYTES !== 0 || page.length !== PAGE_BYTES) throw new Error('this mount takes whole pages only')
    const number = offset / PAGE_BYTES
    const versions = this.#pages.get(number)
    if (versions === undefined) this.#pages.set(number, [ABSENT, { bytes: page }])
    else versions.push({ bytes: page })
  }

  truncate(size: number): void {
    for (const [number, versions] of this.#pages) {
      if (number * PAGE_BYTES >= size) versions.push({ bytes: undefined })
    }
  }

  mark(): FileMark {
    return new Map([...this.#pages].map(([number, versions]) => [number, versions.at(-1)!]))
  }

  /** Everything that `mark` saw is durable. */
  fsynced(mark: FileMark): void {
    for (const [number, version] of mark) {
      const versions = this.#pages.get(number)
      const at = versions?.indexOf(version) ?? -1
      if (at > 0) versions!.splice(0, at)
    }
  }

  /** `choose` picks one of so many versions. */
  crash(choose: (choices: number) => number): void {
    for (const versions of this.#pages.values()) {
      if (versions.length === 1) continue
      const kept = versions[choose(versions.length)]!
      versions.splice(0, versions.length, kept)
    }
  }
}
