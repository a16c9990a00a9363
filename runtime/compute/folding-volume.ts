/**
 * A volume before it serves: the host hands it a snapshot and log bytes, and it folds them, asking for the pages and index
 * blocks that an entry needs. Its driver passes messages in and out; in production that is the volume's thread.
 */
import { decodeEntry, entrySize } from '../../events/log-entry.ts'
import { Damaged } from '../errors.ts'
import { NEEDS_SEAL, WANTS_BYTES, type Wanted } from '../volume/types.ts'
import type { Volume } from '../volume/volume.ts'
import type { FromVolume, ToVolume } from './volume-messages.ts'

/** Log bytes not yet folded, because an entry needs bytes that are on their way. */
interface Folding {
  readonly bytes: Buffer
  readonly position: number
  at: number
}

type FoldMessage = Extract<ToVolume, { kind: 'restore' | 'fold' | 'fetched' }>

export class FoldingVolume {
  readonly #volume: Volume
  readonly #post: (message: FromVolume) => void
  readonly #queue: Folding[] = []
  #fetching = 0

  constructor(volume: Volume, post: (message: FromVolume) => void) {
    this.#volume = volume
    this.#post = post
  }

  /** Throws Damaged if bytes that the log needs are missing; whatever it throws, the volume must not be used again. */
  take(message: FoldMessage): void {
    switch (message.kind) {
      case 'restore':
        if (message.fileTable) this.#volume.restore(message.fileTable)
        this.#post({ kind: 'restored' })
        break
      case 'fold':
        this.#queue.push({ bytes: Buffer.from(message.bytes), position: message.position, at: 0 })
        this.#fold()
        break
      case 'fetched':
        this.#fetching--
        this.#deliver(message.wanted, message.bytes)
        this.#fold()
        break
    }
  }

  #fold(): void {
    while (this.#queue.length > 0 && this.#fetching === 0) {
      const part = this.#queue[0]!
      if (!this.#foldPart(part)) return
      this.#queue.shift()
      this.#post({ kind: 'folded', position: part.position + part.bytes.length })
    }
  }

  #foldPart(part: Folding): boolean {
    while (part.at < part.bytes.length) {
      const size = entrySize(part.bytes, part.at)
      const entry = size > 0 ? decodeEntry(part.bytes, part.at) : undefined
      if (!entry) throw new Error(`log entry at position ${part.position + part.at} is of a newer version or not whole`)
      const result = this.#volume.apply(entry, part.position + part.at + size)
      if (result === WANTS_BYTES) {
        this.#requestWanted()
        return false
      }
      if (result === NEEDS_SEAL) throw new Error('the page cache is smaller than the log to fold: raise --cache-size')
      part.at += size
    }
    return true
  }

  #requestWanted(): void {
    for (const wanted of this.#volume.wanted) {
      this.#fetching++
      this.#post({ kind: 'fetch', wanted })
    }
  }

  #deliver(wanted: Wanted, bytes: Uint8Array | undefined): void {
    if (bytes && this.#volume.deliver(wanted, bytes)) return
    throw new Damaged({
      component: 'volume',
      value: wanted.kind === 'index' ? wanted.key : `page ${wanted.block} of inode ${wanted.ino}`,
      problem: 'the log to fold needs these bytes, and they are missing or damaged',
      remedy: 'Restore the object from a backup of the store; nothing has been changed.',
    })
  }
}
