/**
 * One direction of one connection: bytes arrive in the order in which they were sent, later, or not at all from some point
 * on. What is sent within one event travels as one packet, as a socket's writes of one tick do, so a message costs one
 * event at most. Nothing here knows what the messages mean.
 */
import type { Kernel, Process } from '../kernel/kernel.ts'
import { drawLatencyMs, type Latency } from './latency.ts'

export interface LinkSettings {
  readonly latency: Latency
  readonly bytesPerMs: number
  readonly silenceMaxMs: number
}

/** From a client to the server, or back. */
export type Direction = 'up' | 'down'

interface Slowness {
  readonly factor: number
  readonly untilMs: number
}

/**
 * What faults do to the links of a name, for as long as they say. Shared by all its connections, those to come included. Several
 * may overlap: none ends before the last of its kind does.
 */
export class LinkConditions {
  /** Cuts in force: while there are any no connection stands, and none can be made. */
  cuts = 0
  /** Nothing arrives in this direction before. What was sent arrives then, as TCP has it. */
  readonly heldUntilMs: Record<Direction, number> = { up: Number.NEGATIVE_INFINITY, down: Number.NEGATIVE_INFINITY }
  /** Messages come twice. See mangling.ts. */
  repeatedUntilMs = Number.NEGATIVE_INFINITY
  /** Log comes damaged. */
  corruptedUntilMs = Number.NEGATIVE_INFINITY
  #slow: Slowness[] = []

  /** No connection can be made before. Infinity for a cut: nobody knows until when. */
  get blockedUntilMs(): number {
    return this.cuts > 0 ? Number.POSITIVE_INFINITY : Math.max(this.heldUntilMs.up, this.heldUntilMs.down)
  }

  hold(direction: Direction, untilMs: number): void {
    this.heldUntilMs[direction] = Math.max(this.heldUntilMs[direction], untilMs)
  }

  slow(factor: number, nowMs: number, untilMs: number): void {
    this.#slow = [...this.#slow.filter((one) => one.untilMs > nowMs), { factor, untilMs }]
  }

  /** How many times as long everything takes: of several times that overlap the slowest counts. */
  slowFactorAt(nowMs: number): number {
    let factor = 1
    for (const one of this.#slow) if (one.untilMs > nowMs && one.factor > factor) factor = one.factor
    return factor
  }

  heal(): void {
    Object.assign(this, {
      cuts: 0,
      repeatedUntilMs: Number.NEGATIVE_INFINITY,
      corruptedUntilMs: Number.NEGATIVE_INFINITY,
    })
    Object.assign(this.heldUntilMs, { up: Number.NEGATIVE_INFINITY, down: Number.NEGATIVE_INFINITY })
    this.#slow = []
  }
}

interface Packet<M> {
  readonly sentAtMs: number
  atMs: number
  readonly messages: M[]
  bytes: number
}

/** What one read of a socket brings at most. */
const PACKET_BYTES_MAX = 64 * 1024

export class Link<M> {
  readonly #kernel: Kernel
  readonly #receiver: Process
  readonly #direction: Direction
  readonly #drawName: string
  readonly #settings: LinkSettings
  readonly #conditions: readonly LinkConditions[]
  readonly #deliver: (message: M) => void
  readonly #packets: Packet<M>[] = []
  #lastAtMs = Number.NEGATIVE_INFINITY
  /** The step in which the last packet was begun. */
  #lastStep = -1
  #pendingBytes = 0
  #isEnded = false

  constructor(
    kernel: Kernel,
    receiver: Process,
    direction: Direction,
    drawName: string,
    settings: LinkSettings,
    conditions: readonly LinkConditions[],
    deliver: (message: M) => void,
  ) {
    this.#kernel = kernel
    this.#receiver = receiver
    this.#direction = direction
    this.#drawName = drawName
    this.#settings = settings
    this.#conditions = conditions
    this.#deliver = deliver
  }

  /** Sent and not yet arrived. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Since when the oldest of it has waited. */
  get waitedMs(): number {
    const first = this.#packets[0]
    return first === undefined ? 0 : this.#kernel.nowMs - first.sentAtMs
  }

  send(message: M, bytes: number): void {
    if (this.#isEnded) return
    this.#pendingBytes += bytes
    const last = this.#packets.at(-1)
    if (last && this.#lastStep === this.#kernel.steps && last.bytes + bytes <= PACKET_BYTES_MAX) {
      last.messages.push(message)
      last.bytes += bytes
      return
    }
    this.#dispatch(message, bytes, 0)
  }

  /**
   * The connection broke: of what is on its way, a part from the beginning may still arrive, `lateMs` later, and `message`
   * after it; nothing else ever will.
   */
  breakOff(survivorShare: number, lateMs: number, message: M): void {
    if (this.#isEnded) return
    const keeps = Math.floor(this.#packets.length * survivorShare)
    this.#packets.length = keeps
    this.#pendingBytes = this.#packets.reduce((sum, { bytes }) => sum + bytes, 0)
    const late = this.#packets.splice(0).flatMap(({ messages }) => messages)
    this.#isEnded = true
    this.#dispatch(message, 0, lateMs)
    this.#packets[0]!.messages.unshift(...late)
    this.#packets[0]!.bytes = this.#pendingBytes
  }

  /** Nothing arrives any more. */
  drop(): void {
    this.#isEnded = true
    this.#packets.length = 0
    this.#pendingBytes = 0
  }

  /** A hold or a slow time ended early: what is on its way arrives now, and not only when it would have arrived then. */
  release(): void {
    const nowMs = this.#kernel.nowMs
    this.#lastAtMs = Number.NEGATIVE_INFINITY
    for (const packet of this.#packets) {
      const sooner = nowMs + this.#latencyMs() + packet.bytes / this.#settings.bytesPerMs
      packet.atMs = Math.max(this.#lastAtMs, Math.min(packet.atMs, sooner))
      const waitMs = Math.max(0, packet.atMs - nowMs)
      // As in dispatching, it is the moment that the kernel computes.
      packet.atMs = nowMs + waitMs
      this.#lastAtMs = packet.atMs
      this.#kernel.after(this.#receiver, waitMs, this.#arrive)
    }
  }

  #dispatch(message: M, bytes: number, lateMs: number): void {
    const nowMs = this.#kernel.nowMs
    const delayMs = lateMs + this.#latencyMs()
    const arrivesMs =
      Math.max(this.#lastAtMs, nowMs + delayMs) + (bytes * this.#slowFactor()) / this.#settings.bytesPerMs
    const waitMs = arrivesMs - nowMs
    // Exactly the moment that the kernel computes: a rounding error would have the packet's event come before it.
    const atMs = nowMs + waitMs
    this.#packets.push({ sentAtMs: nowMs, atMs, messages: [message], bytes })
    this.#lastAtMs = atMs
    this.#lastStep = this.#kernel.steps
    this.#kernel.after(this.#receiver, waitMs, this.#arrive)
  }

  /** One event for each packet at least; whichever comes first takes the first one, so pauses and holds keep the order. */
  readonly #arrive = (): void => {
    const nowMs = this.#kernel.nowMs
    const first = this.#packets[0]
    if (first === undefined || first.atMs > nowMs) return
    const heldUntilMs = this.#heldUntilMs()
    if (heldUntilMs > nowMs) {
      this.#kernel.after(this.#receiver, heldUntilMs - nowMs + this.#latencyMs(), this.#arrive)
      return
    }
    this.#packets.shift()
    this.#pendingBytes -= first.bytes
    for (const message of first.messages) this.#deliver(message)
  }

  #latencyMs(): number {
    const latencyMs = drawLatencyMs(this.#kernel.draws, this.#drawName, this.#settings.latency) * this.#slowFactor()
    // A connection on which nothing comes for longer does not live on: somebody has given it up.
    return Math.min(latencyMs, this.#settings.silenceMaxMs)
  }

  #heldUntilMs(): number {
    let untilMs = Number.NEGATIVE_INFINITY
    for (const { heldUntilMs } of this.#conditions) untilMs = Math.max(untilMs, heldUntilMs[this.#direction])
    return untilMs
  }

  #slowFactor(): number {
    let factor = 1
    for (const conditions of this.#conditions) factor *= conditions.slowFactorAt(this.#kernel.nowMs)
    return factor
  }
}
