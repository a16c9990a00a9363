/**
 * How pages get from the cache into segments. A seal captures pages, its driver stores their bytes, and then one log entry
 * says that they lie there. Between capture and entry the volume goes on changing; several seals may be in flight and
 * complete in any order. What may be published in the end:
 *
 *   dirty pages   as captured, even if rewritten since: the fsync that waits for it asked for no more. Not if a capture
 *                 that began later has been published already: a page never goes back.
 *   logged pages  only if not rewritten since, so that at the entry's place in the log the segment equals the fold of
 *                 the log before it, and whoever folds may take the one for the other.
 *   void pages    never: the file was cut below them or lost its name, and the log says so already.
 */
import { checksum } from '../../events/checksum.ts'
import { PAGE_BYTES, type SealedEntry } from '../../events/log-entry.ts'
import type { FileBody } from './node.ts'
import { type PageCache, PageState } from './page-cache.ts'
import type { PageTable } from './page-table.ts'

const VOID = -1

export interface SealOptions {
  /** Pages whose content is only in the log too: to make room for others, or to shorten a snapshot. */
  readonly includeLogged: boolean
}

/** How much had ever been queued for sealing at some moment. */
export interface CaptureMark {
  readonly dirty: number
  readonly logged: number
}

/** Pages captured for one segment, in the order in which they stand in it. */
export class Seal {
  readonly id: number
  readonly pageCount: number
  /** Cache slots, or VOID. */
  readonly slots: Int32Array
  readonly bodies: readonly FileBody[]
  readonly blocks: Uint32Array
  readonly checksums: Uint32Array
  wasRead = false

  constructor(id: number, slots: Int32Array, bodies: readonly FileBody[], blocks: Uint32Array) {
    this.id = id
    this.pageCount = slots.length
    this.slots = slots
    this.bodies = bodies
    this.blocks = blocks
    this.checksums = new Uint32Array(slots.length)
  }
}

export class Sealing {
  private readonly cache: PageCache
  private readonly table: PageTable
  private readonly inFlight = new Set<Seal>()
  private lastId = 0

  constructor(cache: PageCache, table: PageTable) {
    this.cache = cache
    this.table = table
  }

  mark(): CaptureMark {
    return { dirty: this.cache.dirtyQueue.pushed, logged: this.cache.loggedQueue.pushed }
  }

  /** True if everything that was queued at that moment has been captured since, or needs it no more. */
  hasCaptured(mark: CaptureMark, { includeLogged }: SealOptions): boolean {
    const { dirtyQueue, loggedQueue } = this.cache
    return dirtyQueue.shifted >= mark.dirty && (!includeLogged || loggedQueue.shifted >= mark.logged)
  }

  /** Captures up to `pageCountMax` pages; undefined if there is nothing to seal that is not captured already. */
  begin(pageCountMax: number, { includeLogged }: SealOptions): Seal | undefined {
    const { cache } = this
    const slots: number[] = []
    for (const [queue, state] of [
      [cache.dirtyQueue, PageState.dirty],
      [cache.loggedQueue, PageState.logged],
    ] as const) {
      if (state === PageState.logged && !includeLogged) continue
      // Dirty pages leave room for logged ones, or a steady stream of them would keep these waiting.
      const share = state === PageState.dirty && includeLogged && cache.loggedQueue.length > 0 ? 2 : 1
      while (slots.length < pageCountMax / share && queue.length > 0) {
        const slot = queue.shift()
        if (cache.state(slot) === state && !cache.isCaptured(slot)) slots.push(slot)
      }
    }
    return slots.length > 0 ? this.capture(slots) : undefined
  }

  /** In the order of files and blocks, so that who reads on finds the next page beside the last. */
  private capture(unordered: number[]): Seal {
    const { cache } = this
    const key = (slot: number): number => cache.owner(slot)!.node.ino
    const slots = Int32Array.from(unordered.sort((a, b) => key(a) - key(b) || cache.block(a) - cache.block(b)))
    const blocks = new Uint32Array(slots.length)
    const bodies: FileBody[] = []
    const id = ++this.lastId
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index]!
      blocks[index] = cache.block(slot)
      bodies.push(cache.owner(slot)!)
      cache.captured(slot, id)
    }
    const seal = new Seal(id, slots, bodies, blocks)
    this.inFlight.add(seal)
    return seal
  }

  /** Copies the pages into `target`, one after the other. Call it before anything else is done with the volume. */
  read(seal: Seal, target: Uint8Array): void {
    seal.wasRead = true
    for (let index = 0; index < seal.pageCount; index++) {
      const at = index * PAGE_BYTES
      const slot = seal.slots[index]!
      if (slot === VOID) continue
      this.cache.bytes.read(slot, target, at, 0, PAGE_BYTES)
      seal.checksums[index] = checksum(target.subarray(at, at + PAGE_BYTES))
    }
  }

  /** The segment is stored: notes where the pages lie, and returns the entry that says so, if there is anything to say. */
  complete(seal: Seal, segmentTerm: number, segmentNumber: number, nowMs: number): SealedEntry | undefined {
    if (!seal.wasRead) throw new Error('defect: a seal is completed whose pages were never read')
    const pages: number[] = []
    const sizes = new Map<number, number>()
    this.settle(seal, (slot, index, unchanged) => {
      if (!this.publishes(slot, seal.id, unchanged)) return
      const body = seal.bodies[index]!
      const block = seal.blocks[index]!
      const sum = seal.checksums[index]!
      if (unchanged) this.cache.cleaned(slot)
      this.table.set(body, block, segmentTerm, segmentNumber, index, sum)
      pages.push(body.node.ino, block, index, sum)
      if (body.node.size === body.loggedSize) return
      body.loggedSize = body.node.size
      sizes.set(body.node.ino, body.node.size)
    })
    if (pages.length === 0) return undefined
    return { type: 'sealed', at: nowMs, segmentTerm, segmentNumber, pages: Uint32Array.from(pages), sizes: [...sizes] }
  }

  private publishes(slot: number, seal: number, unchanged: boolean): boolean {
    if (!unchanged && this.cache.state(slot) !== PageState.dirty) return false
    return this.cache.publish(slot, seal)
  }

  /** The segment was not stored: what it captured waits for the next seal. */
  abandon(seal: Seal): void {
    this.settle(seal, (slot, _, unchanged) => {
      if (unchanged) this.cache.uncaptured(slot)
    })
  }

  /** Pages of the file from `block` on are gone, or nobody needs them durable: no seal in flight publishes them. */
  void(body: FileBody, block: number): void {
    for (const seal of this.inFlight) {
      for (let index = 0; index < seal.pageCount; index++) {
        const slot = seal.slots[index]!
        if (slot === VOID || seal.bodies[index] !== body || seal.blocks[index]! < block) continue
        seal.slots[index] = VOID
        this.cache.landed(slot, seal.id)
      }
    }
  }

  private settle(seal: Seal, each: (slot: number, index: number, unchanged: boolean) => void): void {
    if (!this.inFlight.delete(seal)) throw new Error(`defect: seal ${seal.id} ends twice`)
    for (let index = 0; index < seal.pageCount; index++) {
      const slot = seal.slots[index]!
      if (slot !== VOID) each(slot, index, this.cache.landed(slot, seal.id))
    }
  }
}
