import { expect, test } from 'vitest'
import { logKey } from '../../runtime/log/keys.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import type { Said } from '../cluster/said-watch.ts'
import { ArchiveIndex } from './archive-index.ts'
import { FreshVotes } from './fresh-votes.ts'

const vote = (term: number, confirmed: boolean, fresh = false) => ({ kind: 'vote', term, confirmed, fresh }) as Said
const opened = (term: number, lastTerm: number, position: number) => ({
  term,
  compute: 'a',
  history: [
    { term: lastTerm, begin: 0 },
    { term, begin: position },
  ],
  lastTerm,
  position,
  chain: 0,
  fromSnapshot: false,
})

function world(rotten = false) {
  const words: string[] = []
  const archive = new ArchiveIndex(TIMELINE)
  const votes = new FreshVotes({
    archive,
    isRotten: () => rotten,
    zones: 3,
    violated: (problem) => void words.push(problem),
  })
  const writer = new FrameWriter(TIMELINE, 1)
  const put = (text: string) => archive.created(logKey(TIMELINE, 1, writer.position), writer.frame(text))
  return { words, votes, put }
}

test('what was archived when a disk voted that may have forgotten is not left behind', () => {
  const { words, votes, put } = world()
  put('abc')
  votes.said('zone-1', vote(2, false))
  put('def')
  votes.said('zone-2', vote(2, false))
  put('ghi')
  votes.opened(opened(2, 1, 6))
  expect(words).toEqual([])
  votes.opened(opened(2, 1, 5))
  expect(words).toEqual([expect.stringContaining('begins term 2 at 5 of term 1, but when disks')])
})

test('a doubtful vote that an election could do without asks for nothing', () => {
  const { words, votes, put } = world()
  put('abc')
  votes.said('zone-1', vote(2, false))
  votes.said('zone-2', vote(2, true))
  votes.said('zone-3', vote(2, true))
  votes.opened(opened(2, 1, 0))
  expect(words).toEqual([])
})

test('a term that wrote nothing is ahead of what came to the archive of an older one', () => {
  const { words, votes, put } = world()
  put('abc')
  votes.said('zone-1', vote(3, false))
  votes.said('zone-2', vote(3, false))
  // Term 2 began at 2, before the object was there, and its history leaves it out.
  votes.opened({ ...opened(3, 1, 2), lastTerm: 2 })
  expect(words).toEqual([])
})

test('behind an object that has rotted only fresh disks are doubted', () => {
  const { words, votes, put } = world(true)
  put('abc')
  for (const zone of ['zone-1', 'zone-2']) votes.said(zone, vote(2, false))
  votes.opened(opened(2, 1, 0))
  expect(words).toEqual([])
  for (const zone of ['zone-1', 'zone-2']) votes.said(zone, vote(3, false, true))
  votes.opened(opened(3, 1, 0))
  expect(words).toHaveLength(1)
})
