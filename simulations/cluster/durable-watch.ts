/**
 * Looks at a reign's log after each acknowledgement and each timer and tells how far it is durable, with the chain up to there, computed
 * from the bytes themselves. Nobody has learned of that position yet: answers go out with the promises that are followed
 * after the event. It must look before the ring's bytes are given back, which only a later event can do.
 */
import { chainOver } from '../../events/frame.ts'
import type { Lane } from '../../runtime/bus/fast-lane.ts'
import type { Reign } from '../../runtime/compute/reign.ts'
import type { ReignPorts } from '../../runtime/compute/reign-ports.ts'
import type { SharedLog } from '../../runtime/compute/shared-log.ts'
import type { Timers } from '../../runtime/system/timers.ts'
import type { ReignObserver } from '../oracles/reign-observer.ts'

export class DurableWatch {
  readonly #observer: ReignObserver
  readonly #log: () => SharedLog | undefined
  readonly #term: number
  #position: number
  #chain: number

  /** `log`: while the reign writes one. */
  constructor(observer: ReignObserver, { compute }: ReignPorts, reign: Reign, log: () => SharedLog | undefined) {
    const { term, history, tail, grant } = reign
    const { lastTerm, position, chain } = tail
    this.#observer = observer
    this.#log = log
    this.#term = term
    this.#position = position
    this.#chain = chain
    observer.opened({ term, compute, history, lastTerm, position, chain, fromSnapshot: grant.snapshot !== undefined })
  }

  /** `lane`, looked at after each message that it brings. */
  lane(lane: Lane): Lane {
    return {
      publish: (subject, data, options) => {
        if (subject.includes('.safekeeper.')) this.#observer.resent?.()
        lane.publish(subject, data, options)
      },
      subscribe: (subject, handler) =>
        lane.subscribe(subject, (message) => {
          handler(message)
          this.#look()
        }),
    }
  }

  /** `timers`, looked at after each that fires: what became durable without a lease is told of when it is held again. */
  timers(timers: Timers): Timers {
    return {
      after: (ms, fire) =>
        timers.after(ms, () => {
          fire()
          this.#look()
        }),
    }
  }

  #look(): void {
    const log = this.#log()
    if (log === undefined || log.durable <= this.#position) return
    const bytes = Buffer.allocUnsafe(log.durable - this.#position)
    log.copyOut(this.#position, log.durable, bytes, 0)
    this.#position = log.durable
    this.#chain = chainOver(bytes, this.#chain)
    this.#observer.durable(this.#term, this.#position, this.#chain)
  }
}
