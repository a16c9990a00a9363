/**
 * Bytes that operations lack, on their way from object storage: each asked for once, however many wait for it, and who
 * waits is told when all of its own have come. Used by the volume's thread while it serves.
 */
import type { Wanted } from '../volume/types.ts'
import type { Volume } from '../volume/volume.ts'
import type { Post } from './volume-service.ts'

interface Waiting {
  left: number
  failed: boolean
  readonly done: (arrived: boolean) => void
}

export class WantedBytes {
  private readonly volume: Volume
  private readonly post: Post
  private readonly waiting = new Map<string, Waiting[]>()

  constructor(volume: Volume, post: Post) {
    this.volume = volume
    this.post = post
  }

  /** Asks for what `volume.wanted` names now; `done` is told whether all of it came. */
  request(done: (arrived: boolean) => void): void {
    const waiting: Waiting = { left: 0, failed: false, done }
    for (const wanted of this.volume.wanted) {
      waiting.left++
      const key = keyOf(wanted)
      const others = this.waiting.get(key)
      if (others) {
        others.push(waiting)
        continue
      }
      this.waiting.set(key, [waiting])
      this.post({ kind: 'fetch', wanted })
    }
    if (waiting.left === 0) throw new Error('defect: an operation wants bytes but names none')
  }

  /** `bytes` is undefined if they will not come. */
  arrived(wanted: Wanted, bytes: Uint8Array | undefined): void {
    const key = keyOf(wanted)
    const waiting = this.waiting.get(key) ?? []
    this.waiting.delete(key)
    const taken = bytes !== undefined && this.volume.deliver(wanted, bytes)
    if (bytes && !taken) this.post({ kind: 'damaged', wanted })
    for (const one of waiting) {
      if (!taken) one.failed = true
      if (--one.left === 0) one.done(!one.failed)
    }
  }
}

function keyOf(wanted: Wanted): string {
  return wanted.kind === 'page' ? `${wanted.ino}/${wanted.block}` : `${wanted.key}@${wanted.offset}`
}
