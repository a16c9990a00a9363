/**
 * Frames that were just received, for the archiver: it makes its objects of them in the same tick or soon after, and reading
 * them back from the disk costs two system calls and a checksum for each. Bounded, and only a copy: what is not here any
 * more is in the log.
 */
import type { FrameHeader } from '../../events/frame.ts'

/** Two large frames, or what gathers while small ones may wait. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024
/** Room to begin with: it grows with what comes, which on most timelines is little. */
const KEPT_BYTES_FIRST = 64 * 1024
/** Of frames of a few bytes. */
const KEPT_FRAMES_MAX = 8192

interface Kept {
  readonly header: FrameHeader
  readonly at: number
}

const NOTHING = Buffer.alloc(0)

export class RecentFrames {
  #bytes: Buffer = NOTHING
  #used = 0
  /** One after the other, without gaps. */
  #frames: Kept[] = []
  /** Where the last search ended: most reads go on there. */
  #cursor = 0

  /** Keeps a copy of a frame that was appended to the log. Those below `needed` are of no use any more. */
  add(header: FrameHeader, payload: Uint8Array, needed: number): void {
    const last = this.#frames[this.#frames.length - 1]?.header
    const end = last ? last.begin + last.length : header.begin
    const isFull = this.#used + header.length > KEPT_BYTES_MAX || this.#frames.length === KEPT_FRAMES_MAX
    if (isFull || end <= needed || end !== header.begin) this.clear()
    this.#makeRoom(this.#used + header.length)
    this.#bytes.set(payload, this.#used)
    this.#frames.push({ header, at: this.#used })
    this.#used += header.length
  }

  /** Like `DiskLog.readFrame`; undefined if the frame is not kept. */
  read(position: number, target: Buffer, at: number): FrameHeader | undefined {
    const kept = this.#find(position)
    if (kept === undefined) return undefined
    const { header } = kept
    if (header.length <= target.length - at) this.#bytes.copy(target, at, kept.at, kept.at + header.length)
    return header
  }

  clear(): void {
    this.#used = 0
    this.#frames = []
    this.#cursor = 0
  }

  #makeRoom(bytes: number): void {
    const present = this.#bytes
    if (bytes <= present.length) return
    const wanted = Math.max(bytes, KEPT_BYTES_FIRST, 2 * present.length)
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(wanted, KEPT_BYTES_MAX))
    present.copy(this.#bytes, 0, 0, this.#used)
  }

  #find(position: number): Kept | undefined {
    if ((this.#frames[this.#cursor]?.header.begin ?? 0) > position) this.#cursor = 0
    for (; this.#cursor < this.#frames.length; this.#cursor++) {
      const kept = this.#frames[this.#cursor]!
      if (position < kept.header.begin) return undefined
      if (position < kept.header.begin + kept.header.length) return kept
    }
    return undefined
  }
}
