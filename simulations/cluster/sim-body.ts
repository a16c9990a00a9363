/**
 * A compute's body in a simulation: the real volume behind a mount without a kernel, and simulated Postgres on it. Whoever
 * serves is told to the address that clients connect to; nothing else of the cluster is known here.
 */
import { type AttachedVolume, attachVolume } from '../../runtime/compute/attached-volume.ts'
import type { ComputeBody, LogPositions, PostgresBody, VolumeBody } from '../../runtime/compute/compute-body.ts'
import type { SharedLog } from '../../runtime/compute/shared-log.ts'
import { SNAPSHOT_LOG_BYTES_MAX } from '../../runtime/compute/snapshot-taker.ts'
import type { VolumePlace } from '../../runtime/compute/volume-place.ts'
import type { Timers } from '../../runtime/system/timers.ts'
import type { Kernel, Process } from '../kernel/kernel.ts'
import type { ReignObserver, SyncedAnswer } from '../oracles/reign-observer.ts'
import { initializeCluster } from '../postgres/cluster.ts'
import { SimPostgres } from '../postgres/postgres.ts'
import type { PostgresSettings } from '../postgres/settings.ts'
import type { ExecutionObserver } from '../postgres/transaction.ts'
import type { SimBus } from '../world/sim-bus.ts'
import { DurableWatch } from './durable-watch.ts'
import { KernelThread } from './kernel-thread.ts'
import { PendingSyncs } from './pending-syncs.ts'
import { VolumeMount } from './volume-mount.ts'

/** Where clients find whoever serves. */
export interface Address {
  /** Before it serves: its sessions must end with the process. */
  launched(process: Process, server: SimPostgres, term: number): void
  listens(server: SimPostgres, zone: string): void
}

export interface SimBodyPorts {
  readonly kernel: Kernel
  readonly process: Process
  readonly timers: Timers
  readonly lane: Pick<SimBus, 'status' | 'publish'>
  readonly nowMs: () => number
  readonly postgres: PostgresSettings
  /** Registers that a new cluster is made for. */
  readonly keys: number
  readonly cachePages: number
  readonly segmentPages: number | undefined
  readonly ringBytes: number | undefined
  readonly snapshotLogBytes: number | undefined
  readonly observer: ExecutionObserver
  readonly reigns: ReignObserver
  readonly address: Address
}

/** Small, so that a run sees the ring come around, and full segments. */
const RING_BYTES = 256 * 1024
const SEGMENT_PAGES = 8

/** From the order to start until the first file is read. */
const LAUNCH_MS = 30
const STOP_GRACE_MS = 30_000

export function simBody(ports: SimBodyPorts): ComputeBody {
  return {
    attach: async (reignPorts, reign, events, signal) => {
      const door = new Door(ports, reign.term)
      const watch = new DurableWatch(ports.reigns, reignPorts, reign, () => door.log)
      const watched = { ...reignPorts, lane: watch.lane(reignPorts.lane), timers: watch.timers(reignPorts.timers) }
      return new SimVolume(ports, reign.term, door, await attachVolume(door.place, watched, reign, events, signal))
    },
  }
}

/** The way to one volume: made before it is attached, since the thread comes first. */
class Door {
  readonly syncs = new PendingSyncs()
  readonly place: VolumePlace
  mount: VolumeMount | undefined
  #thread: KernelThread | undefined

  constructor(ports: SimBodyPorts, ofTerm: number) {
    const {
      kernel,
      process,
      nowMs,
      lane,
      cachePages,
      segmentPages = SEGMENT_PAGES,
      ringBytes = RING_BYTES,
      snapshotLogBytes = SNAPSHOT_LOG_BYTES_MAX,
      reigns,
    } = ports
    const synced = (answer: Omit<SyncedAnswer, 'term'>) => reigns.synced?.({ term: ofTerm, ...answer })
    const { syncs } = this
    const publish = (subject: string, reply: string, frame: Uint8Array): boolean => {
      if (lane.status() !== 'connected') return false
      lane.publish(subject, frame, { reply })
      return true
    }
    this.place = {
      ringBytes,
      startThread: (timeline, term) => {
        const data = { cacheFile: '', slotCount: cachePages, segmentPages, snapshotLogBytes, timeline, term }
        this.#thread = new KernelThread({ kernel, process, nowMs, syncs, publish }, data)
        return this.#thread
      },
      openDoor: async (timeline) => {
        const mount = new VolumeMount({ kernel, process, thread: this.#thread!, syncs, nowMs, synced })
        this.mount = mount
        return {
          path: timeline,
          device: -1,
          answers: syncs,
          openWaker: async () => ({ wake: () => {}, close: () => {} }),
          unmount: async () => mount.unmount(),
          close: () => {},
        }
      },
    }
  }

  get log(): SharedLog | undefined {
    return this.#thread?.log
  }
}

class SimVolume implements VolumeBody {
  readonly #ports: SimBodyPorts
  readonly #term: number
  readonly #door: Door
  readonly #volume: AttachedVolume
  #server: SimPostgres | undefined

  constructor(ports: SimBodyPorts, term: number, door: Door, volume: AttachedVolume) {
    this.#ports = ports
    this.#term = term
    this.#door = door
    this.#volume = volume
  }

  get positions(): LogPositions {
    const { end, durable, archived } = this.#volume.log.shared
    return { end, durable, archived }
  }

  get isLeased(): boolean {
    return this.#volume.log.isLeased
  }

  get quiet(): boolean {
    return this.#volume.log.shared.quiet
  }
  set quiet(value: boolean) {
    this.#volume.log.shared.quiet = value
  }

  async createCluster(): Promise<void> {
    const mount = this.#door.mount!
    await removeRemains(mount)
    await initializeCluster(mount, this.#ports.keys)
  }

  async killPostgres(): Promise<void> {
    this.#server?.kill()
  }

  async launch(): Promise<PostgresBody> {
    const { kernel, process, timers, postgres, observer, address, reigns } = this.#ports
    const mount: VolumeMount = this.#door.mount!.forCaller(() => server.isOver)
    const options = { kernel, process, mount, name: process.name, settings: postgres, observer }
    const server: SimPostgres = new SimPostgres(options)
    this.#server = server
    reigns.launches?.(this.#term, process.name)
    address.launched(process, server, this.#term)
    const started = new Promise<void>((resolve, reject) => {
      kernel.after(process, LAUNCH_MS, () => void server.start().then(resolve, reject))
    })
    const ready = started.then(() => {
      reigns.serves?.(this.#term)
      address.listens(server, process.name)
    })
    ready.catch(() => {})
    return {
      pid: 0,
      ready,
      exited: server.exited.then(({ code, reason }) => ({ code, reason })),
      followPassword: async () => {},
      closeClients: () => server.closeClients(),
      openClients: () => server.openClients(),
      stop: (mode) => {
        // As server.ts: one that does not end in time is ended by force.
        timers.after(STOP_GRACE_MS, () => server.kill())
        void server.stop(mode)
        return server.exited
      },
      kill: async () => server.kill(),
    }
  }

  flush(): Promise<void> {
    return this.#volume.flush()
  }

  async guard(): Promise<void> {
    this.#ports.reigns.guarded?.()
    const mount = this.#door.mount!
    const { written } = mount
    await this.#volume.guard()
    mount.guardedFrom(written)
  }

  fail(): void {
    this.#volume.log.writer.fail()
  }

  detach(): Promise<void> {
    this.#server?.kill()
    return this.#volume.detach()
  }
}

/** What an attempt left that was cut off, deepest first. */
async function removeRemains(mount: VolumeMount): Promise<void> {
  for (const directory of DIRECTORIES) {
    if ((await mount.lookup(directory)) === 0) continue
    for (const name of await mount.list(directory)) {
      const path = directory === '' ? name : `${directory}/${name}`
      if (!DIRECTORIES.includes(path)) await mount.unlink(path)
    }
    if (directory !== '') await mount.removeDirectory(directory)
  }
}

const DIRECTORIES = ['base/1', 'base', 'pg_wal', 'global', '']
