/**
 * Waking the thread that blocks in read(2) on /dev/fuse. Node offers that thread no second thing to wait for, so the
 * wake comes through the same queue: a FUSE_NOTIFY_RETRIEVE for a file that the kernel knows makes the kernel queue a
 * NOTIFY_REPLY request, which ends the read some 40 µs later. The bytes it would retrieve are none. What the thread
 * is to do then it learns from its own inbox, never from here.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { NOTIFY_RETRIEVE } from './protocol.ts'
import type { FuseDevice } from './served-volume.ts'
import { NotifyRetrieveOut, OUT, OutHeader, writeI64 } from './structs.ts'
import { WAKE_FILE_NAME, WAKE_INO } from './wake-file.ts'

/** open(2) flag: hold the inode without opening the file, so no OPEN is sent. Absent from `fs.constants`. */
const O_PATH = 0o10000000

/** Whether a wake is under way, in memory that both threads see: many wakes before the thread reacts become one. */
export interface PendingWake {
  /** Waking thread: true if a wake must be sent, false if one is under way. */
  requestWake(): boolean
  /** Woken thread: call before draining the inbox, so that what is posted after the drain wakes again. */
  clearWake(): void
}

/** A PendingWake in shared memory of its own. Both threads construct one over the same memory. */
export class WakeFlag implements PendingWake {
  readonly memory: SharedArrayBuffer
  private readonly flag: Int32Array

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory
    this.flag = new Int32Array(memory)
  }

  requestWake(): boolean {
    return Atomics.exchange(this.flag, 0, 1) === 0
  }

  clearWake(): void {
    Atomics.store(this.flag, 0, 0)
  }
}

export class Waker {
  private readonly device: FuseDevice
  private readonly path: string
  private readonly pending: PendingWake
  private readonly notification = Buffer.alloc(OUT + NotifyRetrieveOut.bytes)
  private pinned: fs.promises.FileHandle | undefined

  /** `device`: of the mount at `mountPath`. Use it from any thread but the serving one. */
  constructor(device: FuseDevice, mountPath: string, pending: PendingWake) {
    this.device = device
    this.path = join(mountPath, WAKE_FILE_NAME)
    this.pending = pending
    this.notification.writeUInt32LE(this.notification.length, OutHeader.length)
    this.notification.writeInt32LE(NOTIFY_RETRIEVE, OutHeader.error)
    writeI64(this.notification, OUT + NotifyRetrieveOut.node, WAKE_INO)
  }

  /**
   * Makes the kernel know the wake file for as long as this waker lives, then wakes once for what was posted before.
   * Needs the serving thread to be serving. It keeps a lazily unmounted file system alive until `close`.
   */
  async pin(): Promise<void> {
    this.pinned = await fs.promises.open(this.path, O_PATH)
    this.pending.clearWake()
    this.wake()
  }

  /** Wakes the serving thread unless a wake is under way. Without effect before `pin` and after the mount has gone. */
  wake(): void {
    if (this.pending.requestWake() && !this.device.reply(this.notification, this.notification.length)) {
      this.pending.clearWake()
    }
  }

  async close(): Promise<void> {
    await this.pinned?.close()
    this.pinned = undefined
  }
}
