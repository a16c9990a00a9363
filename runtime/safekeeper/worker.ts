/**
 * The thread that runs all safekeepers of a zone: its own connection to NATS, its own object store, synchronous disk. It
 * is a thread because an fdatasync blocks, and a zone's compute must not wait for a disk that is not its own.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import * as Exit from 'effect/Exit'
import * as Scope from 'effect/Scope'
import { useChecksum } from '../../events/checksum.ts'
import { WRITER_BYTES } from '../../events/frame.ts'
import { type FastLane, openFastLane } from '../bus/fast-lane.ts'
import { connectBus, type NatsBus } from '../bus/nats.ts'
import { reportOf } from '../control/error-report.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import { openObjectStore } from '../object-store/open.ts'
import { RECORDINGS, Recording } from '../replay/recording.ts'
import { run } from '../system/run.ts'
import { nodeDiskFiles } from './disk-files.ts'
import { readPast } from './past.ts'
import { SafekeeperService } from './safekeeper.ts'
import type { FromSafekeepers, SafekeepersConfig, ToSafekeepers } from './worker-messages.ts'

class Safekeepers {
  readonly #config: SafekeepersConfig
  readonly #services = new Map<string, SafekeeperService>()
  readonly #scope = Scope.makeUnsafe()
  #bus: NatsBus | undefined
  #lane: FastLane | undefined
  #store: ObjectStoreShape | undefined
  readonly #recording: Recording

  constructor(config: SafekeepersConfig) {
    this.#config = config
    const directory = join(dirname(config.directory), RECORDINGS, 'safekeepers')
    this.#recording = new Recording({ directory, host: config.zone, nowMs: Date.now, report })
  }

  async start(): Promise<void> {
    const { natsUrl, objectStore, project, zone, timelines } = this.#config
    const name = `loch-${project}-${zone}-safekeepers`
    this.#store = await run(Scope.provide(openObjectStore(objectStore), this.#scope))
    this.#bus = await run(Scope.provide(connectBus(natsUrl, { name, report }), this.#scope))
    this.#lane = openFastLane(natsUrl, { name: `${name}-lane`, bus: this.#bus, report })
    for (const timeline of timelines) await this.add(timeline)
  }

  async add(timeline: string): Promise<void> {
    const store = this.#store!
    const bus = this.#bus!
    if (this.#services.has(timeline)) return
    const { project, zone, peers, directory } = this.#config
    const service = await SafekeeperService.open({
      project,
      zone,
      timeline,
      peers,
      directory: join(directory, timeline),
      files: nodeDiskFiles,
      bus,
      lane: this.#lane,
      store,
      writer: randomBytes(WRITER_BYTES),
      newId: randomUUID,
      nowMs: Date.now,
      monotonicMs: () => performance.now(),
      defer: setImmediate,
      after: (ms, fire) => {
        const timer = setTimeout(fire, ms)
        return () => clearTimeout(timer)
      },
      past: () => readPast(store, timeline, zone),
      report,
      recorder: this.#recording.recorder,
    })
    this.#services.set(timeline, service)
    await run(bus.flush())
  }

  statuses() {
    return [...this.#services.values()].map((service) => service.status())
  }

  async stop(): Promise<void> {
    for (const service of this.#services.values()) service.stop()
    this.#lane?.close()
    await this.#recording.close()
    await run(Scope.close(this.#scope, Exit.void))
  }
}

function say(message: FromSafekeepers): void {
  parentPort?.postMessage(message)
}

function report(line: string): void {
  say({ kind: 'report', line })
}

async function answer(safekeepers: Safekeepers, message: ToSafekeepers): Promise<void> {
  try {
    if (message.kind === 'add') await safekeepers.add(message.timeline)
    if (message.kind === 'stop') await safekeepers.stop()
    say({ kind: 'answer', id: message.id, statuses: message.kind === 'stop' ? [] : safekeepers.statuses() })
    if (message.kind === 'stop') parentPort?.close()
  } catch (error) {
    say({ kind: 'refusal', id: message.id, error: reportOf(error) })
  }
}

useChecksum(crc32)
const safekeepers = new Safekeepers(workerData as SafekeepersConfig)
parentPort?.on('message', (message: ToSafekeepers) => void answer(safekeepers, message))
safekeepers.start().then(
  () => say({ kind: 'ready' }),
  (error: unknown) => say({ kind: 'failed', error: reportOf(error) }),
)
