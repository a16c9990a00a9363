/**
 * The records of a safekeeper's log at rest, and which of them the log itself says were flushed: only of those can whoever opens
 * it know that they are missing, so only those may be taken from it. Of the very last ones nobody can tell whether they were
 * ever promised. Faults that take something choose by this; what they take is theirs.
 */
import { FRAME_HEADER_BYTES, readFrameHeader, readPosition } from '../../events/frame.ts'
import { isSegmentName } from '../../runtime/safekeeper/segment-file.ts'
import type { SimDisk, Stretch } from '../world/sim-disk.ts'

/** In front of a frame: see log-record.ts. */
export const RECORD_HEAD_BYTES = 16
const FLUSHED_AT = 8

/** Where a record lies in its file, and where its frame ends in the log. */
export interface LogRecord extends Stretch {
  readonly end: number
}

export interface LogRecords {
  /** Those of which `witness` says that they were flushed. */
  readonly told: readonly LogRecord[]
  /** The last record that says the furthest. */
  readonly witness: LogRecord | undefined
}

/** To be called while nobody has the disk open. */
export function recordsAtRest(disk: SimDisk, directory: string): LogRecords {
  const records: LogRecord[] = []
  let flushed = 0
  let witness: LogRecord | undefined
  const within = `${directory}/`
  const paths = [...disk.certainNames.keys()].filter(
    (path) => path.startsWith(within) && isSegmentName(path.slice(within.length)),
  )
  for (const path of paths.sort()) {
    const { shown } = disk.certainNames.get(path)!
    for (let position = 0; ; ) {
      const header = readFrameHeader(shown, position + RECORD_HEAD_BYTES)
      if (typeof header === 'string') break
      const bytes = RECORD_HEAD_BYTES + FRAME_HEADER_BYTES + header.length
      const record = { path, end: header.begin + header.length, position, bytes }
      const told = readPosition(shown, position + FLUSHED_AT)
      if (told >= flushed) witness = record
      flushed = Math.max(flushed, told)
      records.push(record)
      position += bytes
    }
  }
  return { told: records.filter(({ end }) => end <= flushed), witness }
}

/** True for a file of a safekeeper's log. */
export function isOfLog(path: string): boolean {
  return isSegmentName(path.slice(path.lastIndexOf('/') + 1))
}
