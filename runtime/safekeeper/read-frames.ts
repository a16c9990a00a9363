/**
 * Log for those who ask for it: a new writer that folds the tail, or a safekeeper that missed some. Whole frames as they
 * rest here, the first cut to begin where it was asked for.
 */
import {
  chainOver,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  type FrameHeader,
  writeFrameHeader,
} from '../../events/frame.ts'
import { PAYLOAD_BYTES_MAX } from '../bus/bus.ts'
import type { DiskLog } from './disk-log.ts'
import { scratch } from './scratch.ts'

/** An answer is one message; small frames carry a header each. */
const ANSWER_BYTES_MAX = PAYLOAD_BYTES_MAX - 1024

/**
 * Frames from `from` on, at least one, and no more once `bytesMax` payload bytes are reached. `from` must be within the
 * log. Throws Damaged, DiskFailed.
 */
export function readFrames(log: DiskLog, from: number, until: number, bytesMax: number): Buffer {
  const answer = scratch(ANSWER_BYTES_MAX + FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX)
  let size = 0
  let payloadBytes = 0
  for (let position = from; position < until; ) {
    const frame = readFrom(log, position, answer, size)
    const grown = size + FRAME_HEADER_BYTES + frame.length
    payloadBytes += frame.length
    if (size > 0 && (payloadBytes > bytesMax || grown > ANSWER_BYTES_MAX)) break
    size = grown
    position = frame.begin + frame.length
  }
  // Most answers are small: the room is not kept for as long as they are on their way.
  return Buffer.from(answer.subarray(0, size))
}

/** The frame that holds `position`, without what is before it, put at `at`. */
function readFrom(log: DiskLog, position: number, target: Buffer, at: number): FrameHeader {
  const payloadAt = at + FRAME_HEADER_BYTES
  const whole = log.readFrame(position, target, payloadAt)
  const skipped = position - whole.begin
  const chainBefore = chainOver(target.subarray(payloadAt, payloadAt + skipped), whole.chainBefore)
  target.copyWithin(payloadAt, payloadAt + skipped, payloadAt + whole.length)
  const frame = { ...whole, begin: position, length: whole.length - skipped, chainBefore }
  writeFrameHeader(target, at, frame, Buffer.from(whole.writer, 'latin1'))
  return frame
}
