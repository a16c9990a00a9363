/**
 * The loop of a serving volume: read a request from /dev/fuse, let the server answer it from the volume, send what it
 * logged, look after seals and snapshots (volume-service.ts). What cannot be answered at once waits in the server by token
 * until the bytes or the room it needs have arrived through the inbox.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { KernelDevice } from '../fuse/device.ts'
import { Opcode, REQUEST_BYTES_MAX } from '../fuse/protocol.ts'
import { DEVICE_GONE, type SlowPath } from '../fuse/served-volume.ts'
import { FuseServer } from '../fuse/server.ts'
import { InHeader } from '../fuse/structs.ts'
import type { Volume } from '../volume/volume.ts'
import { FrameSocket } from './frame-socket.ts'
import { EIO } from './log-writer.ts'
import { SharedLog } from './shared-log.ts'
import { brokenBy, type ServeMessage, type ToServingVolume, type VolumeWorkerData } from './volume-messages.ts'
import { type Post, VolumeService } from './volume-service.ts'

export class ServingVolume {
  private readonly post: Post
  private readonly log: SharedLog
  private readonly service: VolumeService
  private readonly device: KernelDevice
  private readonly server: FuseServer
  private readonly inbox: MessagePort
  private readonly request = Buffer.allocUnsafeSlow(REQUEST_BYTES_MAX)
  private wakesSeen = 0
  private stopping = false

  constructor(volume: Volume, data: VolumeWorkerData, message: ServeMessage, post: Post) {
    this.post = post
    this.log = new SharedLog(message.memory)
    this.inbox = message.inbox
    this.device = new KernelDevice(message.device)
    this.server = new FuseServer(this.device, volume, this.slowPath(), { now: () => this.service.sink.nowMs })
    const socket = new FrameSocket(this.log, message.subject, message.reply)
    const publish = (parts: readonly Uint8Array[], bytes: number) => socket.publish(parts, bytes)
    const ports = { log: this.log, publish, answers: this.server, post }
    this.service = new VolumeService(volume, data, message, ports, Date.now())
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
    const refusal = this.service.begin(Date.now())
    if (refusal !== 0) this.server.refuseChanges(refusal)
    const isWrite = this.request.readUInt32LE(InHeader.opcode) === Opcode.write
    const before = this.log.end
    try {
      this.server.handle(this.request, length)
      this.service.end(isWrite, before)
      if (this.server.wakes !== this.wakesSeen) this.drainInbox()
      this.service.tick()
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
        this.service.wantBytes((arrived) => {
          if (arrived) this.server.retry(token)
          else this.server.abandon(token, EIO)
        }),
      spaceWanted: (token) => this.service.wantRoom(() => this.server.retry(token)),
      sync: (low, high, ino) => this.service.sync(low, high, ino),
    }
  }

  private drainInbox(): void {
    this.wakesSeen = this.server.wakes
    this.log.clearWake()
    for (let next = receiveMessageOnPort(this.inbox); next; next = receiveMessageOnPort(this.inbox)) {
      if (this.service.take(next.message as ToServingVolume)) this.stopping = true
    }
    this.service.endTaking()
  }
}
