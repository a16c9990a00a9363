/**
 * A volume's thread without a thread: the same folding and the same service, moved by events of the kernel. Messages reach
 * it in order and a little later, and what it posts reaches its host so. It ends with its process, whose memory it is.
 */

import { FoldingVolume } from '../../runtime/compute/folding-volume.ts'
import type { FrameOut } from '../../runtime/compute/ring-sink.ts'
import { SharedLog } from '../../runtime/compute/shared-log.ts'
import {
  brokenBy,
  type FromVolume,
  type ServeMessage,
  type ToServingVolume,
  type ToVolume,
  type VolumeWorkerData,
} from '../../runtime/compute/volume-messages.ts'
import { VolumeService } from '../../runtime/compute/volume-service.ts'
import type { VolumeThread } from '../../runtime/compute/volume-thread.ts'
import { Volume } from '../../runtime/volume/volume.ts'
import type { Kernel, Process } from '../kernel/kernel.ts'
import { MemoryPages } from '../world/memory-pages.ts'
import type { PendingSyncs } from './pending-syncs.ts'

export interface KernelThreadPorts {
  readonly kernel: Kernel
  readonly process: Process
  readonly nowMs: () => number
  readonly syncs: PendingSyncs
  /** Sends a frame; false while there is no connection. */
  readonly publish: (subject: string, reply: string, frame: Uint8Array) => boolean
}

/** Of a message between two threads. */
const HOP_MS = 0.02
/** A ring without room is looked at again after this. */
export const RING_POLL_MS = 5

type Message = ToVolume | Omit<ServeMessage, 'inbox'>

export class KernelThread implements VolumeThread {
  readonly volume: Volume
  readonly #ports: KernelThreadPorts
  readonly #data: VolumeWorkerData
  readonly #folding: FoldingVolume
  readonly #toThread: Queue<Message>
  readonly #toHost: Queue<FromVolume>
  #hear: (message: FromVolume) => void = () => {}
  #ended: () => void = () => {}
  #service: VolumeService | undefined
  #log: SharedLog | undefined
  #isOver = false
  #isTerminated = false

  constructor(ports: KernelThreadPorts, data: VolumeWorkerData) {
    this.#ports = ports
    this.#data = data
    this.volume = new Volume({ pages: new MemoryPages(data.slotCount), local: new MemoryPages(LOCAL_SLOTS_MAX) })
    this.#folding = new FoldingVolume(this.volume, this.#post)
    this.#toThread = new Queue(
      ports,
      (message) => this.#take(message),
      () => this.waitsForRoom,
    )
    this.#toHost = new Queue(
      ports,
      (message) => this.#hear(message),
      () => false,
    )
  }

  listen(hear: (message: FromVolume) => void, _failed: (error: unknown) => void, ended: () => void): void {
    this.#hear = hear
    this.#ended = ended
  }

  post(message: ToVolume): void {
    if (!this.#isOver) this.#toThread.put(message)
  }

  serve(message: Omit<ServeMessage, 'inbox'>): void {
    this.#toThread.put(message)
  }

  async terminate(): Promise<void> {
    if (this.#isTerminated) return
    // One that has stopped by itself ends here too, and whoever waits for another answer of it hears that.
    this.#isTerminated = true
    this.#isOver = true
    this.#toThread.clear()
    this.#ended()
  }

  /** The service and its log, while it serves. */
  get serving(): { readonly service: VolumeService; readonly log: SharedLog } | undefined {
    return this.#service && !this.#isOver ? { service: this.#service, log: this.#log! } : undefined
  }

  /** What is appended to, from the first moment of serving on. */
  get log(): SharedLog | undefined {
    return this.#log
  }

  /** True where the thread would block: nothing that it is asked to do may begin before there is room in the ring. */
  get waitsForRoom(): boolean {
    const { serving } = this
    if (serving === undefined) return false
    const { service, log } = serving
    if (log.failure !== 0 || log.ringFree >= log.reserveBytes) return false
    service.sink.send()
    return true
  }

  /** A volume that failed half way through an operation must not go on. */
  breakDown(error: unknown): void {
    this.#isOver = true
    this.#post(brokenBy(error))
  }

  readonly #post = (message: FromVolume): void => this.#toHost.put(message)

  #take(message: Message): void {
    if (this.#isOver) return
    try {
      if (this.#service) this.#whileServing(message as ToServingVolume)
      else this.#beforeServing(message)
    } catch (error) {
      this.breakDown(error)
    }
  }

  #beforeServing(message: Message): void {
    switch (message.kind) {
      case 'serve':
        this.#begin(message)
        break
      case 'stop':
        this.#stop()
        break
      case 'restore':
      case 'fold':
      case 'fetched':
        this.#folding.take(message)
        break
      default:
        throw new Error(`${message.kind} before the volume serves`)
    }
  }

  #begin(message: Omit<ServeMessage, 'inbox'>): void {
    const { syncs, nowMs } = this.#ports
    const log = new SharedLog(message.memory)
    const publish: (parts: readonly Uint8Array[]) => ReturnType<FrameOut> = (parts) =>
      this.#ports.publish(message.subject, message.reply, Buffer.concat(parts))
    this.#log = log
    const ports = { log, publish, answers: syncs, post: this.#post }
    this.#service = new VolumeService(this.volume, this.#data, message, ports, nowMs())
    this.#post({ kind: 'serving' })
  }

  #whileServing(message: ToServingVolume): void {
    const service = this.#service!
    service.begin(this.#ports.nowMs())
    if (service.take(message)) {
      this.#stop()
      return
    }
    service.endTaking()
    service.tick()
  }

  #stop(): void {
    this.#isOver = true
    this.#post({ kind: 'stopped' })
  }
}

/** Files that are never durable are few here. */
const LOCAL_SLOTS_MAX = 4096

/** Messages in one direction, in order. */
class Queue<M> {
  readonly #ports: Pick<KernelThreadPorts, 'kernel' | 'process'>
  readonly #take: (message: M) => void
  readonly #isBlocked: () => boolean
  #waiting: M[] = []

  constructor(
    ports: Pick<KernelThreadPorts, 'kernel' | 'process'>,
    take: (message: M) => void,
    isBlocked: () => boolean,
  ) {
    this.#ports = ports
    this.#take = take
    this.#isBlocked = isBlocked
  }

  put(message: M): void {
    this.#waiting.push(message)
    if (this.#waiting.length === 1) this.#drainAfter(HOP_MS)
  }

  clear(): void {
    this.#waiting = []
  }

  #drain(): void {
    const messages = this.#waiting
    this.#waiting = []
    for (const [at, message] of messages.entries()) {
      if (this.#isBlocked()) {
        this.#putBack(messages.slice(at))
        return
      }
      this.#take(message)
    }
  }

  #putBack(messages: readonly M[]): void {
    const isDue = this.#waiting.length > 0
    this.#waiting = [...messages, ...this.#waiting]
    if (!isDue) this.#drainAfter(RING_POLL_MS)
  }

  #drainAfter(delayMs: number): void {
    this.#ports.kernel.after(this.#ports.process, delayMs, () => this.#drain())
  }
}
