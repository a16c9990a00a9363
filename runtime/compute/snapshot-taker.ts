/**
 * When the volume's thread takes an index snapshot, and how it gets there: seal most of what only the log has, load the
 * parts of the page table that will be written, then take it in one step. It bounds what the next attach has to fold. One
 * at a time; one that could not be stored is tried again when it is due the next time.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { indexKey, segmentKey } from '../log/keys.ts'
import { WANTS_BYTES } from '../volume/types.ts'
import type { Volume } from '../volume/volume.ts'
import type { RingSink } from './ring-sink.ts'
import type { Sealer } from './sealer.ts'
import type { SharedLog } from './shared-log.ts'
import type { VolumeWorkerData } from './volume-messages.ts'
import type { Post } from './volume-service.ts'
import type { WantedBytes } from './wanted-bytes.ts'

/** Log since the last snapshot after which the next one is taken, at most: about half a second of folding. */
export const SNAPSHOT_LOG_BYTES_MAX = 64 * 1024 * 1024
/** What is folded from the log occupies the page cache until it is sealed, so it must fit well within. */
const SNAPSHOT_CACHE_FRACTION = 1 / 4

export class SnapshotTaker {
  private readonly volume: Volume
  private readonly sealer: Sealer
  private readonly sink: RingSink
  private readonly log: SharedLog
  private readonly wanted: WantedBytes
  private readonly post: Post
  private readonly timeline: string
  private readonly term: number
  private readonly logBytesMax: number
  private lastNumber = 0
  private lastPosition: number
  private underWay = false
  /** Somebody waits for a snapshot of everything that was done before it asked. */
  private flushing = false
  private answersFlush = false

  constructor(
    volume: Volume,
    sealer: Sealer,
    sink: RingSink,
    log: SharedLog,
    wanted: WantedBytes,
    { timeline, term, slotCount, snapshotLogBytes }: Omit<VolumeWorkerData, 'cacheFile' | 'segmentPages'>,
    post: Post,
  ) {
    this.volume = volume
    this.sealer = sealer
    this.sink = sink
    this.log = log
    this.wanted = wanted
    this.post = post
    this.timeline = timeline
    this.term = term
    this.lastPosition = log.end
    this.logBytesMax = Math.min(snapshotLogBytes, slotCount * PAGE_BYTES * SNAPSHOT_CACHE_FRACTION)
  }

  /** Called after every request. */
  tick(): void {
    if (this.underWay || this.log.quiet || this.log.end - this.lastPosition < this.logBytesMax) return
    this.begin()
  }

  /** Seals everything and takes a snapshot, now or after the one under way; answered by 'flushed'. */
  flush(): void {
    this.log.quiet = false
    this.flushing = true
    if (!this.underWay) this.begin()
  }

  /** The snapshot under way is stored and announced, or could not be. */
  written(ok: boolean): void {
    this.volume.snapshotStored(ok)
    this.underWay = false
    if (!this.flushing) return
    // One that was taken before the wish does not fulfil it.
    if (ok && !this.answersFlush) this.begin()
    else this.answerFlush(ok ? this.lastPosition : 0)
  }

  /** 0: it cannot be done now. */
  private answerFlush(position: number): void {
    this.flushing = false
    this.post({ kind: 'flushed', position })
  }

  private begin(): void {
    this.underWay = true
    this.answersFlush = this.flushing
    this.sealer.syncAll(() => this.prepare())
  }

  private prepare(): void {
    if (this.volume.prepareSnapshot() === WANTS_BYTES) {
      this.wanted.request((arrived) => (arrived ? this.prepare() : this.giveUp()))
      return
    }
    if (this.volume.canSnapshot) this.take()
    // More was written to logged files meanwhile than a snapshot takes along.
    else this.sealer.syncAll(() => this.prepare())
  }

  private take(): void {
    this.sink.send()
    const position = this.log.end
    this.lastPosition = position
    const objects = this.volume.takeSnapshot(position, {
      index: () => indexKey(this.timeline, this.term, ++this.lastNumber),
      segment: () => {
        const number = this.sealer.nextSegmentNumber()
        return { key: segmentKey(this.timeline, this.term, number), term: this.term, number }
      },
    })
    const transfer = objects.map(({ bytes }) => bytes.buffer)
    this.post({ kind: 'snapshot', position, chain: this.sink.chain, objects }, transfer)
  }

  private giveUp(): void {
    this.underWay = false
    this.lastPosition = this.log.end
    if (this.flushing) this.answerFlush(0)
  }
}
