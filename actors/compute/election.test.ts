import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TermHistory, VoteResponse } from '../../events/safekeeper-wire.ts'
import {
  type ArchiveTail,
  chooseTail,
  commonPoint,
  cutHistory,
  type Electorate,
  entryAt,
  lastTermOf,
  nextHistory,
  termEndAfter,
} from './election.ts'

const ZONES = ['a', 'b', 'c']
const history = (...entries: ReadonlyArray<readonly [term: number, begin: number]>): TermHistory =>
  entries.map(([term, begin]) => ({ term, begin }))

/** A vote for term 9 by a safekeeper whose log has this history and end; its chain is a function of both. */
function vote(zone: string, of: TermHistory, flushed: number, more: Partial<VoteResponse> = {}): VoteResponse {
  const cut = cutHistory(of, flushed)
  const lastTerm = lastTermOf(cut)
  const chain = lastTerm * 1_000_003 + flushed
  const log = { lastTerm, flushed, chain, history: cut }
  return {
    zone,
    granted: true,
    term: 9,
    ...log,
    diskId: zone,
    incarnation: `${zone}-1`,
    fresh: false,
    silentMs: 0,
    ...more,
  }
}

function archived(of: TermHistory, end: number): ArchiveTail {
  const lastTerm = lastTermOf(cutHistory(of, end))
  return { lastTerm, end, chain: lastTerm * 1_000_003 + end, history: of }
}

const electorate = (more: Partial<Electorate> = {}): Electorate => ({
  term: 9,
  zones: ZONES,
  durability: 'archived',
  ...more,
})

function chosen(votes: readonly VoteResponse[], archive: ArchiveTail | undefined, more: Partial<Electorate> = {}) {
  const choice = chooseTail(votes, archive, electorate(more))
  if (choice.type !== 'chosen') throw new Error(JSON.stringify(choice))
  return choice.tail
}

describe('the tail', () => {
  const one = history([1, 0])
  const two = history([1, 0], [2, 100])

  test('is of the highest last term, never just the longest', () => {
    const tail = chosen([vote('a', one, 500), vote('b', two, 120)], undefined)
    expect(tail).toMatchObject({ source: 'b', lastTerm: 2, position: 120 })
    expect(nextHistory(tail, 9)).toEqual(history([1, 0], [2, 100], [9, 120]))
  })

  test('of equal terms is the longest', () => {
    expect(chosen([vote('a', two, 130), vote('b', two, 120)], undefined).source).toBe('a')
  })

  test('of an elected term that wrote nothing counts from its beginning', () => {
    expect(chosen([vote('a', one, 500), vote('b', two, 100)], undefined)).toMatchObject({ lastTerm: 2, position: 100 })
  })

  test('is the archive if that is ahead, or level, or all there is', () => {
    expect(chosen([vote('a', two, 120), vote('b', two, 110)], archived(two, 150))).toMatchObject({
      source: 'archive',
      position: 150,
    })
    expect(chosen([vote('a', two, 120), vote('b', two, 110)], archived(two, 120)).source).toBe('archive')
    expect(chosen([vote('a', [], 0), vote('b', [], 0)], archived(two, 120))).toMatchObject({
      source: 'archive',
      history: two,
    })
    expect(chosen([vote('a', two, 120), vote('b', [], 0)], archived(one, 5_000)).source).toBe('a')
  })

  test('of a new timeline is empty', () => {
    expect(chosen([vote('a', [], 0), vote('b', [], 0)], undefined)).toMatchObject({ lastTerm: 0, position: 0 })
  })
})

describe('votes', () => {
  const one = history([1, 0])

  test('a minority decides nothing, nor does a zone that votes twice, or has no seat, or another term', () => {
    const a = vote('a', one, 10)
    for (const votes of [[], [a], [a, a], [a, vote('x', one, 10)], [a, vote('b', one, 10, { term: 8 })]]) {
      expect(chooseTail(votes, undefined, electorate())).toMatchObject({ type: 'refused' })
    }
  })

  test('a repeated answer counts, although it grants nothing', () => {
    expect(chosen([vote('a', one, 10), vote('b', one, 20, { granted: false })], undefined).position).toBe(20)
  })

  test('a higher term anywhere ends the election', () => {
    const votes = [vote('a', one, 10), vote('b', one, 10), vote('c', one, 10, { term: 10 })]
    expect(chooseTail(votes, undefined, electorate())).toEqual({ type: 'fenced', term: 10 })
    const later = archived(history([1, 0], [10, 10]), 12)
    expect(chooseTail(votes.slice(0, 2), later, electorate())).toEqual({ type: 'fenced', term: 10 })
  })

  test('of a disk that may have forgotten count where the archive remembers', () => {
    const votes = [vote('a', one, 10), vote('b', [], 0, { fresh: true })]
    expect(chosen(votes, undefined).position).toBe(10)
    const refused = chooseTail(votes, undefined, electorate({ durability: 'quorum' }))
    expect(refused).toMatchObject({ type: 'refused', reason: expect.stringContaining('the disk in b') })
  })

  test('that contradict each other are refused rather than counted', () => {
    const votes = [vote('a', one, 10), vote('b', one, 10, { chain: 1 })]
    expect(chooseTail(votes, undefined, electorate())).toMatchObject({
      type: 'refused',
      reason: expect.stringContaining('different bytes'),
    })
  })
})

describe('the common point', () => {
  const infinite = Number.POSITIVE_INFINITY

  test('is the end of the last term that both reach into', () => {
    const mine = history([1, 0], [3, 100])
    expect(commonPoint(mine, infinite, history([1, 0]), 80)).toBe(80)
    expect(commonPoint(mine, infinite, history([1, 0]), 180)).toBe(100)
    expect(commonPoint(mine, infinite, history([1, 0], [2, 90]), 120)).toBe(90)
    expect(commonPoint(mine, infinite, history([1, 0], [2, 110]), 130)).toBe(100)
    expect(commonPoint(mine, infinite, mine, 150)).toBe(150)
  })

  test('is the beginning for logs that have only that in common', () => {
    expect(commonPoint(history([2, 0]), infinite, history([1, 0]), 50)).toBe(0)
    expect(commonPoint(history([2, 0]), infinite, [], 0)).toBe(0)
  })

  test('matches terms by number: one that wrote nothing may be missing', () => {
    expect(commonPoint(history([1, 0], [2, 50], [3, 50]), infinite, history([1, 0], [3, 50]), 70)).toBe(70)
  })

  test('is unknown where the beginnings are not known', () => {
    expect(commonPoint(history([5, 700]), infinite, history([4, 300]), 800)).toBeUndefined()
  })

  test('is unknown for two logs that contradict each other', () => {
    expect(commonPoint(history([1, 0], [2, 50]), infinite, history([1, 0], [2, 60]), 100)).toBeUndefined()
  })

  test('may lie in a term whose beginning one of the two does not know', () => {
    expect(commonPoint(history([2, 300]), infinite, history([1, 0], [2, 50]), 400)).toBe(400)
  })

  /** Logs as reigns make them: each term continues a prefix of some log before it. */
  const logs = fc
    .array(fc.record({ parent: fc.nat(), keep: fc.nat(), write: fc.nat(20) }), { minLength: 1, maxLength: 12 })
    .map((reigns) => {
      const made: Array<{ readonly history: TermHistory; readonly bytes: readonly number[] }> = [
        { history: [], bytes: [] },
      ]
      for (const [at, { parent, keep, write }] of reigns.entries()) {
        const from = made[parent % made.length]!
        const begin = keep % (from.bytes.length + 1)
        const term = at + 1
        const bytes = [
          ...from.bytes.slice(0, begin),
          ...Array.from({ length: write }, (_, index) => term * 100 + index),
        ]
        made.push({ history: [...cutHistory(from.history, begin), { term, begin }], bytes })
      }
      return made
    })

  test('never claims more than two logs have in common, and finds all of it unless a term restarted at its own end', () => {
    fc.assert(
      fc.property(logs, fc.nat(), fc.nat(), (made, left, right) => {
        const a = made[left % made.length]!
        const b = made[right % made.length]!
        const point = commonPoint(a.history, a.bytes.length, b.history, b.bytes.length)
        expect(point).toBeDefined()
        expect(a.bytes.slice(0, point)).toEqual(b.bytes.slice(0, point))
        // Different terms write different bytes here, so what is equal is common.
        let same = 0
        while (same < Math.min(a.bytes.length, b.bytes.length) && a.bytes[same] === b.bytes[same]) same++
        expect(point).toBe(same)
        expect(commonPoint(b.history, b.bytes.length, a.history, a.bytes.length)).toBe(point)
      }),
    )
  })
})

test('positions are found in a history', () => {
  const of = history([1, 0], [2, 50], [3, 50], [4, 80])
  expect(entryAt(of, 0)?.term).toBe(1)
  expect(entryAt(of, 50)?.term).toBe(3)
  expect(entryAt(of, 79)?.term).toBe(3)
  expect(entryAt(of, 1_000)?.term).toBe(4)
  expect(entryAt(history([2, 10]), 9)).toBeUndefined()
  expect(termEndAfter(of, 0)).toBe(50)
  expect(termEndAfter(of, 50)).toBe(80)
  expect(termEndAfter(of, 80)).toBe(Number.POSITIVE_INFINITY)
  expect(cutHistory(of, 50)).toEqual(history([1, 0], [2, 50], [3, 50]))
  expect(cutHistory(of, 100)).toBe(of)
})
