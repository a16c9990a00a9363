/**
 * The client's half of the NATS protocol, from bytes to commands. It works on whatever pieces the socket delivers, never
 * turns a payload into a string, and copies a payload only if it arrived in more than one piece. It knows the grammar and
 * the bounds of a message; what a command means, and whether it is allowed, is decided in client.ts.
 *
 * Grammar: https://docs.nats.io/reference/reference-protocols/nats-protocol. Like nats-server it takes operations in any
 * case, spaces and tabs in any number between arguments, and a lone line feed as the end of a line.
 */
import { LINE_BYTES_MAX } from './limits.ts'

/** Why a client cannot be understood any further; the texts that clients know, sent as -ERR. */
export type Fault = 'Unknown Protocol Operation' | 'Maximum Payload Violation' | 'maximum control line exceeded'

export interface Commands {
  connect(json: string): void
  ping(): void
  pong(): void
  /** `queue` is '' for a plain subscription. */
  subscribe(subject: string, queue: string, sid: string): void
  /** `max` is 0 for "now". */
  unsubscribe(sid: string, max: number): void
  /**
   * `reply` is '' if there is none. `headerBytes` is -1 for PUB, else the first so many bytes of `body` are headers.
   * `body` ends with the CRLF that follows a payload on the wire, so that it can be sent on in one piece; it is a view.
   */
  publish(subject: string, reply: string, headerBytes: number, body: Buffer): void
  /** Nothing is parsed after this. */
  refuse(fault: Fault): void
}

const LF = 10
const CR = 13
const SPACE = 32
const TAB = 9
const CRLF_BYTES = 2
/** HPUB subject reply header-bytes total-bytes is the longest command; one more to notice surplus arguments. */
const WORDS_MAX = 6
/** More digits than any size or count needs, few enough to stay exact. */
const DIGITS_MAX = 9

export class Parser {
  readonly #commands: Commands
  readonly #payloadBytesMax: number
  /** The beginning of a line whose end has not arrived. */
  #line: Buffer | undefined
  /** Where words of the present line begin and end: pairs, reused for each line. */
  readonly #words = new Int32Array(WORDS_MAX * 2)
  #wordCount = 0
  #subject = ''
  #reply = ''
  #headerBytes = -1
  /** Payload and CRLF that are still to come before the next line; -1 outside of a message. */
  #bodyBytes = -1
  /** A payload that arrives in pieces, and how much of it is there. */
  #body: Buffer | undefined
  #bodyFilled = 0
  #stopped = false

  constructor(commands: Commands, payloadBytesMax: number) {
    this.#commands = commands
    this.#payloadBytesMax = payloadBytesMax
  }

  /** Takes the next piece; the commands in it have been called when this returns. `chunk` must not be reused. */
  feed(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#stopped) {
      at = this.#bodyBytes >= 0 ? this.#takeBody(chunk, at) : this.#takeLine(chunk, at)
    }
  }

  /** Ends parsing, also in the middle of `feed`: for a client that was cut off by one of its own commands. */
  stop(): void {
    this.#stopped = true
    this.#line = undefined
    this.#body = undefined
  }

  #takeLine(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(LF, at)
    const lineBytes = (end < 0 ? chunk.length : end) - at + (this.#line?.length ?? 0)
    if (lineBytes > LINE_BYTES_MAX) return this.#fail('maximum control line exceeded', chunk)
    if (end < 0) {
      const rest = chunk.subarray(at)
      this.#line = this.#line === undefined ? Buffer.from(rest) : Buffer.concat([this.#line, rest])
      return chunk.length
    }
    if (this.#line === undefined) {
      this.#command(chunk, at, end)
    } else {
      const line = Buffer.concat([this.#line, chunk.subarray(at, end)])
      this.#line = undefined
      this.#command(line, 0, line.length)
    }
    return end + 1
  }

  #takeBody(chunk: Buffer, at: number): number {
    const end = at + this.#bodyBytes - this.#bodyFilled
    if (this.#body === undefined && end <= chunk.length) {
      this.#message(chunk.subarray(at, end))
      return end
    }
    this.#body ??= Buffer.allocUnsafeSlow(this.#bodyBytes)
    const taken = chunk.copy(this.#body, this.#bodyFilled, at, Math.min(end, chunk.length))
    this.#bodyFilled += taken
    if (this.#bodyFilled === this.#bodyBytes) this.#message(this.#body)
    return at + taken
  }

  #message(body: Buffer): void {
    this.#body = undefined
    this.#bodyFilled = 0
    this.#bodyBytes = -1
    if (body[body.length - 2] !== CR || body[body.length - 1] !== LF) this.#fail('Unknown Protocol Operation', body)
    else this.#commands.publish(this.#subject, this.#reply, this.#headerBytes, body)
  }

  /** One line, without its line feed. */
  #command(bytes: Buffer, start: number, lineEnd: number): void {
    const end = lineEnd > start && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd
    this.#splitWords(bytes, start, end)
    const count = this.#wordCount
    // Messages first: they are what a broker is for. Letters are compared without their case.
    if (this.#isOperation(bytes, 'PUB') && count >= 3 && count <= 4) this.#beginPub(bytes, count)
    else if (this.#isOperation(bytes, 'HPUB') && count >= 4 && count <= 5) this.#beginHpub(bytes, count)
    else if (this.#isOperation(bytes, 'PING')) this.#commands.ping()
    else if (this.#isOperation(bytes, 'PONG')) this.#commands.pong()
    else if (this.#isOperation(bytes, 'SUB') && count === 3) {
      this.#commands.subscribe(this.#word(bytes, 1), '', this.#word(bytes, 2))
    } else if (this.#isOperation(bytes, 'SUB') && count === 4) {
      this.#commands.subscribe(this.#word(bytes, 1), this.#word(bytes, 2), this.#word(bytes, 3))
    } else if (this.#isOperation(bytes, 'UNSUB') && count >= 2 && count <= 3) this.#unsubscribe(bytes, count)
    else if (this.#isOperation(bytes, 'CONNECT') && count >= 2) {
      this.#commands.connect(bytes.toString('utf8', this.#words[2]!, end))
    } else this.#fail('Unknown Protocol Operation', bytes)
  }

  #beginPub(bytes: Buffer, count: number): void {
    this.#beginMessage(bytes, count === 4, -1, this.#number(bytes, count - 1))
  }

  #beginHpub(bytes: Buffer, count: number): void {
    const headerBytes = this.#number(bytes, count - 2)
    const bodyBytes = this.#number(bytes, count - 1)
    if (headerBytes < 0 || headerBytes > bodyBytes) this.#fail('Unknown Protocol Operation', bytes)
    else this.#beginMessage(bytes, count === 5, headerBytes, bodyBytes)
  }

  #beginMessage(bytes: Buffer, hasReply: boolean, headerBytes: number, bodyBytes: number): void {
    if (bodyBytes < 0) this.#fail('Unknown Protocol Operation', bytes)
    else if (bodyBytes > this.#payloadBytesMax) this.#fail('Maximum Payload Violation', bytes)
    else {
      this.#subject = this.#word(bytes, 1)
      this.#reply = hasReply ? this.#word(bytes, 2) : ''
      this.#headerBytes = headerBytes
      this.#bodyBytes = bodyBytes + CRLF_BYTES
    }
  }

  #unsubscribe(bytes: Buffer, count: number): void {
    const max = count === 3 ? this.#number(bytes, 2) : 0
    if (max < 0) this.#fail('Unknown Protocol Operation', bytes)
    else this.#commands.unsubscribe(this.#word(bytes, 1), max)
  }

  /** Returns the end of the chunk, because nothing behind a fault is parsed. */
  #fail(fault: Fault, chunk: Buffer): number {
    this.stop()
    this.#commands.refuse(fault)
    return chunk.length
  }

  #splitWords(bytes: Buffer, start: number, end: number): void {
    const words = this.#words
    let count = 0
    let at = start
    while (at < end && count < WORDS_MAX) {
      while (at < end && isBlank(bytes[at]!)) at++
      if (at === end) break
      words[count * 2] = at
      while (at < end && !isBlank(bytes[at]!)) at++
      words[count * 2 + 1] = at
      count++
    }
    this.#wordCount = count
  }

  #isOperation(bytes: Buffer, operation: string): boolean {
    const start = this.#words[0]!
    if (this.#wordCount === 0 || this.#words[1]! - start !== operation.length) return false
    for (let at = 0; at < operation.length; at++) {
      if ((bytes[start + at]! & ~0x20) !== operation.charCodeAt(at)) return false
    }
    return true
  }

  /** Subjects are UTF-8 to clients; latin1 keeps each byte and is the cheapest string there is. */
  #word(bytes: Buffer, index: number): string {
    return bytes.toString('latin1', this.#words[index * 2]!, this.#words[index * 2 + 1]!)
  }

  /** A decimal number, or -1. */
  #number(bytes: Buffer, index: number): number {
    const end = this.#words[index * 2 + 1]!
    if (end - this.#words[index * 2]! > DIGITS_MAX) return -1
    let value = 0
    for (let at = this.#words[index * 2]!; at < end; at++) {
      const digit = bytes[at]! - 48
      if (digit < 0 || digit > 9) return -1
      value = value * 10 + digit
    }
    return value
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB
}
