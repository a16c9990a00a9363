/**
 * Replies to requests that were not answered when they arrived: fsyncs, and requests that are given up. Any thread may
 * own one over the same device, because the kernel matches replies by `unique` and takes each write as a whole.
 */
import type { FuseDevice } from './served-volume.ts'
import { OUT, OutHeader } from './structs.ts'

export class LateReplies {
  private readonly device: FuseDevice
  private readonly header = Buffer.alloc(OUT)

  constructor(device: FuseDevice) {
    this.device = device
    this.header.writeUInt32LE(OUT, OutHeader.length)
  }

  /** Success without payload, as FSYNC wants. False if nobody waits for it any more. */
  replyEmpty(uniqueLow: number, uniqueHigh: number): boolean {
    return this.send(uniqueLow, uniqueHigh, 0)
  }

  /** Failure; `errno` is positive. */
  replyError(uniqueLow: number, uniqueHigh: number, errno: number): boolean {
    return this.send(uniqueLow, uniqueHigh, -errno)
  }

  private send(uniqueLow: number, uniqueHigh: number, error: number): boolean {
    this.header.writeInt32LE(error, OutHeader.error)
    this.header.writeUInt32LE(uniqueLow, OutHeader.uniqueLow)
    this.header.writeUInt32LE(uniqueHigh, OutHeader.uniqueHigh)
    return this.device.reply(this.header, OUT)
  }
}
