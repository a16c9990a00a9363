import { describe, expect, test } from 'vitest'
import type { FrameHeader } from '../../events/frame.ts'
import type { Elected, TermHistory } from '../../events/safekeeper-wire.ts'
import {
  type Acceptor,
  adopt,
  append,
  appended,
  elected,
  flushedTo,
  isElected,
  noteSettled,
  openAcceptor,
  raiseTerm,
  repeat,
  vote,
  voteResponse,
} from './acceptor.ts'

const history = (...entries: ReadonlyArray<readonly [term: number, begin: number]>): TermHistory =>
  entries.map(([term, begin]) => ({ term, begin }))

function opened(more: Partial<Acceptor> = {}): Acceptor {
  const identity = { zone: 'a', diskId: 'd', incarnation: 'i' }
  const log = { history: history([1, 0], [2, 100]), begin: 0, end: 150, chain: 7, settled: 0 }
  return { ...openAcceptor({ ...identity, ...log, term: 2, fresh: false }), ...more }
}

function election(term: number, of: TermHistory, truncateTo: number, more: Partial<Elected> = {}): Elected {
  const plain = { term, compute: 'c', incarnation: 'i', history: of, truncateTo, start: truncateTo }
  const written = of.at(-1)?.begin ?? 0
  return { ...plain, startChain: undefined, archivedFrom: 0, dutyZone: '', written, ...more }
}

function frame(begin: number, length: number, more: Partial<FrameHeader> = {}): FrameHeader {
  const fields = {
    version: 1,
    term: 2,
    begin,
    length,
    chainBefore: 7,
    chainAfter: 8,
    flags: 0,
    archived: 0,
    writer: '',
  }
  return { ...fields, ...more }
}

describe('a vote', () => {
  test('is given for a strictly higher term only', () => {
    const state = opened()
    for (const term of [0, 1, 2]) expect(vote(state, { term, compute: 'c' })).toBe(false)
    expect(state.term).toBe(2)
    expect(vote(state, { term: 3, compute: 'c' })).toBe(true)
    raiseTerm(state, 3)
    expect(vote(state, { term: 3, compute: 'c' })).toBe(false)
    expect(state.term).toBe(3)
  })

  test('ends archive duty and takes back what counted for the old term', () => {
    const state = opened({ archived: 140, dutyTerm: 2 })
    raiseTerm(state, 3)
    expect(state).toMatchObject({ archived: 0, dutyTerm: 0 })
    expect(isElected(state)).toBe(false)
  })

  test('tells the history only as far as the log was flushed', () => {
    const state = opened({ history: history([1, 0], [2, 100], [3, 400]), flushed: 120 })
    expect(voteResponse(state, true)).toMatchObject({ lastTerm: 2, flushed: 120, history: history([1, 0], [2, 100]) })
    expect(voteResponse({ ...state, flushed: 100 }, true).lastTerm).toBe(2)
    expect(voteResponse({ ...state, flushed: 99 }, true).lastTerm).toBe(1)
  })
})

describe('an election', () => {
  const next = history([1, 0], [2, 100], [3, 130])

  test('cuts the log to where the histories part', () => {
    expect(elected(opened(), election(3, next, 130))).toEqual({ type: 'cut', truncateTo: 130 })
    expect(elected(opened(), election(3, history([1, 0], [3, 110]), 100))).toEqual({ type: 'cut', truncateTo: 100 })
  })

  test('is refused if the proposer computed another point', () => {
    for (const truncateTo of [0, 129, 131, 150]) {
      expect(elected(opened(), election(3, next, truncateTo))).toMatchObject({ type: 'refuse' })
    }
  })

  test('is ignored under a lower term, also one that this safekeeper has only voted for', () => {
    const state = opened({ term: 5 })
    expect(elected(state, election(3, next, 130))).toEqual({ type: 'ignore' })
  })

  test('is refused if its history is not its own', () => {
    expect(elected(opened(), election(4, next, 130))).toMatchObject({ type: 'refuse' })
  })

  test('never cuts off what is settled', () => {
    expect(elected(opened({ settled: 131 }), election(3, next, 130))).toMatchObject({ type: 'refuse' })
    expect(elected(opened({ settled: 130 }), election(3, next, 130))).toMatchObject({ type: 'cut' })
  })

  test('heard again changes nothing', () => {
    const state = opened()
    const message = election(3, next, 130)
    adopt(state, message, { begin: 0, end: 130, chain: 3 })
    expect(state).toMatchObject({ term: 3, end: 130, flushed: 130, chain: 3, history: next })
    appended(state, frame(130, 10, { term: 3, chainBefore: 3 }))
    expect(elected(state, message)).toEqual({ type: 'known' })
    expect(state.end).toBe(140)
  })

  test('may have the log begin anew within the archive, and nowhere else', () => {
    const message = election(3, history([1, 0], [2, 100], [3, 700]), 150, {
      start: 600,
      startChain: 5,
      archivedFrom: 650,
    })
    const begin = { type: 'restart', start: 600, chain: 5 }
    expect(elected(opened(), message)).toEqual(begin)
    const refused = { type: 'refuse' }
    expect(elected(opened(), { ...message, archivedFrom: 599 })).toMatchObject(refused)
    expect(elected(opened(), { ...message, startChain: undefined })).toMatchObject(refused)
    expect(elected(opened(), { ...message, start: 149 })).toMatchObject(refused)
  })

  test('has a log begin anew that does not reach back to the common point', () => {
    const state = opened({ begin: 120, history: history([1, 0], [2, 100]) })
    const message = election(3, history([1, 0], [3, 110]), 100, { startChain: 4, archivedFrom: 200 })
    expect(elected(state, message)).toEqual({ type: 'restart', start: 100, chain: 4 })
    expect(elected({ ...state, settled: 120 }, message)).toMatchObject({ type: 'refuse' })
  })
})

describe('a frame', () => {
  test('is appended where the log ends, under the elected term', () => {
    const state = opened()
    expect(append(state, frame(150, 10))).toBe('append')
    appended(state, frame(150, 10))
    expect(state).toMatchObject({ end: 160, chain: 8, flushed: 150 })
  })

  test('of a lower term is fenced, of a higher one waits for its election', () => {
    expect(append(opened(), frame(150, 10, { term: 1 }))).toBe('fenced')
    expect(append(opened(), frame(150, 10, { term: 3 }))).toBe('not-elected')
    const voted = opened()
    raiseTerm(voted, 3)
    expect(append(voted, frame(150, 10, { term: 3 }))).toBe('not-elected')
    expect(append(voted, frame(150, 10, { term: 2 }))).toBe('fenced')
  })

  test('leaves no gap, and tells an overlap from other bytes', () => {
    expect(append(opened(), frame(151, 10))).toBe('gap')
    expect(append(opened(), frame(149, 10))).toBe('overlap')
    expect(append(opened(), frame(150, 10, { chainBefore: 6 }))).toBe('diverged')
  })

  test('tells what is settled, of which only what is here can be vouched for', () => {
    const state = opened()
    appended(state, frame(150, 10, { archived: 90 }))
    expect(state.settled).toBe(90)
    noteSettled(state, 80)
    expect(state.settled).toBe(90)
    noteSettled(state, 500)
    expect(state.settled).toBe(160)
  })
})

describe('a fresh disk', () => {
  const next = history([1, 0], [3, 200])

  test('is believed again once it holds the log up to the start of an elected term', () => {
    const state = opened({ fresh: true, term: 0, history: [], end: 0, flushed: 0 })
    expect(flushedTo(state, 0)).toBe(false)
    adopt(state, election(3, next, 0), { begin: 0, end: 0, chain: 1 })
    expect(flushedTo(state, 199)).toBe(false)
    expect(state.fresh).toBe(true)
    expect(flushedTo(state, 200)).toBe(true)
    expect(state.fresh).toBe(false)
    expect(flushedTo(state, 210)).toBe(false)
  })

  test('within a term it must hold what the writer had written when the disk was opened', () => {
    const state = opened({ fresh: true, term: 3, history: [], end: 0, flushed: 0 })
    adopt(state, election(3, next, 0, { written: 250 }), { begin: 0, end: 0, chain: 1 })
    expect(flushedTo(state, 249)).toBe(false)
    expect(flushedTo(state, 250)).toBe(true)
    expect(state.fresh).toBe(false)
  })

  test('that was opened anew must hear of the election again, and of it as it then stands', () => {
    const state = opened({ fresh: true, term: 3, history: next, end: 210, flushed: 210 })
    expect(isElected(state)).toBe(false)
    const before = election(3, next, 200, { incarnation: 'earlier' })
    expect(elected(state, before)).toEqual({ type: 'refuse', problem: 'this disk was opened anew since its vote' })
    const message = election(3, next, 210, { written: 250 })
    expect(elected(state, message)).toEqual({ type: 'known' })
    repeat(state, message)
    expect(isElected(state)).toBe(true)
    expect(flushedTo(state, 220)).toBe(false)
    // Said again later: what was to be held then is enough.
    repeat(state, election(3, next, 220, { written: 400 }))
    expect(flushedTo(state, 250)).toBe(true)
  })

  test('begins anew within its term where the archive has what it lost', () => {
    const state = opened({ fresh: true, term: 3, history: next, end: 30, flushed: 30 })
    const message = election(3, next, 30, { start: 180, startChain: 9, archivedFrom: 180, written: 250 })
    expect(elected(state, message)).toEqual({ type: 'restart', start: 180, chain: 9 })
    adopt(state, message, { begin: 180, end: 180, chain: 9 })
    expect(elected(state, message)).toEqual({ type: 'known' })
    // Said again without a chain, it only tells up to where the log is to be fetched.
    expect(elected(state, { ...message, start: 240, startChain: undefined })).toEqual({ type: 'known' })
  })

  test('begins anew as well if its disk has lost what it had called synced, and nothing else shows it', () => {
    const state = opened({ term: 3, history: next, end: 30, flushed: 30, dutyTerm: 3 })
    const message = election(3, next, 30, { start: 180, startChain: 9, archivedFrom: 180, written: 250 })
    expect(elected(state, message)).toEqual({ type: 'restart', start: 180, chain: 9 })
    adopt(state, message, { begin: 180, end: 180, chain: 9 })
    // Which is then known, and its archive duty is to be taken up anew.
    expect(state).toMatchObject({ fresh: true, mustHold: 250, dutyTerm: 0 })
    expect(elected(opened({ term: 3, history: next, end: 190, flushed: 190 }), message)).toEqual({ type: 'known' })
  })

  test('is not while a newer term has not been heard of', () => {
    const state = opened({ fresh: true, history: next, term: 3, end: 150, flushed: 150 })
    raiseTerm(state, 4)
    expect(flushedTo(state, 300)).toBe(false)
    expect(state.fresh).toBe(true)
  })
})

describe('a disk that was opened', () => {
  const next = history([1, 0], [3, 200])

  test('is confirmed once it holds all that an elected writer says it can have acknowledged', () => {
    const state = opened({ term: 3, history: next, end: 210, flushed: 210 })
    expect(flushedTo(state, 300)).toBe(false)
    expect(voteResponse(state, true)).toMatchObject({ fresh: false, confirmed: false })
    repeat(state, election(3, next, 210, { written: 310 }))
    expect(flushedTo(state, 309)).toBe(false)
    expect(state.confirmed).toBe(false)
    // Nothing of it is on disk, so nothing is to be put there.
    expect(flushedTo(state, 310)).toBe(false)
    expect(voteResponse(state, true)).toMatchObject({ fresh: false, confirmed: true })
  })

  test('stays confirmed under later terms', () => {
    const state = opened({ term: 3, history: next, end: 210, flushed: 210, confirmed: true })
    adopt(state, election(4, history([1, 0], [3, 200], [4, 400]), 210), { begin: 0, end: 210, chain: 1 })
    expect(state.confirmed).toBe(true)
  })
})

test('a log that was opened is flushed as far as it goes', () => {
  expect(opened()).toMatchObject({ flushed: 150, archived: 0, dutyTerm: 0 })
})
