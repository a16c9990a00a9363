/**
 * Where a volume lives, as a port: a thread to run in, and a door through which its files are used. In production a worker
 * thread and a FUSE mount; in a simulation neither. Attaching (attached-volume.ts) is the same in both.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { KernelDevice } from '../fuse/device.ts'
import { LateReplies } from '../fuse/late-replies.ts'
import { mountVolume } from '../fuse/mount.ts'
import { Waker } from '../fuse/wake.ts'
import { run } from '../system/run.ts'
import type { BodyEnvironment } from './environment.ts'
import type { SyncAnswers } from './fsyncs.ts'
import { SEGMENT_PAGES_MAX } from './sealer.ts'
import type { SharedLog } from './shared-log.ts'
import { SNAPSHOT_LOG_BYTES_MAX } from './snapshot-taker.ts'
import { type VolumeThread, WorkerThread } from './volume-thread.ts'

export interface VolumePlace {
  /** Of the newest log that is kept in memory, where it shall not be the usual size. */
  readonly ringBytes?: number
  startThread(timeline: string, term: number): VolumeThread
  openDoor(timeline: string): Promise<VolumeDoor>
}

export interface VolumeDoor {
  readonly path: string
  /** For the thread, to serve it. */
  readonly device: number
  /** Where the fsyncs that were left open are answered. */
  readonly answers: SyncAnswers
  /** Once the door is served. */
  openWaker(log: SharedLog): Promise<ThreadWaker>
  /** Whoever still uses the files gets errors. Never rejects. */
  unmount(): Promise<void>
  /** After the thread has ended. */
  close(): void
}

export interface ThreadWaker {
  wake(): void
  close(): Promise<void> | void
}

export function mountPlace(environment: BodyEnvironment): VolumePlace {
  return {
    startThread: (timeline, term) => {
      mkdirSync(environment.cacheDirectory, { recursive: true, mode: 0o700 })
      const cacheFile = join(environment.cacheDirectory, `${timeline}.${term}`)
      const slotCount = Math.floor(environment.cacheBytes / PAGE_BYTES)
      return new WorkerThread({
        cacheFile,
        slotCount,
        segmentPages: SEGMENT_PAGES_MAX,
        snapshotLogBytes: SNAPSHOT_LOG_BYTES_MAX,
        timeline,
        term,
      })
    },
    openDoor: async (timeline) => {
      const mount = await run(mountVolume(join(environment.runDirectory, 'mnt', timeline), `loch-${timeline}`))
      const device = new KernelDevice(mount.fd)
      return {
        path: mount.path,
        device: mount.fd,
        answers: new LateReplies(device),
        openWaker: async (log) => {
          const waker = new Waker(device, mount.path, log)
          try {
            await waker.pin()
            return waker
          } catch (error) {
            await waker.close()
            throw error
          }
        },
        unmount: () => run(Effect.ignore(mount.unmount)),
        close: () => mount.close(),
      }
    },
  }
}
