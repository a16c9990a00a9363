/**
 * Keeps the host's timers equal to an actor's deadlines. Deadlines are data in the actor's context and survive whatever the
 * context survives; timers are not and do not. A deadline is armed once: an actor that leaves it standing after it fired
 * has nothing to do at it, and arming it again would spin. One that was counted from another's time that is
 * ahead of ours comes after as long a while, not at that time, which may be hours away; one that seems overdue comes at once.
 */
import type { Timers } from '../../actors/definition.ts'
import type { SystemPorts } from './ports.ts'

export class Deadlines {
  readonly #ports: Pick<SystemPorts, 'timers'>
  readonly #actor: string
  readonly #fire: (name: string, dueAtMs: number) => void
  readonly #armed = new Map<string, number>()

  constructor(ports: Pick<SystemPorts, 'timers'>, actor: string, fire: (name: string, dueAtMs: number) => void) {
    this.#ports = ports
    this.#actor = actor
    this.#fire = fire
  }

  /** `aheadMs`: by how much the time from which new ones were counted is ahead of this host's clock. */
  follow(timers: Timers, aheadMs = 0): void {
    for (const name of [...this.#armed.keys()]) {
      if (timers[name] !== undefined) continue
      this.#armed.delete(name)
      this.#ports.timers.cancel(this.#key(name))
    }
    for (const [name, atMs] of Object.entries(timers)) {
      if (this.#armed.get(name) === atMs) continue
      this.#armed.set(name, atMs)
      this.#ports.timers.set(this.#key(name), atMs - aheadMs, () => this.#fire(name, atMs))
    }
  }

  cancelAll(): void {
    this.follow({})
  }

  #key(name: string): string {
    return `${this.#actor}/${name}`
  }
}
