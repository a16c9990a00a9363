/**
 * The client's half of the NATS protocol, from lines and payloads (framing.ts) to commands. It knows the grammar and the
 * bounds of a message; what a command means, and whether it is allowed, is decided in client.ts.
 *
 * Grammar: https://docs.nats.io/reference/reference-protocols/nats-protocol. Like nats-server it takes operations in any
 * case, spaces and tabs in any number between arguments, and a lone line feed as the end of a line.
 */
import { type Framed, Framing } from '../framing.ts'
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
/** HPUB subject reply header-bytes total-bytes is the longest command; one more to notice surplus arguments. */
const WORDS_MAX = 6
/** More digits than any size or count needs, few enough to stay exact. */
const DIGITS_MAX = 9

export class Parser implements Framed {
  readonly #commands: Commands
  readonly #payloadBytesMax: number
  readonly #framing: Framing
  /** Where words of the present line begin and end: pairs, reused for each line. */
  readonly #words = new Int32Array(WORDS_MAX * 2)
  #wordCount = 0
  #subject = ''
  #reply = ''
  #headerBytes = -1

  constructor(commands: Commands, payloadBytesMax: number) {
    this.#commands = commands
    this.#payloadBytesMax = payloadBytesMax
    this.#framing = new Framing(this, LINE_BYTES_MAX)
  }

  /** Takes the next piece; the commands in it have been called when this returns. `chunk` must not be reused. */
  feed(chunk: Buffer): void {
    this.#framing.feed(chunk)
  }

  /** Ends parsing, also in the middle of `feed`: for a client that was cut off by one of its own commands. */
  stop(): void {
    this.#framing.stop()
  }

  payload(body: Buffer): void {
    if (body[body.length - 2] !== CR || body[body.length - 1] !== LF) this.#fail('Unknown Protocol Operation')
    else this.#commands.publish(this.#subject, this.#reply, this.#headerBytes, body)
  }

  endlessLine(): void {
    this.#fail('maximum control line exceeded')
  }

  line(bytes: Buffer, start: number, end: number): number | undefined {
    this.#splitWords(bytes, start, end)
    const count = this.#wordCount
    // Messages first: they are what a broker is for. Letters are compared without their case.
    if (this.#isOperation(bytes, 'PUB') && count >= 3 && count <= 4) return this.#beginPub(bytes, count)
    if (this.#isOperation(bytes, 'HPUB') && count >= 4 && count <= 5) return this.#beginHpub(bytes, count)
    if (this.#isOperation(bytes, 'PING')) this.#commands.ping()
    else if (this.#isOperation(bytes, 'PONG')) this.#commands.pong()
    else if (this.#isOperation(bytes, 'SUB') && count === 3) {
      this.#commands.subscribe(this.#word(bytes, 1), '', this.#word(bytes, 2))
    } else if (this.#isOperation(bytes, 'SUB') && count === 4) {
      this.#commands.subscribe(this.#word(bytes, 1), this.#word(bytes, 2), this.#word(bytes, 3))
    } else if (this.#isOperation(bytes, 'UNSUB') && count >= 2 && count <= 3) this.#unsubscribe(bytes, count)
    else if (this.#isOperation(bytes, 'CONNECT') && count >= 2) {
      this.#commands.connect(bytes.toString('utf8', this.#words[2]!, end))
    } else this.#fail('Unknown Protocol Operation')
    return undefined
  }

  #beginPub(bytes: Buffer, count: number): number | undefined {
    return this.#beginMessage(bytes, count === 4, -1, this.#number(bytes, count - 1))
  }

  #beginHpub(bytes: Buffer, count: number): number | undefined {
    const headerBytes = this.#number(bytes, count - 2)
    const bodyBytes = this.#number(bytes, count - 1)
    if (headerBytes < 0 || headerBytes > bodyBytes) return this.#fail('Unknown Protocol Operation')
    return this.#beginMessage(bytes, count === 5, headerBytes, bodyBytes)
  }

  #beginMessage(bytes: Buffer, hasReply: boolean, headerBytes: number, bodyBytes: number): number | undefined {
    if (bodyBytes < 0) return this.#fail('Unknown Protocol Operation')
    if (bodyBytes > this.#payloadBytesMax) return this.#fail('Maximum Payload Violation')
    this.#subject = this.#word(bytes, 1)
    this.#reply = hasReply ? this.#word(bytes, 2) : ''
    this.#headerBytes = headerBytes
    return bodyBytes
  }

  #unsubscribe(bytes: Buffer, count: number): void {
    const max = count === 3 ? this.#number(bytes, 2) : 0
    if (max < 0) this.#fail('Unknown Protocol Operation')
    else this.#commands.unsubscribe(this.#word(bytes, 1), max)
  }

  /** Nothing behind a fault is parsed. */
  #fail(fault: Fault): undefined {
    this.stop()
    this.#commands.refuse(fault)
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
