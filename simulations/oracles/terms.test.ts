import { expect, test } from 'vitest'
import { type Envelope, wrap } from '../../events/envelope.ts'
import { bearersIn, checkTerms } from './terms.ts'

const journal = (...events: ReadonlyArray<readonly [type: string, term: number, compute?: string]>): Envelope[] =>
  events.map(([type, term, compute], at) =>
    wrap({ type, at: 0, term, ...(compute && { compute }) } as never, {
      id: `e${at}`,
      actor: 'timeline.main',
      sequence: at + 1,
      term,
    }),
  )

const reign = (term: number, compute: string) => ({
  term,
  compute,
  history: [],
  lastTerm: 0,
  position: 0,
  chain: 0,
  fromSnapshot: false,
})

const TWO = journal(['TermStarted', 1, 'a'], ['TermBegan', 1], ['TermStarted', 2, 'b'], ['SnapshotRecorded', 2])

test('terms that were granted one after the other are fine', () => {
  const keys = ['timelines/main/log/00000002-0000000000000010', 'timelines/main/journal/000000000009']
  expect(checkTerms(TWO, [reign(1, 'a'), reign(2, 'b')], bearersIn(keys))).toEqual([])
  expect(checkTerms(TWO, [], [{ who: 'a safekeeper that knows nothing', term: 0 }])).toEqual([])
})

test('a term that is granted twice', () => {
  expect(checkTerms(journal(['TermStarted', 1, 'a'], ['TermStarted', 1, 'b']), [], [])).toEqual([
    'term 1 was granted to a and, by event 2, to b',
  ])
})

test('a gap, and a term that goes back', () => {
  expect(
    checkTerms(journal(['TermStarted', 1, 'a'], ['TermStarted', 3, 'b'], ['TermStarted', 2, 'c']), [], []),
  ).toEqual(['event 2 grants term 3 to b, but the last was 1', 'event 3 grants term 2 to c, but the last was 3'])
})

test('a begin or a snapshot of a term before it was granted', () => {
  expect(checkTerms(journal(['TermBegan', 1], ['TermStarted', 1, 'a'], ['SnapshotRecorded', 2]), [], [])).toEqual([
    'event 1, TermBegan, is of term 1, which was not granted before',
    'event 3, SnapshotRecorded, is of term 2, which was not granted before',
  ])
})

test('a log of a term that is another compute’s, or nobody’s', () => {
  expect(checkTerms(TWO, [reign(2, 'a'), reign(3, 'b')], [])).toEqual([
    'a began a log of term 2, which is that of b',
    'b began a log of term 3, which nobody was granted',
  ])
})

test('an object, a frame or a safekeeper with a term that was not granted', () => {
  const keys = ['log/00000004-0000000000000000', 'segments/00000005/00000001', 'index/00000002/00000001']
  const bearers = [
    ...bearersIn(keys.map((key) => `timelines/main/${key}`)),
    { who: 'the safekeeper of zone-1', term: 6 },
  ]
  expect(checkTerms(TWO, [], bearers)).toEqual([
    'timelines/main/log/00000004-0000000000000000 carries term 4, which nobody was granted',
    'timelines/main/segments/00000005/00000001 carries term 5, which nobody was granted',
    'the safekeeper of zone-1 carries term 6, which nobody was granted',
  ])
})
