/**
 * Removes a deleted timeline's objects. The journal stays: it is what says that the timeline was deleted, and its names
 * must never be given again. Called only after the deletion is durable in that journal: what is still referred to stays.
 */
import * as Effect from 'effect/Effect'
import type { JournalStore } from '../log/journal.ts'
import { run } from '../system/run.ts'

export type TimelineObjects = Pick<JournalStore, 'list' | 'remove'>

const FOLDERS = ['log', 'segments', 'index'] as const

export async function deleteTimelineObjects(store: TimelineObjects, timeline: string): Promise<void> {
  for (const folder of FOLDERS) {
    const objects = await run(store.list(`timelines/${timeline}/${folder}/`))
    await run(Effect.forEach(objects, ({ key }) => store.remove(key), { concurrency: 8, discard: true }))
  }
}
