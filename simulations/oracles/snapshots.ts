/**
 * The oracle of snapshots: none is recorded before the archive holds the log in front of it. The next term begins to archive where its
 * snapshot is, so what were missing then would be missing from the history for ever. It looks at the bucket at that very moment.
 */
import { decodeBatch, isJournalFault } from '../../events/journal-format.ts'
import { timelineJournal } from '../../runtime/log/keys.ts'
import type { ArchiveIndex } from './archive-index.ts'

export interface SnapshotsPorts {
  readonly archive: ArchiveIndex
  readonly timeline: string
  readonly violated: (words: string) => void
}

export class Snapshots {
  readonly #ports: SnapshotsPorts

  constructor(ports: SnapshotsPorts) {
    this.#ports = ports
  }

  /** To be called before the archive's index knows of it, which takes what a snapshot holds for archived. */
  created(key: string, body: Uint8Array): void {
    const { archive, timeline, violated } = this.#ports
    if (!key.startsWith(timelineJournal(timeline))) return
    const batch = decodeBatch(body)
    // A snapshot of the journal is no batch.
    if (isJournalFault(batch)) return
    for (const { type, payload } of batch) {
      if (type !== 'SnapshotRecorded') continue
      const position = payload['position'] as number
      if (archive.reaches(position, payload['chain'] as number)) continue
      violated(
        `snapshots: one at ${position} is recorded, but the archive holds the log up to ${archive.tail.position} only`,
      )
    }
  }
}
