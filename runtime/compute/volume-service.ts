/**
 * What goes on around the operations on a serving volume, whoever asks for them: the log they append to is sent, seals and
 * snapshots are looked after, what an operation lacks is fetched or made room for, and what the host says is taken in.
 * It blocks nowhere but for room in the ring. The FUSE loop drives it in production and the simulator drives the same
 * code; nothing here knows FUSE.
 */
import type { Wanted } from '../volume/types.ts'
import type { Volume } from '../volume/volume.ts'
import { Fsyncs, type SyncAnswers } from './fsyncs.ts'
import { type FrameOut, RingSink } from './ring-sink.ts'
import { Sealer } from './sealer.ts'
import type { SharedLog } from './shared-log.ts'
import { SnapshotTaker } from './snapshot-taker.ts'
import type { FromVolume, ServeMessage, ToServingVolume, VolumeWorkerData } from './volume-messages.ts'
import { WantedBytes } from './wanted-bytes.ts'

/** Namespace changes are sent with the next write or fsync, or when so much has gathered. */
const UNSENT_BYTES_MAX = 64 * 1024

export type Post = (message: FromVolume, transfer?: ArrayBuffer[]) => void

export interface VolumeServicePorts {
  readonly log: SharedLog
  /** False while there is no connection: the host then sends it from the ring. */
  readonly publish: (parts: readonly Uint8Array[], bytes: number) => boolean
  /** Answers the fsyncs that were left open. */
  readonly answers: SyncAnswers
  readonly post: Post
}

export class VolumeService {
  readonly sink: RingSink
  readonly #ports: VolumeServicePorts
  readonly #log: SharedLog
  readonly #sealer: Sealer
  readonly #snapshots: SnapshotTaker
  readonly #wanted: WantedBytes
  readonly #fsyncs: Fsyncs
  /** Whoever lacks room in the cache. */
  #roomWanted: Array<() => void> = []
  #makesRoom = false

  /** The volume's log goes on from here: its first entry says whose term it is. */
  constructor(
    volume: Volume,
    data: VolumeWorkerData,
    { compute, writer }: Pick<ServeMessage, 'compute' | 'writer'>,
    ports: VolumeServicePorts,
    nowMs: number,
  ) {
    const { log, post, answers } = ports
    this.#ports = ports
    this.#log = log
    this.sink = this.#openSink(data.term, compute, writer, nowMs)
    volume.attachLog(this.sink)
    this.#sealer = new Sealer(volume, data.term, post, data.segmentPages)
    this.#wanted = new WantedBytes(volume, post)
    this.#snapshots = new SnapshotTaker(volume, this.#sealer, this.sink, log, this.#wanted, data, post)
    this.#fsyncs = new Fsyncs(volume, this.#sealer, this.sink, log, answers)
  }

  #openSink(term: number, compute: string, writer: Uint8Array, nowMs: number): RingSink {
    const out: FrameOut = (parts, bytes, begin) => {
      const sent = this.#ports.publish(parts, bytes)
      if (!sent) this.#ports.post({ kind: 'unsent', begin })
      return sent
    }
    const sink = new RingSink(this.#log, term, writer, out)
    sink.nowMs = nowMs
    sink.append({ type: 'termStarted', at: nowMs, term, compute })
    sink.send()
    return sink
  }

  /**
   * Before each operation. Returns the errno that changes are to be refused with, 0 for none: what was not appended before
   * the log failed will never be, so no write may be answered with success any more.
   */
  begin(nowMs: number): number {
    this.sink.nowMs = nowMs
    if (this.#log.ringFree < this.#log.reserveBytes) this.sink.reserve()
    return this.#log.failure
  }

  /** After each operation. `endBefore`: where the log ended before it. */
  end(isWrite: boolean, endBefore: number): void {
    if (this.#log.end > endBefore && (isWrite || this.#hasMuchUnsent)) this.sink.sendEagerly()
  }

  /** After each operation, and after `take`. */
  tick(): void {
    this.#sealer.tick()
    this.#snapshots.tick()
  }

  get #hasMuchUnsent(): boolean {
    return this.#log.end - this.#log.sent >= UNSENT_BYTES_MAX
  }

  /** Fetches what `volume.wanted` names now; `done` is told whether all of it came. */
  wantBytes(done: (arrived: boolean) => void): void {
    this.#wanted.request(done)
  }

  /** Makes room in the cache; `retry` is called when there may be some. */
  wantRoom(retry: () => void): void {
    this.#roomWanted.push(retry)
    if (this.#makesRoom) return
    this.#makesRoom = true
    // Every seal that is stored may have made enough room; that all are is only what keeps them coming.
    this.#sealer.syncAll(() => {
      this.#makesRoom = false
      this.#retryRoom()
    })
  }

  #retryRoom(): void {
    const retries = this.#roomWanted
    this.#roomWanted = []
    for (const retry of retries) retry()
  }

  /** True if the fsync was or will be answered through `answers`; false if the caller may answer it at once. */
  sync(low: number, high: number, ino: number): boolean {
    return this.#fsyncs.sync(low, high, ino)
  }

  /** What the host says. Returns true if it says that the service ends. */
  take(message: ToServingVolume): boolean {
    switch (message.kind) {
      case 'fetched':
        this.#wanted.arrived(message.wanted as Wanted, message.bytes)
        return false
      case 'sealed':
        this.#sealer.finish(message.seal, message.ok, message.buffer)
        if (message.ok) this.#retryRoom()
        return false
      case 'snapshotWritten':
        this.#snapshots.written(message.ok)
        return false
      case 'flush':
        this.#snapshots.flush()
        return false
      case 'guard':
        this.#fsyncs.guard()
        this.#ports.post({ kind: 'guarded' })
        return false
      case 'stop':
        return true
    }
  }

  /** After the messages that were there have been taken. */
  endTaking(): void {
    if (this.#hasMuchUnsent) this.sink.sendEagerly()
  }
}
