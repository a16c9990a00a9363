/**
 * What a disk without a memory must know before it may vote: the past, as the timeline's journal has it. A term is granted
 * there before anybody is asked for a vote, so what this disk may once have promised cannot be higher.
 */
import { type JournalStore, openJournal } from '../log/journal.ts'
import { timelineJournal } from '../log/keys.ts'
import { run } from '../system/run.ts'
import type { TimelineSoFar } from './ports.ts'

/** Rejects with the store's errors, Damaged, FormatTooNew. A timeline without a journal has no past. */
export async function timelineSoFar(store: JournalStore, timeline: string): Promise<TimelineSoFar> {
  const history = await run(openJournal(store, timelineJournal(timeline)).history())
  const term = history.reduce((highest, event) => Math.max(highest, event.term), 0)
  // In its first term a timeline is new everywhere: a disk that has not heard of it has lost nothing.
  const isNew = term <= 1 && !history.some(({ type }) => type === 'SnapshotRecorded')
  return { term, vouched: isNew ? 0 : term }
}
