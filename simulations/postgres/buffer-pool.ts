/**
 * Shared buffers: pages in memory, loaded when needed and written back at some time, never before the WAL that made them.
 * It remembers which files were written since their last fsync, because a checkpoint has to fsync them. It does not know
 * what a slot holds, nor when a checkpoint is due.
 */
import type { Draws } from '../kernel/draws.ts'
import { Corruption } from './errors.ts'
import type { SimMount } from './mount.ts'
import { isSound, isUnwritten, PAGE_BYTES, type PagePlace, pageLsn, pathOf, sealedCopy, setPageLsn } from './page.ts'

export interface BufferPage {
  readonly place: PagePlace
  readonly bytes: Buffer
  isDirty: boolean
  /** Pages with pins stay in memory. */
  pins: number
  writing: Promise<void> | undefined
}

export interface BufferPoolOptions {
  readonly mount: SimMount
  readonly draws: Draws
  readonly name: string
  readonly pagesMax: number
  /** Makes the WAL durable up to an LSN. */
  readonly flushWal: (lsn: number) => Promise<void>
  /** End of the WAL: no page may be newer. */
  readonly walEnd: () => number
}

export class BufferPool {
  readonly #options: BufferPoolOptions
  readonly #pages = new Map<string, BufferPage>()
  readonly #loads = new Map<string, Promise<BufferPage>>()
  readonly #inodes = new Map<number, number>()
  /** Inode numbers written since their last fsync. */
  #unsynced = new Set<number>()

  constructor(options: BufferPoolOptions) {
    this.#options = options
  }

  get dirtyPages(): readonly BufferPage[] {
    return [...this.#pages.values()].filter(({ isDirty }) => isDirty)
  }

  /** The page, pinned: `unpin` it. Rejects with `Corruption` if the file holds what was never written there. */
  async pin(place: PagePlace): Promise<BufferPage> {
    const name = nameOf(place)
    for (;;) {
      const page = this.#pages.get(name)
      if (page !== undefined) {
        page.pins++
        return page
      }
      const loading = this.#loads.get(name)
      if (loading !== undefined) {
        await loading
        continue
      }
      const load = this.#load(place).finally(() => this.#loads.delete(name))
      this.#loads.set(name, load)
      return await load
    }
  }

  /** The file, made if it is not there. */
  async makeFile(file: number): Promise<void> {
    if (this.#inodes.has(file)) return
    const { mount } = this.#options
    this.#inodes.set(file, (await mount.lookup(pathOf(file))) || (await mount.create(pathOf(file))))
  }

  /** Nobody reads the file any more: its pages are forgotten, and its bytes given back. */
  async dropFile(file: number): Promise<void> {
    const ino = await this.#inode(file)
    for (const [name, page] of this.#pages) {
      if (page.place.file !== file) continue
      page.isDirty = false
      await page.writing?.catch(() => undefined)
      this.#pages.delete(name)
    }
    await this.#options.mount.truncate(ino, 0)
    this.#unsynced.add(ino)
  }

  /** After `dropFile`, when no redo can ask for it. */
  async unlinkFile(file: number): Promise<void> {
    this.#unsynced.delete(await this.#inode(file))
    this.#inodes.delete(file)
    await this.#options.mount.unlink(pathOf(file))
  }

  unpin(page: BufferPage): void {
    page.pins--
  }

  /** An empty page whatever its file holds: redo of a page's first change. */
  async pinEmpty(place: PagePlace): Promise<BufferPage> {
    let page = this.#pages.get(nameOf(place))
    if (page === undefined) {
      await this.#makeRoom()
      page = this.#put(place, Buffer.alloc(PAGE_BYTES))
    }
    page.bytes.fill(0)
    page.pins++
    return page
  }

  changed(page: BufferPage, lsn: number): void {
    setPageLsn(page.bytes, lsn)
    page.isDirty = true
  }

  /** Writes the page unless it is clean. Rejects with `MountFailed`; the page stays dirty then. */
  async writeBack(page: BufferPage): Promise<void> {
    while (page.writing !== undefined) await page.writing.catch(() => undefined)
    if (!page.isDirty) return
    page.writing = this.#write(page).finally(() => {
      page.writing = undefined
    })
    await page.writing
  }

  /** The files to fsync now; they count as synced from here on, since a failed fsync ends the server. */
  takeUnsynced(): readonly number[] {
    const taken = [...this.#unsynced]
    this.#unsynced = new Set()
    return taken
  }

  /** Pages in memory that are newer than the WAL: their WAL was lost, though they must not be written before it. */
  checkAgainstWal(): void {
    for (const { place, bytes } of this.#pages.values()) this.#checkLsn(place, bytes)
  }

  /** Pinned from the first moment on: where there are more pages asked for than buffers, loads would evict each other for ever. */
  async #load(place: PagePlace): Promise<BufferPage> {
    await this.#makeRoom()
    const ino = await this.#inode(place.file)
    const bytes = await this.#options.mount.read(ino, place.block * PAGE_BYTES, PAGE_BYTES)
    const page = this.#put(place, this.#checked(place, bytes))
    page.pins++
    return page
  }

  #checked(place: PagePlace, bytes: Buffer): Buffer {
    if (bytes.length === 0) return Buffer.alloc(PAGE_BYTES)
    if (bytes.length < PAGE_BYTES) throw new Corruption(`${nameOf(place)} ends within the page, at ${bytes.length}`)
    const page = Buffer.from(bytes)
    if (isUnwritten(page)) return page
    if (!isSound(page, place)) throw new Corruption(`${nameOf(place)} fails its checksum`)
    this.#checkLsn(place, page)
    return page
  }

  #checkLsn(place: PagePlace, page: Buffer): void {
    const end = this.#options.walEnd()
    if (pageLsn(page) > end)
      throw new Corruption(`${nameOf(place)} has LSN ${pageLsn(page)}, but the WAL ends at ${end}`)
  }

  #put(place: PagePlace, bytes: Buffer): BufferPage {
    const page: BufferPage = { place, bytes, isDirty: false, pins: 0, writing: undefined }
    this.#pages.set(nameOf(place), page)
    return page
  }

  /** Evicts pages drawn at random while there are too many; pinned ones may exceed the limit. */
  async #makeRoom(): Promise<void> {
    const { draws, name, pagesMax } = this.#options
    while (this.#pages.size >= pagesMax) {
      const idle = [...this.#pages.values()].filter(({ pins }) => pins === 0)
      if (idle.length === 0) return
      const victim = draws.pick(`${name}.evict`, idle)
      if (victim.isDirty) await this.writeBack(victim)
      if (victim.pins === 0 && !victim.isDirty) this.#pages.delete(nameOf(victim.place))
    }
  }

  async #write(page: BufferPage): Promise<void> {
    const { mount, flushWal } = this.#options
    const copy = sealedCopy(page.bytes, page.place)
    await flushWal(pageLsn(copy))
    const ino = await this.#inode(page.place.file)
    await mount.write(ino, page.place.block * PAGE_BYTES, copy)
    this.#unsynced.add(ino)
    if (pageLsn(page.bytes) === pageLsn(copy)) page.isDirty = false
  }

  async #inode(file: number): Promise<number> {
    const known = this.#inodes.get(file)
    if (known !== undefined) return known
    const ino = await this.#options.mount.lookup(pathOf(file))
    if (ino === 0) throw new Corruption(`${pathOf(file)} does not exist`)
    this.#inodes.set(file, ino)
    return ino
  }
}

function nameOf({ file, block }: PagePlace): string {
  return `page ${block} of ${pathOf(file)}`
}
