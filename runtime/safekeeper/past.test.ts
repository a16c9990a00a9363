import { expect, test } from 'vitest'
import { wrap } from '../../events/envelope.ts'
import { openJournal } from '../log/journal.ts'
import { timelineJournal } from '../log/keys.ts'
import { MemoryStore } from '../log/testing.ts'
import { run } from '../system/run.ts'
import { readPast } from './past.ts'

/** A journal of the timeline with facts of these types and terms; disks are of zone-1. */
async function journalOf(...facts: ReadonlyArray<readonly [type: string, term: number]>): Promise<MemoryStore> {
  const store = new MemoryStore()
  const journal = openJournal(store, timelineJournal('main'))
  for (const [index, [type, term]] of facts.entries()) {
    const sequence = index + 1
    const identity = { id: `id-${sequence}`, actor: 'timeline.main', sequence, term }
    const disk = type === 'SafekeeperRecorded' ? { zone: 'zone-1', diskId: 'd' } : {}
    await run(journal.append(sequence, [wrap({ type, at: 1, ...disk }, identity)]))
  }
  return store
}

test('before its first term a timeline has none', async () => {
  const nothing = { term: 0, hadDisk: false }
  expect(await readPast(new MemoryStore(), 'main', 'zone-1')).toEqual(nothing)
  expect(await readPast(await journalOf(['TimelineCreated', 0]), 'main', 'zone-1')).toEqual(nothing)
})

test('has the newest grant, whatever came after it', async () => {
  const store = await journalOf(['TimelineCreated', 0], ['TermStarted', 1], ['TermStarted', 2], ['SnapshotRecorded', 1])
  expect(await readPast(store, 'main', 'zone-1')).toEqual({ term: 2, hadDisk: false })
})

test('tells whether the zone had a disk, for good', async () => {
  const store = await journalOf(['TermStarted', 1], ['SafekeeperRecorded', 1], ['TermStarted', 2])
  expect(await readPast(store, 'main', 'zone-1')).toEqual({ term: 2, hadDisk: true })
  expect(await readPast(store, 'main', 'zone-2')).toEqual({ term: 2, hadDisk: false })
})

test('a store that cannot be read leaves the question open', async () => {
  const store = await journalOf(['TermStarted', 3])
  store.down = true
  await expect(readPast(store, 'main', 'zone-1')).rejects.toMatchObject({ _tag: 'StoreUnavailable' })
})
