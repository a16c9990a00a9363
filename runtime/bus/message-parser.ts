/** The server's half of the NATS protocol, as far as the fast lane needs it: messages, and lines of any other kind. */
import { CRLF_BYTES, type Framed, Framing } from './framing.ts'

export interface Heard {
  readonly line: (line: string) => void
  readonly message: (sid: number, subject: string, reply: string | undefined, data: Buffer) => void
  /** This is no NATS: nothing more can be understood. */
  readonly nonsense: () => void
}

/** Of a protocol line; INFO of a large cluster is the longest. */
const LINE_BYTES_MAX = 64 * 1024

export class MessageParser implements Framed {
  readonly #heard: Heard
  readonly #framing: Framing
  #sid = 0
  #subject = ''
  #reply: string | undefined

  constructor(heard: Heard) {
    this.#heard = heard
    this.#framing = new Framing(this, LINE_BYTES_MAX)
  }

  /** A payload within one chunk is a view of it; any other is copied once. */
  push(chunk: Buffer): void {
    this.#framing.feed(chunk)
  }

  /** MSG subject sid [reply] size */
  line(bytes: Buffer, start: number, end: number): number | undefined {
    const line = bytes.toString('latin1', start, end)
    if (!line.startsWith('MSG ')) {
      this.#heard.line(line)
      return undefined
    }
    const fields = line.split(' ')
    const hasReply = fields.length === 5
    const size = Number(fields[hasReply ? 4 : 3])
    if (!Number.isSafeInteger(size) || size < 0) {
      this.endlessLine()
      return undefined
    }
    this.#subject = fields[1]!
    this.#sid = Number(fields[2])
    this.#reply = hasReply ? fields[3] : undefined
    return size
  }

  payload(body: Buffer): void {
    this.#heard.message(this.#sid, this.#subject, this.#reply, body.subarray(0, body.length - CRLF_BYTES))
  }

  endlessLine(): void {
    this.#framing.stop()
    this.#heard.nonsense()
  }
}
