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
    confirmed: true,
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

  type Log = { readonly history: TermHistory; readonly bytes: readonly number[] }
  const reigns = fc.array(
    fc.record({ parent: fc.nat(), keep: fc.nat(), write: fc.oneof(fc.constant(0), fc.nat(20)) }),
    {
      minLength: 1,
      maxLength: 12,
    },
  )

  /** Logs as reigns make them: each term continues a prefix of some log before it. */
  const logsOf = (made: typeof reigns extends fc.Arbitrary<infer R> ? R : never, next: typeof nextHistory): Log[] => {
    const logs: Log[] = [{ history: [], bytes: [] }]
    for (const [at, { parent, keep, write }] of made.entries()) {
      const from = logs[parent % logs.length]!
      const begin = keep % (from.bytes.length + 1)
      const term = at + 1
      const bytes = [...from.bytes.slice(0, begin), ...Array.from({ length: write }, (_, index) => term * 100 + index)]
      const history = cutHistory(from.history, begin)
      const tail = { source: 'a', lastTerm: lastTermOf(history), position: begin, chain: 0, history }
      logs.push({ history: next(tail, term), bytes })
    }
    return logs
  }
  const logs = reigns.map((made) => logsOf(made, nextHistory))

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

  test('and the tail and the writer of each byte are the same as if terms that wrote nothing were kept', () => {
    const keepAll: typeof nextHistory = (tail, term) => [...tail.history, { term, begin: tail.position }]
    const tailAmong = (of: readonly Log[]) =>
      chooseTail(
        of.map(({ history, bytes }, at) => vote(ZONES[at]!, history, bytes.length, { term: 99 })),
        undefined,
        electorate({ term: 99 }),
      )
    fc.assert(
      fc.property(reigns, fc.tuple(fc.nat(), fc.nat(), fc.nat()), fc.nat(), (made, picked, end) => {
        const short = logsOf(made, nextHistory)
        const long = logsOf(made, keepAll)
        const [a, b, c] = picked.map((at) => at % short.length) as [number, number, number]
        // Disks from before and after the change of this rule meet, too.
        for (const [mine, its] of [
          [short, short],
          [short, long],
          [long, short],
        ] as const) {
          const at = mine[a]!.bytes.length
          const expected = commonPoint(long[a]!.history, at, long[b]!.history, its[b]!.bytes.length)
          expect(commonPoint(mine[a]!.history, at, its[b]!.history, its[b]!.bytes.length)).toBe(expected)
        }
        const chosenOf = (of: readonly Log[]) => {
          const choice = tailAmong([of[a]!, of[b]!, of[c]!])
          if (choice.type !== 'chosen') throw new Error(choice.type)
          const { source, lastTerm, position } = choice.tail
          return { source, lastTerm, position }
        }
        expect(chosenOf(short)).toEqual(chosenOf(long))
        // A log that ends earlier than its history, and where its bytes are archived.
        const until = end % (short[a]!.bytes.length + 1)
        expect(lastTermOf(cutHistory(short[a]!.history, until))).toBe(lastTermOf(cutHistory(long[a]!.history, until)))
        expect(entryAt(short[a]!.history, until)?.term).toBe(entryAt(long[a]!.history, until)?.term)
        expect(termEndAfter(short[a]!.history, until)).toBe(termEndAfter(long[a]!.history, until))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a history', () => {
  const tailOf = (of: TermHistory, position: number) => ({
    source: 'a',
    lastTerm: lastTermOf(of),
    position,
    chain: 0,
    history: cutHistory(of, position),
  })

  test('does not grow while terms begin that write nothing', () => {
    let of = history([1, 0], [2, 50])
    for (let term = 3; term <= 3_000; term++) of = nextHistory(tailOf(of, 80), term)
    expect(of).toEqual(history([1, 0], [2, 50], [3_000, 80]))
    let ofNothing: TermHistory = []
    for (let term = 1; term <= 9; term++) ofNothing = nextHistory(tailOf(ofNothing, 0), term)
    expect(ofNothing).toEqual(history([1, 0], [9, 0]))
  })

  test('loses such terms also where it was written with them', () => {
    const long = history([1, 0], [2, 50], [3, 50], [4, 50], [5, 80], [6, 80])
    expect(nextHistory(tailOf(long, 80), 7)).toEqual(history([1, 0], [4, 50], [7, 80]))
  })

  test('keeps the entry that it begins with, whose term began before', () => {
    expect(nextHistory(tailOf(history([4, 700]), 700), 5)).toEqual(history([4, 700], [5, 700]))
    // A safekeeper that has the whole log meets it there.
    expect(commonPoint(history([4, 700], [5, 700]), Number.POSITIVE_INFINITY, history([1, 0], [4, 300]), 700)).toBe(700)
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
