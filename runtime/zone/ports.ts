/**
 * The real world behind the control plane's loop: NATS, the clock, timers, journals in the object store. The simulator
 * gives the same loop other ports; nothing else may tell the two apart.
 */
import { randomUUID } from 'node:crypto'
import type { BusShape } from '../bus/bus.ts'
import { openJournal } from '../log/journal.ts'
import { endpointJournal, timelineJournal } from '../log/keys.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import type { Recorder, SystemPorts } from '../system/ports.ts'

const JOURNALS: Readonly<Record<string, (id: string) => string>> = {
  timeline: timelineJournal,
  endpoint: endpointJournal,
}

let recorder: Recorder | undefined

/** Shows the actors of this process to `it`, from the next `realPorts` on. Called once, by its main. */
export function recordWith(it: Recorder): void {
  recorder = it
}

export function realPorts(
  project: string,
  bus: BusShape,
  store: ObjectStoreShape,
  report: SystemPorts['report'],
): SystemPorts & { readonly close: () => void } {
  const timers = new Map<string, NodeJS.Timeout>()
  const cancel = (name: string) => {
    clearTimeout(timers.get(name))
    timers.delete(name)
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
    clock: { nowMs: Date.now },
    ids: { next: randomUUID },
    timers: {
      set: (name, atMs, fire) => {
        cancel(name)
        const fireOnce = () => {
          timers.delete(name)
          fire()
        }
        timers.set(name, setTimeout(fireOnce, Math.max(0, atMs - Date.now())))
      },
      cancel,
    },
    openJournal: (kind, id) => openJournal(store, JOURNALS[kind]!(id)),
    report,
    recorder,
    close: () => {
      for (const name of [...timers.keys()]) cancel(name)
    },
  }
}
