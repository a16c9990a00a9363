/**
 * A bit of a safekeeper's log at rest flips. Which records had been flushed is told by those after them, so only one is chosen of
 * which the file itself says that: of the very last records of a log nobody can tell whether they were ever promised.
 */
import { FRAME_HEADER_BYTES, readFrameHeader, readPosition } from '../../events/frame.ts'
import { isSegmentName } from '../../runtime/safekeeper/segment-file.ts'
import type { Draws } from '../kernel/draws.ts'
import type { SimDisk } from '../world/sim-disk.ts'

/** In front of a frame: see log-record.ts. */
const RECORD_HEAD_BYTES = 16
const FLUSHED_AT = 8

interface Stretch {
  readonly path: string
  readonly end: number
  readonly offset: number
  readonly bytes: number
}

/** To be called while nobody has the disk open. */
export function rot(disk: SimDisk, directory: string, draws: Draws): void {
  const records: Stretch[] = []
  let flushed = 0
  const within = `${directory}/`
  const paths = [...disk.certainNames.keys()].filter(
    (path) => path.startsWith(within) && isSegmentName(path.slice(within.length)),
  )
  for (const path of paths.sort()) {
    const { shown } = disk.certainNames.get(path)!
    for (let offset = 0; ; ) {
      const header = readFrameHeader(shown, offset + RECORD_HEAD_BYTES)
      if (typeof header === 'string') break
      flushed = Math.max(flushed, readPosition(shown, offset + FLUSHED_AT))
      const bytes = RECORD_HEAD_BYTES + FRAME_HEADER_BYTES + header.length
      records.push({ path, end: header.begin + header.length, offset, bytes })
      offset += bytes
    }
  }
  const told = records.filter(({ end }) => end <= flushed)
  if (told.length === 0) return
  const { path, offset, bytes } = draws.pick('disk.rot.record', told)
  // The head of a record says nothing of the record itself.
  disk.flipBitAt(path, draws.between('disk.rot.byte', offset + RECORD_HEAD_BYTES, offset + bytes - 1))
}
