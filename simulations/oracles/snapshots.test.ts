import { expect, test } from 'vitest'
import { wrap } from '../../events/envelope.ts'
import { encodeBatch } from '../../events/journal-format.ts'
import { logKey, timelineJournal } from '../../runtime/log/keys.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import { ArchiveIndex } from './archive-index.ts'
import { Snapshots } from './snapshots.ts'

function world() {
  const words: string[] = []
  const archive = new ArchiveIndex(TIMELINE)
  const snapshots = new Snapshots({ archive, timeline: TIMELINE, violated: (problem) => void words.push(problem) })
  const writer = new FrameWriter(TIMELINE, 1)
  const record = (position: number, chain: number) => {
    const fact = { type: 'SnapshotRecorded', at: 1, position, chain, key: 'k' }
    const batch = encodeBatch([wrap(fact, { id: 'a', actor: 'timeline.main', sequence: 1, term: 1 })])
    snapshots.created(`${timelineJournal(TIMELINE)}/1`, batch)
    archive.created(`${timelineJournal(TIMELINE)}/1`, batch)
  }
  return { words, archive, writer, record }
}

test('a snapshot is recorded once the archive has got there', () => {
  const { words, archive, writer, record } = world()
  archive.created(logKey(TIMELINE, 1, 0), writer.frame('abc'))
  record(3, writer.chain)
  // Which the next batch of the journal may repeat.
  record(3, writer.chain)
  expect(words).toEqual([])
})

test('and not before, though the archive gets there later', () => {
  const { words, archive, writer, record } = world()
  const object = writer.frame('abc')
  record(3, writer.chain)
  archive.created(logKey(TIMELINE, 1, 0), object)
  expect(words).toEqual(['snapshots: one at 3 is recorded, but the archive holds the log up to 0 only'])
})
