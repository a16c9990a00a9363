/**
 * The loop of a serving volume: read a request from /dev/fuse, let the server answer it from the volume, send what it
 * logged, look after seals and snapshots. What cannot be answered at once waits here by token until the bytes or the
 * room it needs have arrived through the inbox.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { KernelDevice } from '../fuse/device.ts'
import { Opcode, REQUEST_BYTES_MAX } from '../fuse/protocol.ts'
import { DEVICE_GONE, type SlowPath } from '../fuse/served-volume.ts'
import { FuseServer } from '../fuse/server.ts'
import { InHeader } from '../fuse/structs.ts'
import type { Wanted } from '../volume/types.ts'
import type { Volume } from '../volume/volume.ts'
import { FrameSocket } from './frame-socket.ts'
import { Fsyncs } from './fsyncs.ts'
import { EIO } from './log-writer.ts'
import { RingSink } from './ring-sink.ts'
import { Sealer } from './sealer.ts'
import { RING_RESERVE_BYTES, SharedLog } from './shared-log.ts'
import { SnapshotTaker } from './snapshot-taker.ts'
import {
  brokenBy,
  type FromVolume,
  type ServeMessage,
  type ToServingVolume,
  type VolumeWorkerData,
} from './volume-messages.ts'
import { WantedBytes } from './wanted-bytes.ts'

/** Namespace changes are sent with the next write or fsync, or when so much has gathered. */
const UNSENT_BYTES_MAX = 64 * 1024

export type Post = (message: FromVolume, transfer?: ArrayBuffer[]) => void

export class ServingVolume {
  private readonly post: Post
  private readonly log: SharedLog
  private readonly sink: RingSink
  private readonly sealer: Sealer
  private readonly snapshots: SnapshotTaker
  private readonly wanted: WantedBytes
  private readonly device: KernelDevice
  private readonly server: FuseServer
  private readonly fsyncs: Fsyncs
  private readonly inbox: MessagePort
  private readonly request = Buffer.allocUnsafeSlow(REQUEST_BYTES_MAX)
  /** Requests that lack room in the cache. */
  private spaceWanted: number[] = []
  private makesSpace = false
  private wakesSeen = 0
  private stopping = false

  constructor(volume: Volume, data: VolumeWorkerData, message: ServeMessage, post: Post) {
    this.post = post
    this.log = new SharedLog(message.memory)
    this.inbox = message.inbox
    this.sink = this.createSink(data, message)
    volume.attachLog(this.sink)
    this.sealer = new Sealer(volume, data.term, post)
    this.wanted = new WantedBytes(volume, post)
    this.snapshots = new SnapshotTaker(volume, this.sealer, this.sink, this.log, this.wanted, data, post)
    this.device = new KernelDevice(message.device)
    this.server = new FuseServer(this.device, volume, this.slowPath(), { now: () => this.sink.nowMs })
    this.fsyncs = new Fsyncs(volume, this.sealer, this.sink, this.log, this.server)
  }

  private createSink(data: VolumeWorkerData, message: ServeMessage): RingSink {
    const socket = new FrameSocket(this.log, message.subject, message.reply)
    const sink = new RingSink(this.log, data.term, message.writer, (parts, bytes, begin) => {
      const sent = socket.publish(parts, bytes)
      if (!sent) this.post({ kind: 'unsent', begin })
      return sent
    })
    sink.nowMs = Date.now()
    sink.append({ type: 'termStarted', at: sink.nowMs, term: data.term, compute: message.compute })
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
    // What was not appended before the log failed will never be: no write may be answered with success any more.
    if (this.log.failure !== 0) this.server.refuseChanges(this.log.failure)
    const isWrite = this.request.readUInt32LE(InHeader.opcode) === Opcode.write
    const before = this.log.end
    try {
      this.server.handle(this.request, length)
      if (this.log.end > before && (isWrite || this.log.end - this.log.sent >= UNSENT_BYTES_MAX)) {
        this.sink.sendEagerly()
      }
      if (this.server.wakes !== this.wakesSeen) this.drainInbox()
      this.sealer.tick()
      this.snapshots.tick()
    } catch (error) {
      this.breakDown(error)
    }
  }

  /** A volume that failed half way through an operation must not go on: what it would log next could be wrong. */
  private breakDown(error: unknown): void {
    this.stopping = true
    this.post(brokenBy(error))
  }

  private slowPath(): SlowPath {
    return {
      bytesWanted: (token) =>
        this.wanted.request((arrived) => {
          if (arrived) this.server.retry(token)
          else this.server.abandon(token, EIO)
        }),
      spaceWanted: (token) => {
        this.spaceWanted.push(token)
        this.makeSpace()
      },
      sync: (low, high, ino) => this.fsyncs.sync(low, high, ino),
    }
  }

  /** Every seal that is stored may have made enough room; that all are is only what keeps them coming. */
  private makeSpace(): void {
    if (this.makesSpace) return
    this.makesSpace = true
    this.sealer.syncAll(() => {
      this.makesSpace = false
      this.retrySpace()
    })
  }

  private retrySpace(): void {
    const tokens = this.spaceWanted
    this.spaceWanted = []
    for (const token of tokens) this.server.retry(token)
  }

  private drainInbox(): void {
    this.wakesSeen = this.server.wakes
    this.log.clearWake()
    for (let next = receiveMessageOnPort(this.inbox); next; next = receiveMessageOnPort(this.inbox)) {
      this.take(next.message as ToServingVolume)
    }
    if (this.log.end - this.log.sent >= UNSENT_BYTES_MAX) this.sink.sendEagerly()
  }

  private take(message: ToServingVolume): void {
    switch (message.kind) {
      case 'fetched':
        this.wanted.arrived(message.wanted as Wanted, message.bytes)
        break
      case 'sealed':
        this.sealer.finish(message.seal, message.ok, message.buffer)
        if (message.ok) this.retrySpace()
        break
      case 'snapshotWritten':
        this.snapshots.written(message.ok)
        break
      case 'flush':
        this.snapshots.flush()
        break
      case 'guard':
        this.fsyncs.guard()
        this.post({ kind: 'guarded' })
        break
      case 'stop':
        this.stopping = true
        break
    }
  }
}
