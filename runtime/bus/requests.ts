/**
 * Requests and their answers over one NATS connection: one inbox subscription for all of them, and a token in the reply
 * subject for each. The client library has the same, but without a way to give a request up, and with a promise chain
 * per answer. A late answer finds its token gone and is dropped.
 */
import { randomBytes } from 'node:crypto'
import { NoAnswer } from '../errors.ts'

/** What a request needs of the connection. */
export interface RequestTransport<M> {
  publish(subject: string, data: Uint8Array, reply: string): void
  /** Delivers every message below `inbox`; called once, before the first request. */
  listen(inbox: string, handler: (subject: string, message: M) => void): void
  /** True for the server's word that nobody serves the subject. */
  isNoResponders(message: M): boolean
}

/** What a simulation has of its own. */
export interface RequestSeams {
  /** Unguessable, so that nobody else's answer can be taken for ours. */
  readonly inbox: string
  /** Calls `fire` once after `ms`; returns what cancels it. */
  readonly after: (ms: number, fire: () => void) => () => void
}

interface Waiting<M> {
  readonly subject: string
  readonly stopTimer: () => void
  readonly settle: (answer: M | NoAnswer) => void
}

export class Requests<M> {
  readonly #transport: RequestTransport<M>
  readonly #seams: RequestSeams
  readonly #waiting = new Map<string, Waiting<M>>()
  #sent = 0
  #listening = false

  constructor(transport: RequestTransport<M>, seams: RequestSeams = ownSeams()) {
    this.#transport = transport
    this.#seams = seams
  }

  /** Requests that wait for an answer. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Publishes, and calls `settle` once unless the returned function, which gives the request up, is called first. */
  send(subject: string, data: Uint8Array, timeoutMs: number, settle: (answer: M | NoAnswer) => void): () => void {
    this.#listen()
    const reply = `${this.#seams.inbox}.${(this.#sent++).toString(36)}`
    const stopTimer = this.#seams.after(timeoutMs, () => this.#settle(reply, timedOut(subject, timeoutMs)))
    this.#waiting.set(reply, { subject, stopTimer, settle })
    const giveUp = () => {
      stopTimer()
      this.#waiting.delete(reply)
    }
    try {
      this.#transport.publish(subject, data, reply)
    } catch (error) {
      giveUp()
      throw error
    }
    return giveUp
  }

  #listen(): void {
    if (this.#listening) return
    this.#listening = true
    this.#transport.listen(`${this.#seams.inbox}.*`, (reply, message) => {
      const isRefused = this.#transport.isNoResponders(message)
      const subject = this.#waiting.get(reply)?.subject ?? reply
      this.#settle(reply, isRefused ? nobodyServes(subject) : message)
    })
  }

  #settle(reply: string, answer: M | NoAnswer): void {
    const waiting = this.#waiting.get(reply)
    if (waiting === undefined) return
    this.#waiting.delete(reply)
    waiting.stopTimer()
    waiting.settle(answer)
  }
}

function ownSeams(): RequestSeams {
  return {
    inbox: `_INBOX.${randomBytes(12).toString('hex')}`,
    after: (ms, fire) => {
      const timer = setTimeout(fire, ms)
      return () => clearTimeout(timer)
    },
  }
}

function nobodyServes(subject: string): NoAnswer {
  return new NoAnswer({
    component: 'bus',
    value: subject,
    problem: 'nobody serves this subject',
    remedy: 'The request was not carried out. Check that the Loch it is meant for runs and uses the same NATS server.',
  })
}

function timedOut(subject: string, timeoutMs: number): NoAnswer {
  return new NoAnswer({
    component: 'bus',
    value: subject,
    problem: `no answer came within ${timeoutMs} ms`,
    remedy: 'The request may have been carried out or not: ask for the state before you repeat it.',
  })
}
