/**
 * Ports for tests of the loop: a clock that stands until it is moved, timers that fire only then, a bus that delivers at
 * once inside this process, and numbered ids. Any number of Systems may share one world; each is then a host.
 */
import { type Journal, openJournal } from '../log/journal.ts'
import { MemoryStore } from '../log/testing.ts'
import { System } from '../system.ts'
import type { SystemMessage, SystemPorts } from './ports.ts'

export class TestWorld {
  readonly store = new MemoryStore()
  readonly published: Array<{ readonly subject: string; readonly data: Uint8Array }> = []
  readonly reported: unknown[] = []
  nowMs = 1_000
  #ids = 0
  readonly #handlers = new Map<string, Set<(message: SystemMessage) => void>>()
  readonly #timers = new Map<string, { readonly atMs: number; readonly fire: () => void }>()

  /** A host of its own: its timers do not replace those of another. */
  system(name = 'host'): System {
    return new System(this.ports(name))
  }

  ports(name: string): SystemPorts {
    return {
      project: 'p',
      bus: { publish: (subject, data) => this.send(subject, data), subscribe: (s, h) => this.subscribe(s, h) },
      clock: { nowMs: () => this.nowMs },
      ids: { next: () => `id-${++this.#ids}` },
      timers: {
        set: (timer, atMs, fire) => this.#timers.set(`${name} ${timer}`, { atMs, fire }),
        cancel: (timer) => this.#timers.delete(`${name} ${timer}`),
      },
      openJournal: (kind, id) => this.journal(kind, id),
      report: (...what) => this.reported.push(what),
    }
  }

  journal(kind: string, id: string): Journal {
    return openJournal(this.store, `${kind}s/${id}/journal`)
  }

  send(subject: string, data: Uint8Array, reply?: string): void {
    this.published.push({ subject, data })
    for (const handler of [...(this.#handlers.get(subject) ?? [])]) handler({ data, reply })
  }

  subscribe(subject: string, handler: (message: SystemMessage) => void): () => void {
    const handlers = this.#handlers.get(subject) ?? new Set()
    this.#handlers.set(subject, handlers.add(handler))
    return () => handlers.delete(handler)
  }

  /** Moves the clock and fires what became due, oldest first. */
  advance(ms: number): void {
    this.nowMs += ms
    this.#fire((timer) => timer.atMs <= this.nowMs)
  }

  /** Fires what is armed whatever the clock says: timers run on, should somebody set it back. */
  fireAll(): void {
    this.#fire(() => true)
  }

  #fire(isDue: (timer: { readonly atMs: number }) => boolean): void {
    const due = [...this.#timers].filter(([, timer]) => isDue(timer))
    for (const [name, timer] of due.sort((left, right) => left[1].atMs - right[1].atMs)) {
      this.#timers.delete(name)
      timer.fire()
    }
  }
}
