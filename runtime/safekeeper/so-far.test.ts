import { expect, test } from 'vitest'
import { wrap } from '../../events/envelope.ts'
import { openJournal } from '../log/journal.ts'
import { timelineJournal } from '../log/keys.ts'
import { MemoryStore } from '../log/testing.ts'
import { run } from '../system/run.ts'
import { timelineSoFar } from './so-far.ts'

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

test('a timeline that does not exist yet has no past', async () => {
  expect(await timelineSoFar(new MemoryStore(), 'main')).toEqual({ term: 0, vouched: 0 })
})

test('in its first term nothing was promised by a disk that has not heard of it', async () => {
  const store = await journalOf(['TimelineCreated', 0], ['TermStarted', 1])
  expect(await timelineSoFar(store, 'main')).toEqual({ term: 1, vouched: 0 })
})

test('once there is a snapshot, or a second term, it may have been', async () => {
  const withSnapshot = await journalOf(['TimelineCreated', 0], ['TermStarted', 1], ['SnapshotRecorded', 1])
  expect(await timelineSoFar(withSnapshot, 'main')).toEqual({ term: 1, vouched: 1 })
  const withTerms = await journalOf(['TimelineCreated', 0], ['TermStarted', 1], ['TermStarted', 2])
  expect(await timelineSoFar(withTerms, 'main')).toEqual({ term: 2, vouched: 2 })
})

test('a store that cannot be read leaves the question open', async () => {
  const store = await journalOf(['TermStarted', 3])
  store.down = true
  await expect(timelineSoFar(store, 'main')).rejects.toMatchObject({ _tag: 'StoreUnavailable' })
})
