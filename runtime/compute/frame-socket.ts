/**
 * The shortest way of a frame to the safekeepers: the FUSE worker writes the NATS PUB itself, synchronously, to a socket
 * that the main thread connected. Handing the frame to the main thread instead would cost a thread hop per commit.
 *
 * The worker only writes and the main thread only reads; the one exception (PONG) goes through the same lock. If the
 * connection is gone or a write fails half way, the worker drops the socket and goes on: what was not acknowledged is
 * sent again from the ring by the main thread, so nothing here retries.
 */
import * as fs from 'node:fs'
import type { SharedLog } from './shared-log.ts'

/** A send buffer that stays full this long means a broker that does not read: give the connection up. */
const SEND_TIMEOUT_MS = 2_000
const SEND_PAUSE_MS = 0.2
const CRLF = Buffer.from('\r\n')

export class FrameSocket {
  private readonly log: SharedLog
  private readonly prefix: string
  private readonly pause = new Int32Array(new SharedArrayBuffer(4))

  /** Frames go to `subject`; safekeepers acknowledge on `reply`. */
  constructor(log: SharedLog, subject: string, reply: string) {
    this.log = log
    this.prefix = `PUB ${subject} ${reply} `
  }

  /** Publishes one frame; false if there is no connection (any more). */
  publish(parts: readonly Uint8Array[], bytes: number): boolean {
    if (this.log.socket < 0) return false
    const head = Buffer.from(`${this.prefix}${bytes}\r\n`, 'latin1')
    let sent = false
    this.log.withSocket(() => {
      // Read under the lock: the main thread takes it before it lets go of the descriptor.
      const descriptor = this.log.socket
      sent = descriptor >= 0 && this.writeAll(descriptor, [head, ...parts, CRLF])
      if (!sent) this.log.socket = -1
    })
    return sent
  }

  private writeAll(descriptor: number, parts: readonly Uint8Array[]): boolean {
    let rest = parts
    const deadline = performance.now() + SEND_TIMEOUT_MS
    while (rest.length > 0) {
      const written = this.writeSome(descriptor, rest)
      if (written < 0) return false
      if (written === 0) {
        if (performance.now() > deadline) return false
        Atomics.wait(this.pause, 0, 0, SEND_PAUSE_MS)
      }
      rest = skip(rest, written)
    }
    return true
  }

  /** Bytes written, 0 if the send buffer is full, -1 if the connection is broken. */
  private writeSome(descriptor: number, parts: readonly Uint8Array[]): number {
    try {
      return fs.writevSync(descriptor, parts as Uint8Array[])
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : -1
    }
  }
}

function skip(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let index = 0
  let left = bytes
  while (index < parts.length && left >= parts[index]!.length) left -= parts[index++]!.length
  if (index === parts.length) return []
  return left === 0 && index === 0 ? parts : [parts[index]!.subarray(left), ...parts.slice(index + 1)]
}
