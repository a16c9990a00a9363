/**
 * The serving lease: a primary may answer reads only while it hears a majority of its safekeepers under its own term, since
 * otherwise another may have been elected and have committed what this one does not know. Appends are heard anyway; zones
 * that were silent are asked. What is durable is the proposer's to say; but nobody is told of it who holds no lease, since a successor
 * that cannot trust disks relies on it (reign.ts).
 */
import { majorityOf } from '../../actors/quorum.ts'
import { every, type Timers } from '../system/timers.ts'

/**
 * A successor that does not know its predecessor dead has to wait this long, and a little more, since a safekeeper was last
 * heard: see predecessors.ts. As long as it takes to call a zone down: a lapse ends every session, and a loaded
 * machine stalls a process for seconds.
 */
export const LEASE_DURATION_MS = 5_000
export const LEASE_ASK_INTERVAL_MS = 500

export interface LeasePorts {
  readonly zones: readonly string[]
  readonly term: number
  readonly nowMs: () => number
  /** Before the election was begun that led here. */
  readonly electedAtMs: number
  /** The term that a safekeeper has promised itself to; rejects if it does not answer. */
  readonly ask: (zone: string) => Promise<number>
  readonly lapsed: () => void
  readonly renewed: () => void
  readonly fenced: (term: number) => void
  readonly timers: Timers
}

export class ServingLease {
  readonly #ports: LeasePorts
  readonly #heardAtMs = new Map<string, number>()
  #held: boolean
  readonly #endTicks: () => void

  constructor(ports: LeasePorts) {
    this.#ports = ports
    // It was heard by a majority then, or a little later.
    for (const zone of ports.zones) this.#heardAtMs.set(zone, ports.electedAtMs)
    this.#held = this.#isHeld()
    this.#endTicks = every(ports.timers, LEASE_ASK_INTERVAL_MS, () => this.tick())
  }

  get held(): boolean {
    return this.#held
  }

  /** By the clock, and not as it was told last: a lapse is noticed when it is looked for. */
  get isHeldNow(): boolean {
    return this.#isHeld()
  }

  /** `zone` was under our own term at `atMs`. Never when an answer came: it may have been long under way. */
  heard(zone: string, atMs: number): void {
    const before = this.#heardAtMs.get(zone)
    if (before === undefined) return
    this.#heardAtMs.set(zone, Math.max(atMs, before))
    if (!this.#held && this.#isHeld()) this.#change(true)
  }

  tick(): void {
    const now = this.#ports.nowMs()
    for (const zone of this.#ports.zones) {
      if (now - (this.#heardAtMs.get(zone) ?? 0) >= LEASE_ASK_INTERVAL_MS) void this.#ask(zone)
    }
    if (this.#held && !this.#isHeld()) this.#change(false)
  }

  close(): void {
    this.#endTicks()
  }

  async #ask(zone: string): Promise<void> {
    const askedAtMs = this.#ports.nowMs()
    try {
      const term = await this.#ports.ask(zone)
      if (term > this.#ports.term) this.#ports.fenced(term)
      else if (term === this.#ports.term) this.heard(zone, askedAtMs)
    } catch {
      // Silence is what the lease is about: it counts by not being heard.
    }
  }

  #isHeld(): boolean {
    const now = this.#ports.nowMs()
    let heard = 0
    for (const at of this.#heardAtMs.values()) if (now - at <= LEASE_DURATION_MS) heard++
    return heard >= majorityOf(this.#ports.zones.length)
  }

  #change(held: boolean): void {
    this.#held = held
    if (held) this.#ports.renewed()
    else this.#ports.lapsed()
  }
}
