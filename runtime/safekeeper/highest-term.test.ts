import { expect, test } from 'vitest'
import { wrap } from '../../events/envelope.ts'
import { openJournal } from '../log/journal.ts'
import { timelineJournal } from '../log/keys.ts'
import { MemoryStore } from '../log/testing.ts'
import { run } from '../system/run.ts'
import { highestTerm } from './highest-term.ts'

/** A journal of the timeline with facts of these types and terms. */
async function journalOf(...facts: ReadonlyArray<readonly [type: string, term: number]>): Promise<MemoryStore> {
  const store = new MemoryStore()
  const journal = openJournal(store, timelineJournal('main'))
  for (const [index, [type, term]] of facts.entries()) {
    const sequence = index + 1
    const identity = { id: `id-${sequence}`, actor: 'timeline.main', sequence, term }
    await run(journal.append(sequence, [wrap({ type, at: 1 }, identity)]))
  }
  return store
}

test('before its first term a timeline has no past', async () => {
  expect(await highestTerm(new MemoryStore(), 'main')).toBe(0)
  expect(await highestTerm(await journalOf(['TimelineCreated', 0]), 'main')).toBe(0)
})

test('is that of the newest grant, whatever came after it', async () => {
  const store = await journalOf(['TimelineCreated', 0], ['TermStarted', 1], ['TermStarted', 2], ['SnapshotRecorded', 1])
  expect(await highestTerm(store, 'main')).toBe(2)
})

test('a store that cannot be read leaves the question open', async () => {
  const store = await journalOf(['TermStarted', 3])
  store.down = true
  await expect(highestTerm(store, 'main')).rejects.toMatchObject({ _tag: 'StoreUnavailable' })
})
