/**
 * What a disk without a memory must know before it may vote: the past, as the timeline's journal has it. A term is granted
 * there before anybody is asked for a vote, so what this disk may once have promised cannot be higher.
 */
import { type JournalStore, openJournal } from '../log/journal.ts'
import { timelineJournal } from '../log/keys.ts'
import { run } from '../system/run.ts'

/** 0 if there was no term yet. Rejects with the store's errors, Damaged, FormatTooNew. */
export async function highestTerm(store: JournalStore, timeline: string): Promise<number> {
  const history = await run(openJournal(store, timelineJournal(timeline)).history())
  return history.reduce((highest, event) => Math.max(highest, event.term), 0)
}
