import { expect, test } from 'vitest'
import { wrap } from '../../events/envelope.ts'
import { chainSeed } from '../../events/frame.ts'
import { encodeBatch } from '../../events/journal-format.ts'
import { logKey, timelineJournal } from '../../runtime/log/keys.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import { ArchiveIndex } from './archive-index.ts'

test('objects lead on where they join, in whatever order they come', () => {
  const index = new ArchiveIndex(TIMELINE)
  const writer = new FrameWriter(TIMELINE, 1)
  const frames = ['abc', 'def', 'ghi'].map((text) => {
    const key = logKey(TIMELINE, 1, writer.position)
    return { key, frame: writer.frame(text), end: writer.position, chain: writer.chain }
  })
  const [first, second, third] = frames as [(typeof frames)[0], (typeof frames)[0], (typeof frames)[0]]
  expect(index.reaches(0, chainSeed(TIMELINE))).toBe(true)
  index.created(first.key, first.frame)
  index.created(third.key, third.frame)
  expect(index.reaches(3, first.chain)).toBe(true)
  expect(index.reaches(9, third.chain)).toBe(false)
  expect(index.tail).toEqual({ term: 1, position: 3 })
  index.created(second.key, second.frame)
  expect(index.reaches(9, third.chain)).toBe(true)
  expect(index.reaches(6, second.chain + 1)).toBe(false)
  expect(index.tail).toEqual({ term: 1, position: 9 })
})

test('what joins by its position alone, or is torn, leads nowhere', () => {
  const index = new ArchiveIndex(TIMELINE)
  const mine = new FrameWriter(TIMELINE, 1)
  const other = new FrameWriter(TIMELINE, 2)
  index.created(logKey(TIMELINE, 1, 0), mine.frame('abc'))
  other.frame('xyz')
  index.created(logKey(TIMELINE, 2, 3), other.frame('def'))
  index.created(logKey(TIMELINE, 1, 3), mine.frame('def').subarray(0, 65))
  expect(index.tail).toEqual({ term: 1, position: 3 })
  expect(index.reaches(6, other.chain)).toBe(false)
})

test('a recorded snapshot needs no log before it', () => {
  const index = new ArchiveIndex(TIMELINE)
  const writer = new FrameWriter(TIMELINE, 1)
  writer.frame('abc')
  const { chain } = writer
  index.created(logKey(TIMELINE, 1, 3), writer.frame('def'))
  expect(index.reaches(6, writer.chain)).toBe(false)
  const fact = { type: 'SnapshotRecorded', at: 1, position: 3, chain, key: 'k' }
  const snapshot = wrap(fact, { id: 'a', actor: 'timeline.main', sequence: 1, term: 1 })
  index.created(`${timelineJournal(TIMELINE)}/1`, encodeBatch([snapshot]))
  expect(index.reaches(6, writer.chain)).toBe(true)
  expect(index.reaches(3, chain + 1)).toBe(false)
  expect(index.snapshotPosition).toBe(3)
})

test('which may lie within an object', () => {
  const index = new ArchiveIndex(TIMELINE)
  const whole = new FrameWriter(TIMELINE, 1)
  const half = new FrameWriter(TIMELINE, 1)
  whole.frame('abc')
  half.frame('abc')
  index.created(logKey(TIMELINE, 1, 3), whole.frame('defghi'))
  half.frame('def')
  const fact = { type: 'SnapshotRecorded', at: 1, position: 6, chain: half.chain, key: 'k' }
  const snapshot = wrap(fact, { id: 'a', actor: 'timeline.main', sequence: 1, term: 1 })
  index.created(`${timelineJournal(TIMELINE)}/1`, encodeBatch([snapshot]))
  expect(index.reaches(9, whole.chain)).toBe(true)
})
