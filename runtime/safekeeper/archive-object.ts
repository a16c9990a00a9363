/**
 * One object of the archived log, made from the local log's frames, and the question what to think of an object that
 * already has its name. Nothing is decided about order or duty here.
 */
import { entryAt, termEndAfter } from '../../actors/compute/election.ts'
import { chainOver, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, writeFrameHeader } from '../../events/frame.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import { parseLogObject } from '../log/archive-objects.ts'
import { logKey } from '../log/keys.ts'
import type { DiskLog } from './disk-log.ts'

/** Room for one object, and for reading the frame of which only a part goes into it. */
export const OBJECT_BUFFER_BYTES = FRAME_HEADER_BYTES + 2 * FRAME_PAYLOAD_BYTES_MAX

export interface ArchiveObject {
  readonly key: string
  readonly term: number
  readonly begin: number
  readonly end: number
  readonly chainBefore: number
  readonly chainAfter: number
  /** The whole object: one frame. A view of the buffer it was made in. */
  readonly bytes: Buffer
}

export interface ObjectSource {
  readonly timeline: string
  readonly log: Pick<DiskLog, 'readFrame'>
  /** Says which term wrote what: an object holds bytes of one term and is named by it. */
  readonly history: TermHistory
  readonly writer: Uint8Array
  /** Everything below is known to be archived, durably; `begin` at most. */
  readonly archived: number
}

/**
 * As much of the log from `begin` on as one object takes: whole frames, as far as the term and the limit allow. `begin`
 * must be within the local log. Throws Damaged, DiskFailed.
 */
export function makeObject(source: ObjectSource, begin: number, until: number, buffer: Buffer): ArchiveObject {
  const { log, history, timeline, writer, archived } = source
  const term = entryAt(history, begin)?.term ?? 0
  const border = Math.min(until, termEndAfter(history, begin))
  const first = log.readFrame(begin, buffer, FRAME_HEADER_BYTES)
  const skipped = begin - first.begin
  let chainBefore = first.chainBefore
  if (skipped > 0) {
    chainBefore = chainOver(buffer.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + skipped), chainBefore)
    buffer.copyWithin(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + skipped, FRAME_HEADER_BYTES + first.length)
  }
  let end = Math.min(first.begin + first.length, border)
  let chainAfter = first.chainAfter
  if (end < first.begin + first.length) chainAfter = chainOver(payloadOf(buffer, end - begin), chainBefore)
  while (end < border) {
    const at = FRAME_HEADER_BYTES + end - begin
    const frame = log.readFrame(end, buffer, at)
    if (frame.begin + frame.length - begin > FRAME_PAYLOAD_BYTES_MAX) break
    const stop = Math.min(frame.begin + frame.length, border)
    chainAfter = frame.chainAfter
    if (stop < frame.begin + frame.length)
      chainAfter = chainOver(buffer.subarray(at, at + stop - end), frame.chainBefore)
    end = stop
  }
  const length = end - begin
  writeFrameHeader(buffer, 0, { term, begin, length, chainBefore, chainAfter, flags: 0, archived }, writer)
  const bytes = buffer.subarray(0, FRAME_HEADER_BYTES + length)
  return { key: logKey(timeline, term, begin), term, begin, end, chainBefore, chainAfter, bytes }
}

/**
 * `agrees`: another safekeeper's cut of the same log, or our own after a lost answer; it reaches to `end`, where the chain
 * is `chain`. `contradicts`: bytes of another log under this name, which cannot be: a term has one writer.
 */
export type Found =
  | { readonly type: 'agrees'; readonly end: number; readonly chain: number }
  | { readonly type: 'torn' }
  | { readonly type: 'contradicts' }

/** Judges the bytes that stand under the name of `ours`. */
export function judgeFound(ours: ArchiveObject, found: Uint8Array): Found {
  const theirs = parseLogObject(ours, found)
  if (!theirs) return { type: 'torn' }
  if (theirs.chainBefore !== ours.chainBefore) return { type: 'contradicts' }
  const common = Math.min(theirs.end, ours.end) - ours.begin
  const same = payloadOf(ours.bytes, common).equals(theirs.payload.subarray(0, common))
  return same ? { type: 'agrees', end: theirs.end, chain: theirs.chainAfter } : { type: 'contradicts' }
}

function payloadOf(object: Buffer, length: number): Buffer {
  return object.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length)
}
