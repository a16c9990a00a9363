/**
 * The loop of a serving volume: read a request from /dev/fuse, let the server answer it from the volume, send what it
 * logged, look after seals and snapshots. What cannot be answered at once waits here by token until the bytes or the
 * room it needs have arrived through the inbox.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { describe, isLochError } from '../errors.ts'
import { KernelDevice } from '../fuse/device.ts'
import { FuseServer } from '../fuse/server.ts'
import { DEVICE_GONE, type SlowPath } from '../fuse/served-volume.ts'
import type { Wanted } from '../volume/types.ts'
import type { Volume } from '../volume/volume.ts'
import { FrameSocket } from './frame-socket.ts'
import { EIO } from './log-writer.ts'
import { RingSink } from './ring-sink.ts'
import { Sealer } from './sealer.ts'
import { RING_RESERVE_BYTES, SharedLog } from './shared-log.ts'
import type { FromVolume, ToServingVolume, ToVolume } from './volume-messages.ts'

type Serve = Extract<ToVolume, { kind: 'serve' }>

const REQUEST_BYTES_MAX = 1024 * 1024 + 64 * 1024
/** Log since the last snapshot after which the next one is taken: it bounds the fold of the next attach. */
const SNAPSHOT_LOG_BYTES = 64 * 1024 * 1024
/** Namespace changes are sent with the next write or fsync, or when so much has gathered. */
const UNSENT_BYTES_MAX = 64 * 1024

/** A request that waits for bytes: how many of them are still on their way. */
interface Lacking {
  readonly token: number
  left: number
  failed: boolean
}

export class ServingVolume {
  private readonly volume: Volume
  private readonly post: (message: FromVolume, transfer?: ArrayBuffer[]) => void
  private readonly log: SharedLog
  private readonly sink: RingSink
  private readonly sealer: Sealer
  private readonly device: KernelDevice
  private readonly server: FuseServer
  private readonly inbox: MessagePort
  private readonly request = Buffer.allocUnsafeSlow(REQUEST_BYTES_MAX)
  /** Who waits for which bytes; several requests may lack the same page. */
  private readonly lacking = new Map<string, Lacking[]>()
  private spaceWanted: number[] = []
  private snapshotAt: number
  private snapshotting = false
  private flushing = false
  private stopping = false

  constructor(volume: Volume, message: Serve, post: (message: FromVolume, transfer?: ArrayBuffer[]) => void) {
    this.volume = volume
    this.post = post
    this.log = new SharedLog(message.memory)
    this.inbox = message.inbox as unknown as MessagePort
    this.sink = this.createSink(message)
    volume.attachLog(this.sink)
    this.snapshotAt = this.log.end
    this.sealer = new Sealer(volume, message.term, post)
    this.device = new KernelDevice(message.device)
    this.server = new FuseServer(this.device, volume, this.slowPath(), { now: () => this.sink.nowMs })
  }

  private createSink(message: Serve): RingSink {
    const socket = new FrameSocket(this.log, message.subject, message.reply)
    const sink = new RingSink(this.log, message.term, message.writer, (parts, bytes) => {
      const sent = socket.publish(parts, bytes)
      if (!sent) this.post({ kind: 'unsent' })
      return sent
    })
    sink.nowMs = Date.now()
    sink.append({ type: 'termStarted', at: sink.nowMs, term: message.term, compute: message.compute })
    sink.send()
    return sink
  }

  /** Serves until told to stop or until the mount goes away. */
  run(): void {
    this.post({ kind: 'serving' })
    while (!this.stopping) {
      const length = this.device.read(this.request)
      if (length === DEVICE_GONE) return
      if (length > 0) this.serve(length)
    }
  }

  private serve(length: number): void {
    this.sink.nowMs = Date.now()
    if (this.log.ringFree < RING_RESERVE_BYTES) this.sink.reserve()
    const before = this.log.end
    try {
      const eager = this.server.handle(this.request, length)
      if (this.log.end > before && (eager || this.log.end - this.log.sent >= UNSENT_BYTES_MAX)) this.sink.sendEagerly()
      this.drainInbox()
      this.sealer.tick()
      this.snapshotIfDue()
    } catch (error) {
      this.breakDown(error)
    }
  }

  /** A volume that failed half way through an operation must not go on: what it would log next could be wrong. */
  private breakDown(error: unknown): void {
    this.stopping = true
    const problem = isLochError(error) ? describe(error) : String((error as Error).stack ?? error)
    this.post({ kind: 'broken', problem })
  }

  private slowPath(): SlowPath {
    return {
      bytesWanted: (token) => this.requestBytes(token),
      spaceWanted: (token) => {
        this.spaceWanted.push(token)
        this.sealer.syncAll(() => this.retrySpace())
      },
      sync: (low, high, ino) => this.sync(low, high, ino),
    }
  }

  private requestBytes(token: number): void {
    const waiting: Lacking = { token, left: 0, failed: false }
    for (const wanted of this.volume.wanted) {
      waiting.left++
      const key = keyOf(wanted)
      const others = this.lacking.get(key)
      if (others) others.push(waiting)
      else {
        this.lacking.set(key, [waiting])
        this.post({ kind: 'fetch', wanted })
      }
    }
    if (waiting.left === 0) throw new Error('defect: an operation wants bytes but names none')
  }

  private retrySpace(): void {
    const tokens = this.spaceWanted
    this.spaceWanted = []
    for (const token of tokens) this.server.retry(token)
  }

  private sync(low: number, high: number, ino: number): boolean {
    this.sink.send()
    if (this.log.failure !== 0) {
      this.server.replyError(low, high, this.log.failure)
      return true
    }
    if (this.volume.isClean(ino)) return this.awaitDurable(low, high, this.volume.lastPosition(ino))
    this.sealer.sync((position) => {
      this.sink.send()
      if (!this.awaitDurable(low, high, position)) this.server.replyEmpty(low, high)
    })
    return true
  }

  /** True if the request was or will be answered elsewhere; false if `position` is durable. */
  private awaitDurable(low: number, high: number, position: number): boolean {
    if (this.log.enqueueSync(low, high, position)) return true
    if (this.log.failure === 0) return false
    this.server.replyError(low, high, EIO)
    return true
  }

  private drainInbox(): void {
    this.log.clearWake()
    for (let next = receiveMessageOnPort(this.inbox); next; next = receiveMessageOnPort(this.inbox)) {
      this.take(next.message as ToServingVolume)
    }
    if (this.log.end - this.log.sent >= UNSENT_BYTES_MAX) this.sink.sendEagerly()
  }

  private take(message: ToServingVolume): void {
    switch (message.kind) {
      case 'fetched':
        return this.fetched(message.wanted, message.bytes)
      case 'sealed':
        return this.sealer.finish(message.seal, message.ok, message.buffer)
      case 'snapshotWritten':
        return this.snapshotWritten(message.ok)
      case 'flush':
        return this.flush()
      case 'stop':
        this.stopping = true
    }
  }

  private fetched(wanted: Wanted, bytes: Uint8Array | undefined): void {
    const key = keyOf(wanted)
    const waiting = this.lacking.get(key) ?? []
    this.lacking.delete(key)
    if (bytes) {
      if (wanted.kind === 'page') this.volume.deliverPage(wanted.ino, wanted.block, bytes)
      else this.volume.deliverIndexBlock(wanted.key, wanted.offset, bytes)
    }
    for (const lack of waiting) {
      if (!bytes) lack.failed = true
      if (--lack.left > 0) continue
      if (lack.failed) this.server.abandon(lack.token, EIO)
      else this.server.retry(lack.token)
    }
  }

  // ---- snapshots: pages of logged files are sealed too, then the image at that position is exact ----------------------

  private snapshotIfDue(): void {
    if (this.snapshotting || this.log.quiet || this.log.end - this.snapshotAt < SNAPSHOT_LOG_BYTES) return
    this.snapshot()
  }

  private snapshot(): void {
    this.snapshotting = true
    this.sealer.syncAll(() => this.takeSnapshot())
  }

  private takeSnapshot(): void {
    if (!this.volume.canSnapshot) return this.sealer.syncAll(() => this.takeSnapshot())
    this.sink.send()
    const position = this.log.end
    this.snapshotAt = position
    const { chain } = this.sink
    this.post({ kind: 'snapshot', position, chain, objects: this.volume.takeSnapshot(position) })
  }

  private snapshotWritten(ok: boolean): void {
    this.snapshotting = false
    this.volume.snapshotStored(ok)
    if (!this.flushing) return
    this.flushing = false
    this.post({ kind: 'flushed', position: this.snapshotAt })
  }

  private flush(): void {
    this.log.quiet = false
    this.flushing = true
    if (!this.snapshotting) this.snapshot()
  }
}

function keyOf(wanted: Wanted): string {
  return wanted.kind === 'page' ? `${wanted.ino}/${wanted.block}` : `${wanted.key}@${wanted.offset}`
}
