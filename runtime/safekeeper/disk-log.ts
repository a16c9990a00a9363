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
import { Damaged, type DiskFailed } from '../errors.ts'
import type { Place } from './control-file.ts'
import { type DiskFiles, replaceFile } from './disk-files.ts'
import { newRecordHead, RECORD_OVERHEAD_BYTES, readRecord, writeRecordHead } from './log-record.ts'
import { SegmentFile, segmentName } from './segment-file.ts'

export const SEGMENT_BYTES = 16 * 1024 * 1024
/** The newest log that stays although it is archived: a compute that attaches soon finds it here without a request. */
export const KEPT_BYTES_MIN = 64 * 1024 * 1024
/** Room is prepared in steps of this size: a few milliseconds of a disk that has nothing else to do. */
const PREPARED_BYTES = 1024 * 1024
/** A step is due when less than this is left: a burst of commits still finds room. */
const PREPARE_BELOW_BYTES = 512 * 1024
const ZEROS = Buffer.alloc(PREPARED_BYTES)

export class DiskLog {
  readonly #files: DiskFiles
  readonly #directory: string
  readonly #salt: number
  /** Oldest first. The last one is appended to, through `#file`. */
  readonly #segments: SegmentFile[]
  #begin: Place
  #end: Place
  #flushed: number
  #dirty = false
  #failure: DiskFailed | undefined
  #file = -1
  /** Up to here the last file has zeros or records. */
  #prepared = 0
  readonly #head = newRecordHead()
  /** A file other than the last that was read from lately. */
  #older: { readonly segment: SegmentFile; readonly file: number } | undefined
  /** Where reading stopped: most reads go on there. */
  #cursor: { segment: SegmentFile; offset: number; position: number } | undefined
  readonly #raw = Buffer.alloc(RECORD_OVERHEAD_BYTES)

  /** Of files that were scanned and are durable: see disk-open.ts. */
  constructor(
    files: DiskFiles,
    directory: string,
    salt: number,
    segments: readonly SegmentFile[],
    begin: Place,
    end: Place,
  ) {
    this.#files = files
    this.#directory = directory
    this.#salt = salt
    this.#segments = [...segments]
    this.#begin = begin
    this.#end = end
    this.#flushed = end.position
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
  /** Bytes of its files. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Writes a frame that joins on; it is not on disk before `flush`. After DiskFailed it may be tried again. */
  append(header: FrameHeader, frame: Uint8Array): void {
    if (this.#failure) throw this.#failure
    const segment = this.#segmentFor(header.begin)
    writeRecordHead(this.#head, this.#flushed, this.#salt)
    this.#files.write(this.#file, [this.#head, frame], segment.bytes)
    segment.added(header.length)
    this.#prepared = Math.max(this.#prepared, segment.bytes)
    this.#end = { position: segment.end, chain: header.chainAfter }
    this.#dirty = true
  }

  /** Makes all that was appended durable; returns up to where that is. */
  flush(): number {
    if (this.#failure) throw this.#failure
    if (this.#dirty) this.#sync(this.#file)
    this.#dirty = false
    this.#flushed = this.#end.position
    return this.#flushed
  }

  /** True if `prepare` has something to do. */
  get wantsRoom(): boolean {
    const last = this.#segments[this.#segments.length - 1]
    return last !== undefined && last.bytes < SEGMENT_BYTES && this.#prepared - last.bytes < PREPARE_BELOW_BYTES
  }

  /** Prepares room for appends to come; when nobody waits. A full disk is left for the append to notice. */
  prepare(): void {
    if (!this.wantsRoom || this.#failure) return
    try {
      this.#files.write(this.#file, [ZEROS], this.#prepared)
    } catch {
      return
    }
    this.#prepared += PREPARED_BYTES
    this.#dirty = true
    this.flush()
  }

  /** Cuts off what lies beyond `position`, durably. The log must be flushed. */
  truncate(position: number): void {
    if (position >= this.#end.position) return
    const at = this.#segments.findLastIndex(({ begin }) => begin < position)
    while (this.#segments.length > at + 1) this.#removeLast()
    const segment = this.#segments[at]
    if (!segment) this.#end = this.#begin
    else if (segment.end > position) this.#cutInside(segment, position)
    else this.#end = { position, chain: this.#chainAtEndOf(segment) }
    this.#flushed = this.#end.position
    this.#openLast()
  }

  /** Forgets everything: the next frame begins at `place`. Durable. */
  restart(place: Place): void {
    while (this.#segments.length > 0) this.#removeLast()
    this.#begin = place
    this.#end = place
    this.#flushed = place.position
    this.#openLast()
  }

  /** Removes old files that lie wholly below `settled`, but never the newest KEPT_BYTES_MIN. True if any went. */
  trim(settled: number): boolean {
    let left = this.bytes
    const before = this.#segments.length
    while (this.#segments.length > 1) {
      const [oldest, next] = this.#segments as [SegmentFile, SegmentFile]
      if (oldest.end > settled || left - oldest.bytes < KEPT_BYTES_MIN) break
      const begin = { position: next.begin, chain: this.#chainAtEndOf(oldest) }
      left -= oldest.bytes
      this.#closeOlder()
      this.#cursor = undefined
      this.#segments.shift()
      this.#begin = begin
      this.#files.remove(oldest.path)
      this.#files.syncDirectory(this.#directory)
    }
    return this.#segments.length < before
  }

  /**
   * The frame that holds the byte at `position`; its payload is read into `target` at `at` if there is room for it, and
   * checked. Throws Damaged, DiskFailed.
   */
  readFrame(position: number, target: Buffer, at: number): FrameHeader {
    const { segment, header, offset } = this.#locate(position)
    if (header.length > target.length - at) return header
    const got = this.#read(segment, target, at, header.length, offset + RECORD_OVERHEAD_BYTES)
    const payload = target.subarray(at, at + header.length)
    if (got < header.length || chainOver(payload, header.chainBefore) !== header.chainAfter) {
      throw damaged(segment.path, header.begin, 'the checksum of a frame is wrong')
    }
    const next = offset + RECORD_OVERHEAD_BYTES + header.length
    this.#cursor = { segment, offset: next, position: header.begin + header.length }
    return header
  }

  close(): void {
    this.#closeOlder()
    this.#closeLast()
  }

  #segmentFor(position: number): SegmentFile {
    const last = this.#segments[this.#segments.length - 1]
    if (last !== undefined && last.bytes < SEGMENT_BYTES) return last
    if (last !== undefined) this.#finish(last)
    const segment = new SegmentFile(this.#directory, position)
    // One that an append before could not write to.
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
    this.#sync(this.#file)
    this.#dirty = false
    this.#flushed = this.#end.position
    this.#closeLast()
  }

  #sync(file: number): void {
    try {
      this.#files.sync(file)
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

  #removeLast(): void {
    this.#closeOlder()
    this.#closeLast()
    this.#cursor = undefined
    const segment = this.#segments.pop()!
    this.#files.remove(segment.path)
    this.#syncNames()
  }

  #cutInside(segment: SegmentFile, position: number): void {
    const { header, offset } = this.#locate(position)
    this.#cursor = undefined
    segment.cut(offset, header.begin)
    this.#end = { position, chain: header.chainBefore }
    if (position > header.begin) this.#replaceCut(segment, header, position - header.begin)
    else this.#shorten(offset)
  }

  #shorten(bytes: number): void {
    this.#openLast()
    this.#files.truncate(this.#file, bytes)
    this.#sync(this.#file)
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
    this.#closeOlder()
    this.#closeLast()
    replaceFile(this.#files, this.#directory, segmentName(segment.begin), content)
  }

  #chainAtEndOf(segment: SegmentFile): number {
    let offset = segment.offsetBefore(segment.end - 1)
    for (;;) {
      const header = this.#headerAt(segment, offset)
      offset += RECORD_OVERHEAD_BYTES + header.length
      if (offset >= segment.bytes) return header.chainAfter
    }
  }

  #locate(position: number): { segment: SegmentFile; offset: number; header: FrameHeader } {
    if (position < this.#begin.position || position >= this.#end.position) {
      throw new Error(`position ${position} is outside of the log`)
    }
    const cursor = this.#cursor
    if (cursor?.position === position && cursor.offset < cursor.segment.bytes) {
      return { ...cursor, header: this.#headerAt(cursor.segment, cursor.offset) }
    }
    const segment = this.#segments.findLast(({ begin }) => begin <= position)!
    let offset = segment.offsetBefore(position)
    for (;;) {
      const header = this.#headerAt(segment, offset)
      if (position < header.begin + header.length) return { segment, offset, header }
      offset += RECORD_OVERHEAD_BYTES + header.length
    }
  }

  #headerAt(segment: SegmentFile, offset: number): FrameHeader {
    const got = this.#read(segment, this.#raw, 0, RECORD_OVERHEAD_BYTES, offset)
    const header = got < RECORD_OVERHEAD_BYTES ? undefined : readRecord(this.#raw, 0, this.#salt)
    if (header === undefined) throw damaged(segment.path, segment.begin, `no frame begins at byte ${offset}`)
    return header
  }

  #read(segment: SegmentFile, target: Buffer, at: number, length: number, offset: number): number {
    const isLast = segment === this.#segments[this.#segments.length - 1] && this.#file >= 0
    const file = isLast ? this.#file : this.#olderFile(segment)
    return this.#files.read(file, target, at, length, offset)
  }

  #olderFile(segment: SegmentFile): number {
    if (this.#older?.segment === segment) return this.#older.file
    this.#closeOlder()
    const file = this.#files.open(segment.path, false)
    this.#older = { segment, file }
    return file
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

  #closeOlder(): void {
    if (this.#older) this.#files.close(this.#older.file)
    this.#older = undefined
  }
}

function damaged(value: string, position: number, problem: string): Damaged {
  return new Damaged({
    component: 'safekeeper log',
    value,
    problem: `${problem} (position ${position})`,
    remedy: 'Restart the zone: the safekeeper moves the bad file away and is filled by its peers. Check this disk.',
  })
}
