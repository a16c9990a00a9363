/**
 * From a published message to the clients that get it: the index of all subscriptions, the choice within queue groups,
 * and the list of clients that have something to be flushed. This is the broker's share of the commit path. It opens and
 * closes no connection, but it cuts off a client for which too much waits.
 */
import type { Client, CutReason, Subscription } from './client.ts'
import type { BrokerLimits } from './limits.ts'
import { SubjectIndex } from './subjects.ts'

export interface Counters {
  messagesIn: number
  bytesIn: number
  messagesOut: number
  bytesOut: number
  /** Clients cut off, by reason. */
  readonly cut: Partial<Record<CutReason, number>>
}

/** Gathered output of one read is flushed early at this size, so that subscribers work while the rest is parsed. */
const FLUSH_EARLY_BYTES = 256 * 1024
const CRLF_BYTES = 2
const NO_RESPONDERS_HEADER = 'NATS/1.0 503\r\n\r\n'
const NO_RESPONDERS_BODY = Buffer.from(`${NO_RESPONDERS_HEADER}\r\n`, 'latin1')

export class Switchboard {
  readonly #index = new SubjectIndex<Subscription>()
  readonly #limits: BrokerLimits
  readonly #counters: Counters
  readonly #dirty: Client[] = []

  constructor(limits: BrokerLimits, counters: Counters) {
    this.#limits = limits
    this.#counters = counters
  }

  get subscriptions(): number {
    return this.#index.size
  }

  add(subscription: Subscription): void {
    this.#index.add(subscription.subject, subscription.queue, subscription)
  }

  remove(subscription: Subscription): void {
    this.#index.remove(subscription.subject, subscription.queue, subscription)
  }

  /** Gives a message to all who get it; false if nobody does. `body` as in Commands.publish. */
  deliver(publisher: Client, subject: string, reply: string, headerBytes: number, body: Buffer): boolean {
    this.#counters.messagesIn++
    this.#counters.bytesIn += body.length - CRLF_BYTES
    const { plain, queues } = this.#index.match(subject)
    let delivered = false
    for (let at = 0; at < plain.length; at++) {
      if (this.#give(plain[at]!, publisher, subject, reply, headerBytes, body)) delivered = true
    }
    for (let at = 0; at < queues.length; at++) {
      if (this.#giveOne(queues[at]!, publisher, subject, reply, headerBytes, body)) delivered = true
    }
    return delivered
  }

  /** Tells a requester at once that nobody serves what it asked for (NATS ADR-4: status 503 on its own inbox). */
  sayNoResponders(requester: Client, reply: string): void {
    const { plain } = this.#index.match(reply)
    const inbox = plain.find((subscription) => subscription.client === requester)
    if (inbox === undefined) return
    const bytes = NO_RESPONDERS_HEADER.length
    this.send(requester, `HMSG ${reply} ${inbox.sid} ${bytes} ${bytes}\r\n`, NO_RESPONDERS_BODY)
    this.#countDelivery(inbox)
  }

  /** Appends to what waits for `client`, which is flushed with all others. */
  send(client: Client, line: string, body: Buffer | undefined): void {
    if (client.closed) return
    const { outbox } = client
    outbox.add(line, body)
    if (!client.dirty) {
      client.dirty = true
      this.#dirty.push(client)
    }
    const pendingBytes = outbox.pendingBytes
    if (pendingBytes < FLUSH_EARLY_BYTES) return
    if (pendingBytes > this.#limits.pendingBytesMax) client.cut('Slow Consumer')
    else outbox.flush()
  }

  /** To be called at the end of whatever made clients dirty. */
  flush(): void {
    for (const client of this.#dirty) {
      client.dirty = false
      client.outbox.flush()
    }
    this.#dirty.length = 0
  }

  /** One member of a queue group, beginning at random so that the load spreads. */
  #giveOne(
    members: readonly Subscription[],
    publisher: Client,
    subject: string,
    reply: string,
    headerBytes: number,
    body: Buffer,
  ): boolean {
    const first = Math.floor(Math.random() * members.length)
    for (let at = 0; at < members.length; at++) {
      const member = members[(first + at) % members.length]!
      if (this.#give(member, publisher, subject, reply, headerBytes, body)) return true
    }
    return false
  }

  #give(
    subscription: Subscription,
    publisher: Client,
    subject: string,
    reply: string,
    headerBytes: number,
    body: Buffer,
  ): boolean {
    const { client } = subscription
    if (client.closed || (client === publisher && !client.echo)) return false
    // Ended by an earlier message of the same read, while this one was on its way.
    if (subscription.max > 0 && subscription.delivered >= subscription.max) return false
    const head = reply === '' ? `${subject} ${subscription.sid} ` : `${subject} ${subscription.sid} ${reply} `
    const bytes = body.length - CRLF_BYTES
    if (headerBytes < 0) this.send(client, `MSG ${head}${bytes}\r\n`, body)
    else if (client.headers) this.send(client, `HMSG ${head}${headerBytes} ${bytes}\r\n`, body)
    else this.send(client, `MSG ${head}${bytes - headerBytes}\r\n`, body.subarray(headerBytes))
    this.#counters.bytesOut += bytes
    this.#countDelivery(subscription)
    return true
  }

  #countDelivery(subscription: Subscription): void {
    this.#counters.messagesOut++
    subscription.delivered++
    if (subscription.delivered === subscription.max) subscription.client.drop(subscription)
  }
}
