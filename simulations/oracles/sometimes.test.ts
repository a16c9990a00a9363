import { expect, test } from 'vitest'
import { neverReached, PROBES, Sometimes } from './sometimes.ts'

const shows = (actor: string, state: string, problem = '') => ({
  actor,
  state,
  term: 1,
  sequence: 1,
  queued: 0,
  handling: undefined,
  running: [],
  timers: {},
  summary: { problem },
  remembered: undefined,
})

test('a probe is reached by a line, an actor or a call, and by nothing else', () => {
  const sometimes = new Sometimes()
  sometimes.reported('timeline main: all is well')
  sometimes.inspected(shows('compute.c', 'serving.active'))
  sometimes.inspected(shows('safekeeper.c', 'fenced'))
  sometimes.reach('a term changed', false)
  expect(sometimes.reached).toEqual([])
  sometimes.reported('archive stands at 3, majority at 5: duty to zone-2')
  sometimes.reported('archive stands at 4, majority at 5: duty to zone-1')
  sometimes.inspected(shows('compute.c', 'fenced', 'term 3 has been promised'))
  sometimes.reach('a term changed')
  expect(sometimes.reached).toEqual([
    'archive duty was moved',
    'a writer was fenced',
    'a term was outvoted while it was elected',
    'a term changed',
  ])
})

test('a batch says what none of its runs has reached', () => {
  expect(neverReached(new Set())).toEqual(PROBES)
  const [first, second, ...others] = PROBES
  expect(neverReached(new Set([second!, first!]))).toEqual(others)
  expect(new Set(PROBES).size).toBe(PROBES.length)
})
