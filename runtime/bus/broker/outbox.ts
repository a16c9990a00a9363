/**
 * What waits to be sent to one client. Lines and small payloads are gathered in one slab, so that all that one read of a
 * publisher brings for a subscriber leaves in one write; large payloads are sent from where they arrived. While the
 * kernel takes nothing more, messages gather here and are counted: the broker decides how many are too many.
 */
import type { Socket } from 'node:net'

/** Room for what one read of a socket (64 KiB) usually brings. */
const SLAB_BYTES = 64 * 1024
/** Payloads up to this size are cheaper to copy than to send as a piece of their own (measured: 8 KiB is not). */
const COPIED_BYTES_MAX = 4 * 1024
const NOTHING = Buffer.alloc(0)

export class Outbox {
  readonly #socket: Socket
  #slab: Buffer | undefined
  /** The part of the slab that holds what is not yet in `#pieces`. */
  #slabFrom = 0
  #slabTo = 0
  #pieces: Buffer[] = []
  #piecesBytes = 0
  #blockedSinceMs = -1
  #ending = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Bytes that the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.#piecesBytes + (this.#slabTo - this.#slabFrom) + this.#socket.writableLength
  }

  /** Since when (performance.now) the kernel has taken nothing; -1 if it takes all. */
  get blockedSinceMs(): number {
    return this.#blockedSinceMs
  }

  /** Appends a line, which ends in CRLF and is latin1, and the body that follows it. Nothing is sent before `flush`. */
  add(line: string, body: Buffer | undefined): void {
    // While blocked, everything is copied: a view would keep all of the read that it came with.
    const isCopied = body !== undefined && (body.length <= COPIED_BYTES_MAX || this.#blockedSinceMs >= 0)
    const copied = isCopied ? body.length : 0
    const slab = this.#slabFor(line.length + copied)
    this.#slabTo += slab.write(line, this.#slabTo, line.length, 'latin1')
    if (body === undefined) return
    if (copied > 0) {
      slab.set(body, this.#slabTo)
      this.#slabTo += copied
    } else {
      this.#closePiece()
      this.#pieces.push(body)
      this.#piecesBytes += body.length
    }
  }

  /** Hands all that waits to the kernel, unless it is still busy with what it was given before. */
  flush(): void {
    if (this.#blockedSinceMs >= 0 || this.#socket.destroyed) return
    this.#closePiece()
    const pieces = this.#pieces
    if (pieces.length === 0) return
    this.#pieces = []
    this.#piecesBytes = 0
    this.#write(pieces)
    // A length of 0 means that the kernel has copied everything, so the slab may be written over.
    if (this.#socket.writableLength === 0) {
      this.#slabFrom = 0
      this.#slabTo = 0
    } else {
      this.#slab = undefined
      this.#wait()
    }
  }

  /** Flushes, and closes the socket when all is sent. */
  end(): void {
    this.#ending = true
    this.flush()
    if (this.#blockedSinceMs < 0) this.#socket.end()
  }

  #write(pieces: readonly Buffer[]): void {
    if (pieces.length === 1) {
      this.#socket.write(pieces[0]!)
      return
    }
    this.#socket.cork()
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.uncork()
  }

  /** 'drain' does not come after small writes; the callback of an empty one does. */
  #wait(): void {
    this.#blockedSinceMs = performance.now()
    this.#socket.write(NOTHING, () => {
      this.#blockedSinceMs = -1
      if (this.#ending) this.end()
      else this.flush()
    })
  }

  #slabFor(bytes: number): Buffer {
    if (this.#slab !== undefined && this.#slab.length - this.#slabTo >= bytes) return this.#slab
    this.#closePiece()
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes))
    this.#slabFrom = 0
    this.#slabTo = 0
    return this.#slab
  }

  #closePiece(): void {
    if (this.#slab === undefined || this.#slabTo === this.#slabFrom) return
    const piece = this.#slab.subarray(this.#slabFrom, this.#slabTo)
    this.#slabFrom = this.#slabTo
    this.#pieces.push(piece)
    this.#piecesBytes += piece.length
  }
}
