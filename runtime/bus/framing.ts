/**
 * How NATS cuts its stream of bytes, in both directions: lines, some of which are followed by a payload of a size that they
 * name. It works on whatever pieces the socket delivers, never turns a payload into a string, and copies a payload only if
 * it arrived in more than one piece. What a line says is not known here.
 */

/** Behind every payload. */
export const CRLF_BYTES = 2

export interface Framed {
  /**
   * One line, without its end. Returns how many bytes of payload follow, or undefined if none does. `bytes` is a piece, or
   * was put together of several.
   */
  line(bytes: Buffer, start: number, end: number): number | undefined
  /** A payload with the line break behind it, so that it can be sent on as it is: a view, or a copy of its own. */
  payload(body: Buffer): void
  /** Nothing comes after this. */
  endlessLine(): void
}

const LF = 10
const CR = 13

export class Framing {
  readonly #framed: Framed
  readonly #lineBytesMax: number
  /** The beginning of a line whose end has not arrived. */
  #line: Buffer | undefined
  /** Payload and line break that are still to come before the next line; -1 outside of a message. */
  #bodyBytes = -1
  /** A payload that arrives in pieces, and how much of it is there. */
  #body: Buffer | undefined
  #bodyFilled = 0
  #stopped = false

  constructor(framed: Framed, lineBytesMax: number) {
    this.#framed = framed
    this.#lineBytesMax = lineBytesMax
  }

  /** Takes the next piece; what is in it has been handed over when this returns. `piece` must not be reused. */
  feed(piece: Buffer): void {
    let at = 0
    while (at < piece.length && !this.#stopped) {
      at = this.#bodyBytes >= 0 ? this.#takeBody(piece, at) : this.#takeLine(piece, at)
    }
  }

  /** Nothing is handed over any more, also in the middle of `feed`. */
  stop(): void {
    this.#stopped = true
    this.#line = undefined
    this.#body = undefined
  }

  #takeLine(piece: Buffer, at: number): number {
    const end = piece.indexOf(LF, at)
    const lineBytes = (end < 0 ? piece.length : end) - at + (this.#line?.length ?? 0)
    if (lineBytes > this.#lineBytesMax) {
      this.stop()
      this.#framed.endlessLine()
      return piece.length
    }
    if (end < 0) {
      const rest = piece.subarray(at)
      this.#line = this.#line === undefined ? Buffer.from(rest) : Buffer.concat([this.#line, rest])
      return piece.length
    }
    if (this.#line === undefined) {
      this.#endLine(piece, at, end)
    } else {
      const line = Buffer.concat([this.#line, piece.subarray(at, end)])
      this.#line = undefined
      this.#endLine(line, 0, line.length)
    }
    return end + 1
  }

  /** A lone line feed ends a line as well. */
  #endLine(bytes: Buffer, start: number, lineEnd: number): void {
    const end = lineEnd > start && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd
    const payloadBytes = this.#framed.line(bytes, start, end)
    this.#bodyBytes = payloadBytes === undefined ? -1 : payloadBytes + CRLF_BYTES
  }

  #takeBody(piece: Buffer, at: number): number {
    const end = at + this.#bodyBytes - this.#bodyFilled
    if (this.#body === undefined && end <= piece.length) {
      this.#endBody(piece.subarray(at, end))
      return end
    }
    this.#body ??= Buffer.allocUnsafeSlow(this.#bodyBytes)
    const taken = piece.copy(this.#body, this.#bodyFilled, at, Math.min(end, piece.length))
    this.#bodyFilled += taken
    if (this.#bodyFilled === this.#bodyBytes) this.#endBody(this.#body)
    return at + taken
  }

  #endBody(body: Buffer): void {
    this.#body = undefined
    this.#bodyFilled = 0
    this.#bodyBytes = -1
    this.#framed.payload(body)
  }
}
