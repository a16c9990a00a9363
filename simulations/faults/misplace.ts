/**
 * A write of a safekeeper's log turns out to have landed elsewhere: in the same file, or in another of its directory, be that
 * the control file. Only a record is taken of which the log itself says that it was flushed, and it never lands on the record
 * that says so (log-records.ts): else a log that lost what it had promised would look like one that a crash has torn.
 */
import type { Draws } from '../kernel/draws.ts'
import type { SimDisk, Stretch } from '../world/sim-disk.ts'
import { recordsAtRest } from './log-records.ts'

/** To be called after a crash, while nobody has the disk open. */
export function misplace(disk: SimDisk, directory: string, draws: Draws): void {
  const { told, witness } = recordsAtRest(disk, directory)
  if (witness === undefined || told.length === 0) return
  const record = draws.pick('disk.misplace.record', told)
  const within = `${directory}/`
  const path = draws.pick(
    'disk.misplace.path',
    [...disk.certainNames.keys()].filter((name) => name.startsWith(within)).sort(),
  )
  const { size } = disk.certainNames.get(path)!
  const to = { path, position: draws.between('disk.misplace.position', 0, size), bytes: record.bytes }
  const isAtHome = path === record.path && to.position === record.position
  // At the end of a file there is nothing.
  disk.misplace(record, isAtHome || overlap(to, witness) ? { path, position: size } : to)
}

function overlap(one: Stretch, other: Stretch): boolean {
  if (one.path !== other.path) return false
  return one.position < other.position + other.bytes && other.position < one.position + one.bytes
}
