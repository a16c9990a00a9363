import { expect, test } from 'vitest'
import { type ActorEvent, wrap } from '../../events/envelope.ts'
import { encodeBatch } from '../../events/journal-format.ts'
import { indexKey, logKey, projectJournal, segmentKey, timelineJournal } from '../../runtime/log/keys.ts'
import { Deletions } from './deletions.ts'

const JOURNAL = timelineJournal('main')
const SNAPSHOTS = `${JOURNAL}/snapshots/`

/** A bucket of these keys, in which `remove` says what the oracle finds. */
function bucketOf(...keys: readonly string[]) {
  const objects = new Map(keys.map((key) => [key, true]))
  const words: string[] = []
  const deletions = new Deletions({ objects, violated: (problem) => void words.push(problem) })
  const remove = (key: string) => {
    objects.delete(key)
    deletions.removed(key, 'zone-1')
    return words.splice(0)
  }
  return { deletions, remove }
}

const fact = (type: string, sequence: number) =>
  wrap({ type, at: 1 } as ActorEvent, { id: `e${sequence}`, actor: 'timeline.main', sequence, term: 0 })

test('of the snapshots of a journal the newest two stay', () => {
  const other = `${projectJournal('main')}/snapshots/000000000256`
  const keys = ['000000000064', '000000000128', '000000000192'].map((digits) => `${SNAPSHOTS}${digits}`)
  const { remove } = bucketOf(...keys, other)
  expect(remove(keys[0]!)).toEqual([])
  expect(remove(keys[1]!)).toEqual([
    `deletions: zone-1 has removed ${keys[1]}, and 1 newer snapshots are left of the journal`,
  ])
  expect(remove(keys[2]!)).toEqual([
    `deletions: zone-1 has removed ${keys[2]}, and 0 newer snapshots are left of the journal`,
  ])
})

test('what the probe of a store makes may go, and entries of journals and what nobody knows may not', () => {
  const { remove } = bucketOf()
  expect(remove('probe/0b3c')).toEqual([])
  for (const key of [`${JOURNAL}/000000000001`, 'timelines/main/other', 'else']) {
    expect(remove(key)).toEqual([`deletions: zone-1 has removed ${key}, which nobody may ever remove`])
  }
})

test('objects of a timeline may go once its deletion is durable, and those of others may not', () => {
  const { deletions, remove } = bucketOf()
  const objects = [logKey('main', 1, 0), segmentKey('main', 1, 1), indexKey('main', 1, 1)]
  const blame = (key: string) => [`deletions: zone-1 has removed ${key}, but nobody has deleted the timeline main`]
  deletions.created(`${JOURNAL}/000000000001`, encodeBatch([fact('TimelineCreated', 1)]))
  deletions.created(`${timelineJournal('other')}/000000000001`, encodeBatch([fact('DeletionStarted', 1)]))
  deletions.created(`${JOURNAL}/000000000002`, Buffer.from('torn'))
  for (const key of objects) expect(remove(key)).toEqual(blame(key))
  deletions.created(`${JOURNAL}/000000000002`, encodeBatch([fact('TimelineCreated', 1), fact('DeletionStarted', 2)]))
  for (const key of objects) expect(remove(key)).toEqual([])
  expect(remove(`${JOURNAL}/000000000001`)).toHaveLength(1)
})
