/**
 * Reads frames back from a log's files: for the archive, for peers, and to find where to cut. It keeps one file open and
 * remembers where it stopped, because most reads go on there. It must be told to forget when files are cut or replaced.
 */
import { chainOver, type FrameHeader } from '../../events/frame.ts'
import { Damaged } from '../errors.ts'
import type { DiskFiles } from './disk-files.ts'
import { RECORD_OVERHEAD_BYTES, readRecord } from './log-record.ts'
import type { SegmentFile } from './segment-file.ts'

export interface Located {
  readonly segment: SegmentFile
  /** Of the record in the file. */
  readonly offset: number
  readonly header: FrameHeader
}

/** What was appended here cannot be read any more, so the disk has lost what its zone may have promised. */
export class LogLost extends Damaged {}

export class SegmentReader {
  readonly #files: DiskFiles
  readonly #salt: number
  #open: { readonly segment: SegmentFile; readonly file: number } | undefined
  #stopped: { readonly segment: SegmentFile; readonly offset: number; readonly position: number } | undefined
  readonly #head = Buffer.alloc(RECORD_OVERHEAD_BYTES)

  constructor(files: DiskFiles, salt: number) {
    this.#files = files
    this.#salt = salt
  }

  /** The record that holds the byte at `position`, which must be within one of `segments`. */
  locate(segments: readonly SegmentFile[], position: number): Located {
    const stopped = this.#stopped
    if (stopped?.position === position && stopped.offset < stopped.segment.bytes) {
      const { segment, offset } = stopped
      return { segment, offset, header: this.#headerAt(segment, offset) }
    }
    const segment = segments.findLast(({ begin }) => begin <= position)
    if (segment === undefined || position >= segment.end) throw new Error(`position ${position} is not in the log`)
    let offset = segment.offsetBefore(position)
    for (;;) {
      const header = this.#headerAt(segment, offset)
      if (position < header.begin + header.length) return { segment, offset, header }
      offset += RECORD_OVERHEAD_BYTES + header.length
    }
  }

  /** Like `locate`, and the payload is put into `target` at `at` if there is room for it, and checked. */
  read(segments: readonly SegmentFile[], position: number, target: Buffer, at: number): FrameHeader {
    const { segment, header, offset } = this.locate(segments, position)
    if (header.length > target.length - at) return header
    const got = this.#files.read(this.#fileOf(segment), target, at, header.length, offset + RECORD_OVERHEAD_BYTES)
    const payload = target.subarray(at, at + header.length)
    if (got < header.length || chainOver(payload, header.chainBefore) !== header.chainAfter) {
      throw damaged(segment.path, header.begin, 'the checksum of a frame is wrong')
    }
    const next = offset + RECORD_OVERHEAD_BYTES + header.length
    this.#stopped = { segment, offset: next, position: header.begin + header.length }
    return header
  }

  /** Chain after the last record. */
  chainAtEndOf(segment: SegmentFile): number {
    let offset = segment.offsetBefore(segment.end - 1)
    for (;;) {
      const header = this.#headerAt(segment, offset)
      offset += RECORD_OVERHEAD_BYTES + header.length
      if (offset >= segment.bytes) return header.chainAfter
    }
  }

  forget(): void {
    this.#stopped = undefined
    if (this.#open) this.#files.close(this.#open.file)
    this.#open = undefined
  }

  #headerAt(segment: SegmentFile, offset: number): FrameHeader {
    const got = this.#files.read(this.#fileOf(segment), this.#head, 0, RECORD_OVERHEAD_BYTES, offset)
    const header = got < RECORD_OVERHEAD_BYTES ? undefined : readRecord(this.#head, 0, this.#salt)
    if (header === undefined) throw damaged(segment.path, segment.begin, `no frame begins at byte ${offset}`)
    return header
  }

  #fileOf(segment: SegmentFile): number {
    if (this.#open?.segment === segment) return this.#open.file
    if (this.#open) this.#files.close(this.#open.file)
    this.#open = undefined
    const file = this.#files.open(segment.path, false)
    this.#open = { segment, file }
    return file
  }
}

function damaged(value: string, position: number, problem: string): LogLost {
  return new LogLost({
    component: 'safekeeper log',
    value,
    problem: `${problem} (position ${position})`,
    remedy: 'Restart the zone: the safekeeper moves the bad file away and is filled by its peers. Check this disk.',
  })
}
