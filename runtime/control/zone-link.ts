/**
 * The zone's end of the channel to its supervisor (zone-config.ts is the contract). Without a channel, as in a test that
 * runs a zone by hand, everything said is dropped and SIGTERM is the only order.
 */
import { reportOf } from './error-report.ts'
import type { ZoneMessage, ZoneOrder } from './zone-config.ts'

export interface ZoneLink {
  readonly progress: (step: string, elapsedMs: number) => void
  readonly ready: () => void
  readonly serving: (compute: string, term: number) => void
  /** Say it when the computes are stopped, after `stopRequested`. */
  readonly stopped: () => void
  /** Resolves when it is on its way, so that the process may exit. `fatal`: starting the zone again will not help. */
  readonly failed: (error: unknown, fatal: boolean) => Promise<void>
  readonly stopRequested: Promise<void>
  /** Never before `stopped` was said, unless the supervisor is in a hurry. */
  readonly exitRequested: Promise<void>
}

/**
 * A SIGTERM may have been sent to the whole group: then the supervisor's own orders follow at once. If none come in this
 * time, this zone alone was meant.
 */
const ORDERS_FOLLOW_MS = 1_000

/** Takes the channel over. The process exits as soon as its supervisor is gone: Postgres goes with it (pdeathsig). */
export function openZoneLink(): ZoneLink {
  const stop = signal()
  const exit = signal()
  let isOrdered = false
  let isTerminated = false
  // Not process.exit: that waits for the volume's thread, which may be waiting for the kernel.
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  // A terminal sends Ctrl-C to the whole group; the order to stop comes from the supervisor.
  process.on('SIGINT', () => {})
  process.once('SIGTERM', () => {
    isTerminated = true
    stop.fire()
  })
  process.on('message', (message) => {
    if (!isOrder(message)) return
    isOrdered = true
    if (message.type === 'stop') stop.fire()
    else exit.fire()
  })
  const stopped = () => {
    void send({ type: 'stopped' })
    if (!isTerminated) return
    setTimeout(() => {
      if (!isOrdered) exit.fire()
    }, ORDERS_FOLLOW_MS)
  }
  return {
    progress: (step, elapsedMs) => void send({ type: 'progress', step, elapsedMs }),
    ready: () => void send({ type: 'ready' }),
    serving: (compute, term) => void send({ type: 'serving', compute, term }),
    stopped,
    failed: (error, fatal) => send({ type: 'failed', error: reportOf(error), fatal }),
    stopRequested: stop.fired,
    exitRequested: exit.fired,
  }
}

function send(message: ZoneMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve()
    else process.send(message, undefined, undefined, () => resolve())
  })
}

function signal(): { readonly fired: Promise<void>; readonly fire: () => void } {
  let fire = () => {}
  const fired = new Promise<void>((resolve) => {
    fire = resolve
  })
  return { fired, fire }
}

function isOrder(message: unknown): message is ZoneOrder {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false
  return message.type === 'stop' || message.type === 'exit'
}
