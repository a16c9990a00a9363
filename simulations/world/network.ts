/**
 * The simulated network: one NATS server, and what can happen to the connections between it and its clients. It promises
 * what NATS does and no more: each message at most once, in order per connection, and nothing to whoever was not connected.
 * Unlike a real one it breaks connections at the worst of moments; what was on its way then may still arrive, even after
 * its sender has reconnected.
 */
import { SubjectIndex } from '../../runtime/bus/broker/subjects.ts'
import { type Kernel, type Process, WORLD } from '../kernel/kernel.ts'
import { type Direction, LinkConditions } from './link.ts'
import { Mangling } from './mangling.ts'
import { NETWORK_SETTINGS, type NetworkSettings } from './network-settings.ts'
import { ENVELOPE_BYTES, type Publication, type ServerSubscription, Session, type ToServer } from './session.ts'
import { SimBus, type SimBusOptions } from './sim-bus.ts'

export type NetworkWatch = (message: {
  readonly kind: 'published' | 'forwarded'
  /** The sender. */
  readonly lane: string
  /** The receiver. */
  readonly to?: string
  /** The subject. */
  readonly text: string
  readonly bytes: number
  /** Of a message that is forwarded. */
  readonly data?: Uint8Array
}) => void

export class Network {
  readonly kernel: Kernel
  readonly settings: NetworkSettings
  readonly #index = new SubjectIndex<ServerSubscription>()
  /** By name of client or process, so that what is started again under a name meets the same conditions. */
  readonly #conditions = new Map<string, LinkConditions>()
  /** Of processes that live, or whose end the server has not noticed. */
  #sessions = new Set<Session>()
  #buses = new Set<SimBus>()
  /** Processes that have ended and whose end the server will notice yet: until then it takes them for living. */
  readonly #ending = new WeakSet<Process>()
  #busesMade = 0
  #downUntilMs = Number.NEGATIVE_INFINITY
  /** So far: messages taken by the server, connections broken by faults, and cut off by the server. */
  published = 0
  broken = 0
  slowConsumers = 0
  /** So far: messages that were published while their sender was about to reconnect. */
  publishedLate = 0
  readonly mangling: Mangling
  /** Told of each message, for whoever looks on. */
  watch: NetworkWatch | undefined
  /** Asked of each message, in a fork: whether just this one gets lost on its way from the server. */
  loses: ((from: string, to: string, subject: string) => boolean) | undefined

  constructor(kernel: Kernel, settings: Partial<NetworkSettings> = {}) {
    this.kernel = kernel
    this.mangling = new Mangling(kernel)
    this.settings = { ...NETWORK_SETTINGS, ...settings }
  }

  /**
   * A client of `process`, which connects at once if it can and reconnects for ever. Faults know it by its name, its alias or its
   * process.
   */
  connect(process: Process, name: string, options: SimBusOptions = {}): SimBus {
    for (const bus of this.#buses) if (!bus.process.isAlive) this.#buses.delete(bus)
    const conditions = [...new Set([name, process.name, options.alias ?? name])].map((one) => this.#conditionsOf(one))
    const bus = new SimBus(this, process, name, conditions, options)
    this.#buses.add(bus)
    return bus
  }

  /** Breaks the connections of a client or process and lets it make none until as many ends as cuts, or `heal`. */
  cut(name: string): void {
    this.#conditionsOf(name).cuts++
    this.breakConnections(name)
  }

  endCut(name: string): void {
    const conditions = this.#conditionsOf(name)
    // Those that the world has healed end once more.
    conditions.cuts = Math.max(0, conditions.cuts - 1)
    if (conditions.cuts === 0) for (const bus of this.#buses) bus.retry()
  }

  /** Breaks connections once; the clients reconnect at once. */
  breakConnections(name?: string): void {
    for (const session of this.#sessions) if (name === undefined || isOf(session, name)) this.#break(session)
  }

  /** The server dies, with all that it had not passed on, and is started again. */
  restartServer(untilMs: number): void {
    this.#downUntilMs = Math.max(this.#downUntilMs, untilMs)
    for (const session of this.#sessions) {
      session.up.drop()
      this.#forget(session)
      this.#tellLost(session)
    }
  }

  /** Nothing gets through in these directions, and nobody is told: both sides find out by the silence, or never. */
  isolate(name: string, untilMs: number, directions: readonly Direction[] = ['up', 'down']): void {
    for (const direction of directions) this.#conditionsOf(name).hold(direction, untilMs)
    for (const session of this.#sessions) if (isOf(session, name)) this.#watchSilence(session)
  }

  /** Everything takes `factor` times as long. */
  slow(name: string, factor: number, untilMs: number): void {
    this.#conditionsOf(name).slow(factor, this.kernel.nowMs, untilMs)
  }

  /** Of what reaches it some comes twice: see mangling.ts. */
  repeat(name: string, untilMs: number): void {
    const conditions = this.#conditionsOf(name)
    conditions.repeatedUntilMs = Math.max(conditions.repeatedUntilMs, untilMs)
    this.mangling.begin(untilMs)
  }

  /** Of log that reaches it some is damaged. */
  corrupt(name: string, untilMs: number): void {
    const conditions = this.#conditionsOf(name)
    conditions.corruptedUntilMs = Math.max(conditions.corruptedUntilMs, untilMs)
    this.mangling.begin(untilMs)
  }

  /** Ends all conditions. */
  heal(): void {
    for (const conditions of this.#conditions.values()) conditions.heal()
    this.#downUntilMs = Number.NEGATIVE_INFINITY
    for (const session of this.#sessions) {
      session.up.release()
      session.down.release()
    }
    for (const bus of this.#buses) bus.retry()
  }

  /**
   * To be called when a process ended. Its kernel closes its connections, so the server knows soon; not if its whole host
   * lost power: then it is for long taken for a client who listens.
   */
  ended(process: Process, withItsHost: boolean): void {
    this.#ending.add(process)
    for (const session of this.#sessions) {
      if (session.client.process !== process) continue
      if (withItsHost) this.kernel.after(WORLD, 2 * this.settings.silenceMaxMs, () => this.#forget(session))
      else this.#breakOff(session)
    }
  }

  /** Tells inboxes of clients with one name apart. */
  numberOfBus(): number {
    return ++this.#busesMade
  }

  /** For a bus that connects; undefined while that cannot be. */
  open(bus: SimBus): Session | undefined {
    if (this.blockedUntilMs(bus) > this.kernel.nowMs) return undefined
    const session = new Session(this.kernel, bus, this.settings, (from, message) => this.#serve(from, message))
    this.#sessions.add(session)
    return session
  }

  /** The client has heard that the server closed this connection. */
  closed(session: Session): void {
    this.#sessions.delete(session)
  }

  /** How long it takes to connect, beside finding out that it cannot. */
  dialMs({ name }: SimBus): number {
    const { dialMeanMs } = this.settings
    return dialMeanMs === 0 ? 0 : this.kernel.draws.exponential(`network.dial.${name}`, dialMeanMs)
  }

  /** Infinity for a cut: nobody knows until when. */
  blockedUntilMs(bus: SimBus): number {
    let untilMs = this.#downUntilMs
    for (const { blockedUntilMs } of bus.conditions) untilMs = Math.max(untilMs, blockedUntilMs)
    return untilMs
  }

  #conditionsOf(name: string): LinkConditions {
    const known = this.#conditions.get(name)
    if (known !== undefined) return known
    const conditions = new LinkConditions()
    this.#conditions.set(name, conditions)
    return conditions
  }

  #serve(from: Session, message: ToServer): void {
    if (!from.isOpen) return
    switch (message.kind) {
      case 'publish':
        this.#publish(from, message.publication)
        return
      case 'subscribe': {
        const subscription = { session: from, sid: message.sid, subject: message.subject, queue: message.queue }
        from.subscriptions.set(message.sid, subscription)
        this.#index.add(message.subject, message.queue, subscription)
        return
      }
      case 'unsubscribe': {
        const subscription = from.subscriptions.get(message.sid)
        if (subscription === undefined) return
        from.subscriptions.delete(message.sid)
        this.#index.remove(subscription.subject, subscription.queue, subscription)
        return
      }
      case 'ping':
        from.down.send({ kind: 'pong' }, ENVELOPE_BYTES)
        return
      case 'end':
        this.#forget(from)
    }
  }

  #publish(from: Session, publication: Publication): void {
    this.published++
    const { subject, data } = publication
    this.watch?.({ kind: 'published', lane: from.client.name, text: subject, bytes: data.length })
    const { plain, queues } = this.#index.match(publication.subject)
    let isTaken = false
    for (const subscription of plain) if (this.#give(subscription, from, publication)) isTaken = true
    for (const members of queues) {
      const first = members.length === 1 ? 0 : this.kernel.draws.between('network.queue', 0, members.length - 1)
      for (let at = 0; at < members.length; at++) {
        if (!this.#give(members[(first + at) % members.length]!, from, publication)) continue
        isTaken = true
        break
      }
    }
    if (!isTaken && publication.reply !== undefined) this.#sayNoResponders(from, publication.reply)
  }

  #give(subscription: ServerSubscription, from: Session, publication: Publication): boolean {
    const { session, sid } = subscription
    if (!session.isOpen || (session === from && !session.client.isFullClient)) return false
    const { process } = session.client
    if (!process.isAlive && !this.#ending.has(process)) {
      this.#forget(session)
      return false
    }
    const { subject, data } = publication
    if (this.loses?.(from.client.name, session.client.name, subject)) return true
    this.watch?.({
      kind: 'forwarded',
      lane: from.client.name,
      to: session.client.name,
      text: subject,
      bytes: data.length,
      data,
    })
    const arriving = this.mangling.arriving(session.client, publication)
    session.down.send({ kind: 'message', sid, publication: arriving }, data.length + ENVELOPE_BYTES)
    this.#repeat(session, sid, publication)
    if (this.#isSlow(session)) this.#cutOff(session)
    return true
  }

  /** A burst alone does not make a consumer slow: a server holds up who publishes while much waits, for a while. */
  #isSlow({ down }: Session): boolean {
    return down.pendingBytes > this.settings.pendingBytesMax && down.waitedMs > STALL_MS_MAX
  }

  #repeat(session: Session, sid: number, publication: Publication): void {
    const afterMs = this.mangling.repeatAfterMs(session.client)
    if (afterMs === undefined) return
    this.kernel.after(WORLD, afterMs, () => {
      if (!session.isOpen) return
      session.down.send({ kind: 'message', sid, publication }, publication.data.length + ENVELOPE_BYTES)
    })
  }

  #sayNoResponders(from: Session, reply: string): void {
    if (!from.client.isFullClient) return
    const inbox = this.#index.match(reply).plain.find(({ session }) => session === from)
    if (inbox !== undefined) from.down.send({ kind: 'no-responders', sid: inbox.sid, reply }, ENVELOPE_BYTES)
  }

  /** A slow consumer: what waits for it is thrown away. */
  #cutOff(session: Session): void {
    this.slowConsumers++
    session.up.drop()
    this.#forget(session)
    this.#tellLost(session)
  }

  /** Both sides lose the connection; the server first reads what of the client's has reached it. */
  #break(session: Session): void {
    this.broken++
    session.down.drop()
    this.#breakOff(session)
    this.#tellLost(session)
  }

  #breakOff(session: Session): void {
    const { draws } = this.kernel
    const name = session.client.name
    const survives = draws.chance(`network.survives.${name}`, this.settings.survivorShare)
    const share = survives ? draws.uniform(`network.survivors.${name}`) * SURVIVOR_SHARE_SCALE : 0
    const lateMs = survives ? draws.exponential(`network.late.${name}`, this.settings.lateMeanMs) : 0
    session.up.breakOff(Math.min(1, share), lateMs, { kind: 'end' })
  }

  #tellLost(session: Session): void {
    this.kernel.after(session.client.process, this.settings.latency.minMs, () => session.client.lost(session))
  }

  #watchSilence(session: Session): void {
    const { silenceMaxMs } = this.settings
    const isSilent = () =>
      session.client.conditions.some(({ heldUntilMs: { up, down } }) => Math.max(up, down) > this.kernel.nowMs)
    this.kernel.after(session.client.process, silenceMaxMs, () => {
      if (!isSilent()) return
      // What it has sent before stands in the way of this word, and arrives with it when the silence ends.
      session.up.send({ kind: 'end' }, 0)
      session.client.lost(session)
    })
    this.kernel.after(WORLD, 2 * silenceMaxMs, () => isSilent() && this.#giveUp(session))
  }

  /** The server closes a connection on which nothing comes; the client hears of it when it hears anything again. */
  #giveUp(session: Session): void {
    if (!session.isOpen) return
    this.#endSubscriptions(session)
    session.down.breakOff(0, 0, { kind: 'end' })
  }

  /** At the server. */
  #forget(session: Session): void {
    if (session.isOpen) this.#endSubscriptions(session)
    session.down.drop()
    this.#sessions.delete(session)
  }

  #endSubscriptions(session: Session): void {
    session.isOpen = false
    for (const { subject, queue, sid } of session.subscriptions.values()) {
      this.#index.remove(subject, queue, session.subscriptions.get(sid)!)
    }
  }
}

/** So that all survive nearly as often as a part. */
const SURVIVOR_SHARE_SCALE = 2
/** As in nats-server (client.go, stallTotalAllowed). */
const STALL_MS_MAX = 10

function isOf({ client }: Session, name: string): boolean {
  return client.name === name || client.alias === name || client.process.name === name
}
