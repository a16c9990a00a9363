/**
 * One file of the mount in memory: for each page what is durable, and every version it had since. Whoever asks sees the newest
 * version; a crash picks one of them for each page on its own.
 */
import { PAGE_BYTES } from './page.ts'

/** Versions of each page when an fsync began. */
export type FileMark = ReadonlyMap<number, Buffer>

const ZEROS = Buffer.alloc(PAGE_BYTES)

export class MemoryFile {
  /** Oldest first; the first one is durable, undefined where nothing is. */
  readonly #pages = new Map<number, Array<Buffer | undefined>>()

  /** Whole pages. */
  get size(): number {
    let pages = 0
    for (const [number, versions] of this.#pages) if (versions.at(-1) !== undefined) pages = Math.max(pages, number + 1)
    return pages * PAGE_BYTES
  }

  read(offset: number, length: number): Buffer {
    const parts: Buffer[] = []
    const end = Math.min(offset + length, this.size)
    for (let at = offset; at < end; at += PAGE_BYTES) parts.push(this.#pages.get(at / PAGE_BYTES)?.at(-1) ?? ZEROS)
    return Buffer.concat(parts)
  }

  write(offset: number, page: Buffer): void {
    if (offset % PAGE_BYTES !== 0 || page.length !== PAGE_BYTES) throw new Error('this mount takes whole pages only')
    const number = offset / PAGE_BYTES
    const versions = this.#pages.get(number)
    if (versions === undefined) this.#pages.set(number, [undefined, page])
    else versions.push(page)
  }

  /** Durable at once: simulated Postgres truncates nothing whose loss would matter. */
  truncate(size: number): void {
    for (const number of [...this.#pages.keys()]) if (number * PAGE_BYTES >= size) this.#pages.delete(number)
  }

  mark(): FileMark {
    return new Map([...this.#pages].flatMap(([number, versions]) => mapped(number, versions.at(-1))))
  }

  /** Everything that `mark` saw is durable. */
  fsynced(mark: FileMark): void {
    for (const [number, page] of mark) {
      const versions = this.#pages.get(number)
      const at = versions?.indexOf(page) ?? -1
      if (at > 0) versions!.splice(0, at)
    }
  }

  /** `choose` picks one of so many versions. */
  crash(choose: (choices: number) => number): void {
    for (const [number, versions] of [...this.#pages]) {
      const kept = versions.length === 1 ? versions[0] : versions[choose(versions.length)]
      if (kept === undefined) this.#pages.delete(number)
      else this.#pages.set(number, [kept])
    }
  }
}

function mapped(number: number, page: Buffer | undefined): Array<[number, Buffer]> {
  return page === undefined ? [] : [[number, page]]
}
