/**
 * A safekeeper's log on its disk: frames in files, appended, flushed, read back, cut. It knows nothing of terms and makes
 * no promise: what may be appended or cut is the acceptor's decision, and when it is flushed its owner's.
 *
 * One write per append, one fdatasync for all that was appended before. Room is prepared ahead with zeros, because
 * overwriting takes about two thirds of the time that growing a file does. Everything is in such an order that a crash at
 * any moment leaves a log that opens and that holds all that was flushed. After a failed sync nothing is flushed any
 * more: the kernel may have dropped the pages and would call the next one a success.
 */
import { chainOver, FRAME_HEADER_BYTES, type FrameHeader, writeFrameHeader } from '../../events/frame.ts'
import { DiskFailed } from '../errors.ts'
import type { Place } from './control-file.ts'
import { type DiskFiles, replaceFile } from './disk-files.ts'
import { newRecordHead, RECORD_OVERHEAD_BYTES, writeRecordHead } from './log-record.ts'
import { SegmentFile, segmentName } from './segment-file.ts'
import { SegmentReader } from './segment-reader.ts'

export interface LogLimits {
  /** A file that has reached this gets a successor. */
  readonly segmentBytes: number
  /** The newest log that stays although it is archived: a compute that attaches soon finds it here without a request. */
  readonly keptBytesMin: number
  /** Room is prepared in steps of this size: a few milliseconds of a disk that has nothing else to do. */
  readonly preparedBytes: number
}

export const LOG_LIMITS: LogLimits = {
  segmentBytes: 16 * 1024 * 1024,
  keptBytesMin: 64 * 1024 * 1024,
  preparedBytes: 1024 * 1024,
}

export class DiskLog {
  readonly #files: DiskFiles
  readonly #directory: string
  readonly #salt: number
  readonly #limits: LogLimits
  /** Oldest first. The last one is appended to, through `#file`. */
  readonly #segments: SegmentFile[]
  readonly #reader: SegmentReader
  #begin: Place
  #end: Place
  #flushed: number
  #dirty = false
  #failure: DiskFailed | undefined
  #file = -1
  /** Up to here the last file has zeros or records. */
  #prepared = 0
  /** An append that failed may have left a whole record behind the end. */
  #hasRemains = false
  readonly #head = newRecordHead()
  readonly #zeros: Buffer

  /** Of files that were scanned and are durable: see disk-open.ts. */
  constructor(
    files: DiskFiles,
    directory: string,
    salt: number,
    segments: readonly SegmentFile[],
    begin: Place,
    end: Place,
    limits: LogLimits = LOG_LIMITS,
  ) {
    this.#files = files
    this.#directory = directory
    this.#salt = salt
    this.#limits = limits
    this.#segments = [...segments]
    this.#reader = new SegmentReader(files, salt)
    this.#begin = begin
    this.#end = end
    this.#flushed = end.position
    this.#zeros = zeros(limits.preparedBytes)
    this.#openLast()
  }

  get begin(): Place {
    return this.#begin
  }
  get end(): number {
    return this.#end.position
  }
  /** Chain at `end`. */
  get chain(): number {
    return this.#end.chain
  }
  get flushed(): number {
    return this.#flushed
  }
  /** Set once a sync failed: this log takes and flushes nothing any more. */
  get failure(): DiskFailed | undefined {
    return this.#failure
  }

  /** Writes a frame that joins on; it is not on disk before `flush`. After DiskFailed it may be tried again. */
  append(header: FrameHeader, frame: Uint8Array): void {
    if (this.#failure) throw this.#failure
    const segment = this.#segmentFor(header.begin)
    writeRecordHead(this.#head, this.#flushed, this.#salt)
    this.#hasRemains = true
    this.#files.write(this.#file, [this.#head, frame], segment.bytes)
    this.#hasRemains = false
    segment.added(header.length)
    this.#prepared = Math.max(this.#prepared, segment.bytes)
    this.#end = { position: segment.end, chain: header.chainAfter }
    this.#dirty = true
  }

  /** Makes all that was appended durable; returns up to where that is. */
  flush(): number {
    if (this.#failure) throw this.#failure
    if (this.#dirty) this.#sync()
    this.#dirty = false
    this.#flushed = this.#end.position
    return this.#flushed
  }

  /** True if `prepare` has something to do. */
  get wantsRoom(): boolean {
    const last = this.#segments[this.#segments.length - 1]
    if (last === undefined || last.bytes >= this.#limits.segmentBytes) return false
    // A burst of commits still finds room while the next step is due.
    return this.#prepared - last.bytes < this.#limits.preparedBytes / 2
  }

  /** Prepares room for appends to come; when nobody waits. A disk that does not take it is left for the append to notice. */
  prepare(): void {
    if (!this.wantsRoom || this.#failure) return
    try {
      this.#files.write(this.#file, [this.#zeros], this.#prepared)
    } catch (error) {
      if (error instanceof DiskFailed) return
      throw error
    }
    this.#prepared += this.#zeros.length
    this.#dirty = true
    this.flush()
  }

  /** Cuts off what lies beyond `position`, durably. The log must be flushed. */
  truncate(position: number): void {
    if (position >= this.#end.position) {
      this.#dropRemains()
      return
    }
    const at = this.#segments.findLastIndex(({ begin }) => begin < position)
    while (this.#segments.length > at + 1) this.#removeLast()
    const segment = this.#segments[at]
    if (!segment) this.#end = this.#begin
    else if (segment.end > position) this.#cutInside(segment, position)
    else this.#end = { position, chain: this.#reader.chainAtEndOf(segment) }
    this.#flushed = this.#end.position
    this.#hasRemains = false
    this.#openLast()
  }

  /** Forgets everything: the next frame begins at `place`. Durable. */
  restart(place: Place): void {
    while (this.#segments.length > 0) this.#removeLast()
    this.#begin = place
    this.#end = place
    this.#flushed = place.position
    this.#hasRemains = false
  }

  /** Removes old files that lie wholly below `settled`, but never the newest of the limits. True if any went. */
  trim(settled: number): boolean {
    const [first, second] = this.#segments
    if (first === undefined || second === undefined || first.end > settled) return false
    const bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
    if (bytes - first.bytes < this.#limits.keptBytesMin) return false
    this.#begin = { position: second.begin, chain: this.#reader.chainAtEndOf(first) }
    this.#reader.forget()
    this.#segments.shift()
    this.#files.remove(first.path)
    // One after the other, or a crash could leave a hole.
    this.#syncNames()
    this.trim(settled)
    return true
  }

  /**
   * The frame that holds the byte at `position`; its payload is read into `target` at `at` if there is room for it, and
   * checked. Throws Damaged, DiskFailed.
   */
  readFrame(position: number, target: Buffer, at: number): FrameHeader {
    return this.#reader.read(this.#segments, position, target, at)
  }

  close(): void {
    this.#reader.forget()
    this.#closeLast()
  }

  #segmentFor(position: number): SegmentFile {
    const last = this.#segments[this.#segments.length - 1]
    if (last !== undefined && last.bytes < this.#limits.segmentBytes) return last
    if (last !== undefined) this.#finish(last)
    const segment = new SegmentFile(this.#directory, position)
    // One that could be made before, but whose name could not be synced.
    this.#files.remove(segment.path)
    this.#file = this.#files.open(segment.path, true)
    this.#prepared = 0
    this.#segments.push(segment)
    this.#syncNames()
    return segment
  }

  /** A file is whole on disk before there is a next one, so bad bytes in it are always damage. */
  #finish(segment: SegmentFile): void {
    if (this.#file < 0) return
    this.#files.truncate(this.#file, segment.bytes)
    this.#sync()
    this.#dirty = false
    this.#flushed = this.#end.position
    this.#closeLast()
  }

  #removeLast(): void {
    this.#reader.forget()
    this.#closeLast()
    this.#dirty = false
    const segment = this.#segments.pop()!
    this.#files.remove(segment.path)
    this.#syncNames()
  }

  #cutInside(segment: SegmentFile, position: number): void {
    const { header, offset } = this.#reader.locate(this.#segments, position)
    this.#reader.forget()
    segment.cut(offset, header.begin)
    this.#end = { position, chain: header.chainBefore }
    if (position > header.begin) this.#replaceCut(segment, header, position - header.begin)
    else this.#shorten(offset)
  }

  /** A frame that was refused joins on, so it would be taken for one of whoever writes from here on. */
  #dropRemains(): void {
    const last = this.#segments[this.#segments.length - 1]
    if (this.#hasRemains && last !== undefined) this.#shorten(last.bytes)
    this.#hasRemains = false
  }

  #shorten(bytes: number): void {
    this.#openLast()
    this.#files.truncate(this.#file, bytes)
    this.#sync()
    this.#prepared = bytes
  }

  /** The file is replaced as a whole: a frame cut in place could be torn, and its first part is still needed. */
  #replaceCut(segment: SegmentFile, header: FrameHeader, kept: number): void {
    const from = segment.bytes + RECORD_OVERHEAD_BYTES
    const content = this.#files.readWhole(segment.path)!.subarray(0, from + kept)
    const chainAfter = chainOver(content.subarray(from), header.chainBefore)
    const writer = Buffer.from(header.writer, 'latin1')
    writeFrameHeader(content, from - FRAME_HEADER_BYTES, { ...header, length: kept, chainAfter }, writer)
    segment.added(kept)
    this.#end = { position: segment.end, chain: chainAfter }
    this.#closeLast()
    replaceFile(this.#files, this.#directory, segmentName(segment.begin), content)
  }

  #sync(): void {
    try {
      this.#files.sync(this.#file)
    } catch (error) {
      this.#failure = error as DiskFailed
      throw error
    }
  }

  #syncNames(): void {
    try {
      this.#files.syncDirectory(this.#directory)
    } catch (error) {
      this.#failure = error as DiskFailed
      throw error
    }
  }

  #openLast(): void {
    const last = this.#segments[this.#segments.length - 1]
    if (last === undefined || this.#file >= 0) return
    this.#file = this.#files.open(last.path, false)
    this.#prepared = Math.max(this.#files.size(this.#file), last.bytes)
  }

  #closeLast(): void {
    if (this.#file >= 0) this.#files.close(this.#file)
    this.#file = -1
  }
}

let shared = Buffer.alloc(0)

/** All logs of a process write the same zeros. */
function zeros(bytes: number): Buffer {
  if (shared.length < bytes) shared = Buffer.alloc(bytes)
  return shared.subarray(0, bytes)
}
