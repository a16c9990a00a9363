/**
 * `/dev/fuse` as a queue: blocking reads of requests, writes of replies. Several threads may hold one over the same
 * descriptor; the kernel takes each write as one whole reply. Which errors are ordinary life is decided here, once.
 */
import * as fs from 'node:fs'
import { HostUnfit } from '../errors.ts'
import { DEVICE_GONE, type FuseDevice } from './served-volume.ts'

export class KernelDevice implements FuseDevice {
  private readonly descriptor: number

  /** `descriptor`: /dev/fuse, open for reading and writing, mounted (mount.ts). The caller closes it. */
  constructor(descriptor: number) {
    this.descriptor = descriptor
  }

  read(request: Buffer): number {
    try {
      return fs.readSync(this.descriptor, request, 0, request.length, null)
    } catch (error) {
      switch ((error as NodeJS.ErrnoException).code) {
        // The request was given up by its caller between poll and read, or a signal arrived.
        case 'ENOENT':
        case 'EINTR':
        case 'EAGAIN':
          return 0
        // Unmounted; aborted through fusectl (FUSE_ABORT_ERROR); never mounted.
        case 'ENODEV':
        case 'ECONNABORTED':
        case 'EPERM':
          return DEVICE_GONE
        default:
          throw unreadable(this.descriptor, error)
      }
    }
  }

  reply(bytes: Buffer, length: number): boolean {
    try {
      fs.writeSync(this.descriptor, bytes, 0, length, null)
      return true
    } catch (error) {
      switch ((error as NodeJS.ErrnoException).code) {
        // The caller was killed, or the mount is gone, while we worked on the request.
        case 'ENOENT':
        case 'ENODEV':
        case 'ECONNABORTED':
        case 'EPERM':
          return false
        default:
          throw unreadable(this.descriptor, error)
      }
    }
  }
}

function unreadable(descriptor: number, cause: unknown): HostUnfit {
  return new HostUnfit({
    component: 'FUSE device',
    value: `/dev/fuse (descriptor ${descriptor})`,
    problem: `the kernel answered ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`,
    remedy: 'This kernel speaks FUSE differently from what Loch knows (Linux 5.4 to 6.18); report it with `uname -r`.',
    cause,
  })
}
