/**
 * A bit of a safekeeper's log at rest flips: one of a record of which the log itself says that it was flushed (log-records.ts).
 */
import type { Draws } from '../kernel/draws.ts'
import type { SimDisk } from '../world/sim-disk.ts'
import { RECORD_HEAD_BYTES, recordsAtRest } from './log-records.ts'

/** To be called while nobody has the disk open. */
export function rot(disk: SimDisk, directory: string, draws: Draws): void {
  const { told } = recordsAtRest(disk, directory)
  if (told.length === 0) return
  const { path, position, bytes } = draws.pick('disk.rot.record', told)
  // The head of a record says nothing of the record itself.
  disk.flipBitAt(path, draws.between('disk.rot.byte', position + RECORD_HEAD_BYTES, position + bytes - 1))
}
