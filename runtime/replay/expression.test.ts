import { expect, test } from 'vitest'
import { BadArgument } from '../errors.ts'
import { openBytes, recordedRun } from './testing.ts'

const cursor = openBytes(await recordedRun())
const holdsAt = (text: string, sequence: number) => Boolean(cursor.value(text, '--until')(sequence - 1))
const complaint = (text: string): string => {
  try {
    cursor.value(text, '--until')
  } catch (error) {
    if (error instanceof BadArgument) return `${error.component}: ${error.problem}. ${error.remedy}`
    throw error
  }
  return 'accepted'
}

test.each([
  ['type = Create', 6, true],
  ["type == 'Create' and actor = timeline.main", 6, true],
  ['type = Create and actor = timeline.main', 7, false],
  ['type = Wake or type = Create && not term > 0', 6, true],
  ['(type = Wake or type = Create) and actor = timeline.main', 9, false],
  ['!(outcome = taken)', 18, true],
  ['outcome != taken', 17, false],
  ['type ~ /^start/i', 11, true],
  ['type ~ /^start/', 11, false],
  ['reason ~ "being deleted"', 18, true],
  ['payload.launch = 1', 14, true],
  ['payload.nothing = 1', 14, false],
  ['payload.nothing = null', 14, true],
  ['payload.isLinearizable', 19, true],
  ['payload.isLinearizable = true', 19, true],
  ['term >= 1 and term <= 1', 11, true],
  ['term < 1', 11, false],
  ['before.state = creating and after.state = active', 6, true],
  ['timeline.main.remembered.term = 1', 12, true],
  ['timeline.main = active', 6, true],
  ['timeline.main@zone-1.term = 2', 19, true],
  ['changed timeline.main.term', 16, true],
  ['changed timeline.main.term', 17, false],
  ["at > '2026-01-31T12:00:00.085Z'", 18, true],
  ["at > '2026-01-31T12:00:00.085Z'", 17, false],
  ["at > '12:00:00.085'", 18, true],
  ["at > '12:00:00.085'", 17, false],
  ["at > '+85ms'", 18, true],
  ["at > 'soon'", 18, false],
  ['term = "1"', 11, true],
  ["payload.launch = '1'", 14, true],
  ["payload.launch = ''", 14, false],
  ['before.state != after.state', 6, true],
  ['before.state != after.state', 18, false],
  ['timeline.main.term = after.term', 11, true],
  ['timeline.main.term != after.term', 11, false],
  ['source = timeline.main@zone-1', 11, true],
  ['facts ~ TermStarted', 11, true],
  ['sequence = -1', 1, false],
] as const)('%s at %i: %s', (text, sequence, expected) => {
  expect(holdsAt(text, sequence)).toBe(expected)
})

test.each([
  ['', 'column 1: something is missing at the end'],
  ['type =', 'column 7: something is missing at the end'],
  ['type = Create and', 'column 18: something is missing'],
  ['(type = Create', 'column 15: a closing ) is missing'],
  ['type = Create)', 'column 14: nothing more was expected here'],
  ['type = "Create', 'column 8: this " is never closed'],
  ['type ~ /a(/', 'column 8: not a regular expression'],
  ['type ~', 'column 7: a pattern was expected'],
  ['type = Create # x', 'column 15: "#" means nothing here'],
  ['= 3', 'column 1: the name of a field was expected'],
  ['changed 3', 'column 9: the name of a field was expected'],
  ['term > 0 and timeline.mian.term > 1', 'column 14: there is no such field or actor'],
  ['__proto__ = 1', 'column 1: there is no such field or actor'],
])('%s is refused', (text, problem) => {
  expect(complaint(text)).toContain(`--until: ${problem}`)
})

test.each([
  ['(', 1_001],
  ['not ', 4_001],
  ['type = A and ', 3_251],
])('twenty thousand times %j is refused in few words, and costs no stack', (part, column) => {
  expect(complaint(part.repeat(20_000))).toContain(`--until: column ${column}: this is too long`)
  expect(() => cursor.value(part.repeat(20_000), '--until')).toThrow(
    expect.objectContaining({ value: expect.stringMatching(/^.{1,200}…$/) }),
  )
})

test('the remedy names what there is', () => {
  expect(complaint('timeline.mian.term > 1')).toContain('actors are: compute.main-zone-1, endpoint.main, timeline.main')
})

test.each([
  ['type = A', 'column 9: "preceded by" or "followed by" was expected'],
  ['type = A preceded type = B', 'column 19: "by" was expected'],
  ['type = A preceded by type = B within x', 'column 38: a duration was expected'],
  ['type = A preceded by type = B of the same colour', 'column 43: this cannot be the same'],
  ['type = A preceded by type = B or', 'column 33: something is missing'],
])('query %s is refused', (text, problem) => {
  expect(() => [...cursor.query(text)]).toThrow(expect.objectContaining({ problem: expect.stringContaining(problem) }))
})
