/**
 * The world behind the control plane's loop: bus, clock, timers, journals in the object store. It is made of what the zone
 * was given, so that a simulated zone differs in that alone.
 */
import type { BusShape } from '../bus/bus.ts'
import { openJournal } from '../log/journal.ts'
import { endpointJournal, timelineJournal } from '../log/keys.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import type { Recorder, SystemPorts } from '../system/ports.ts'
import { steadyClock } from '../system/steady-clock.ts'
import type { Timers } from '../system/timers.ts'

const JOURNALS: Readonly<Record<string, (id: string) => string>> = {
  timeline: timelineJournal,
  endpoint: endpointJournal,
}

export interface ZoneWorld {
  readonly project: string
  readonly bus: BusShape
  readonly store: ObjectStoreShape
  readonly nowMs: () => number
  /** As performance.now: nobody sets it. */
  readonly monotonicMs: () => number
  readonly timers: Timers
  /** Unique strings. */
  readonly newId: () => string
  /** Is shown what the zone's actors take. */
  readonly recorder?: Recorder | undefined
  readonly edited?: SystemPorts['edited']
  /** Of journals; without, theirs. */
  readonly snapshotIntervalEvents?: number | undefined
  readonly report: SystemPorts['report']
}

export function zonePorts(world: ZoneWorld): SystemPorts & { readonly close: () => void } {
  const { project, bus, store, timers, newId, recorder, edited, report, snapshotIntervalEvents } = world
  const nowMs = steadyClock(world)
  const armed = new Map<string, () => void>()
  const cancel = (name: string) => {
    armed.get(name)?.()
    armed.delete(name)
  }
  return {
    project,
    bus: {
      publish: (subject, data) => bus.publish(subject, data),
      subscribe: (subject, handler) => {
        // While two zones believe that they lead, an actor has two hosts. Both hearing a command would carry it out twice.
        const subscription = bus.subscribe(subject, handler, { queue: 'host' })
        return () => subscription.unsubscribe()
      },
    },
    clock: { nowMs },
    ids: { next: newId },
    timers: {
      set: (name, atMs, fire) => {
        cancel(name)
        const fireOnce = () => {
          armed.delete(name)
          fire()
        }
        armed.set(name, timers.after(Math.max(0, atMs - nowMs()), fireOnce))
      },
      cancel,
    },
    openJournal: (kind, id) => openJournal(store, JOURNALS[kind]!(id), snapshotIntervalEvents),
    report,
    recorder,
    edited,
    close: () => {
      for (const name of [...armed.keys()]) cancel(name)
    },
  }
}
