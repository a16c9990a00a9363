/**
 * What a disk without a memory must know before it may vote: the past, as the timeline's journal has it. A term is granted
 * there before anybody is asked for a vote, and a disk is named there before an election reaches it. So what a disk of
 * this zone may once have promised cannot be higher, and if none is named, none has ever acknowledged anything.
 */
import { type JournalStore, openJournal } from '../log/journal.ts'
import { timelineJournal } from '../log/keys.ts'
import { run } from '../system/run.ts'

export interface Past {
  /** The highest term that was ever granted, 0 if there was none. */
  readonly term: number
  /** The zone had a disk that may have acknowledged something. */
  readonly hadDisk: boolean
}

/** Rejects with the store's errors, Damaged, FormatTooNew. */
export async function readPast(store: JournalStore, timeline: string, zone: string): Promise<Past> {
  const history = await run(openJournal(store, timelineJournal(timeline)).history())
  return {
    term: history.reduce((highest, event) => Math.max(highest, event.term), 0),
    hadDisk: history.some(({ type, payload }) => type === 'SafekeeperRecorded' && payload['zone'] === zone),
  }
}
