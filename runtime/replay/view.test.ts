import { expect, test } from 'vitest'
import { openBytes, recordedRun } from './testing.ts'
import { View } from './view.ts'

const bytes = await recordedRun()
const [COLUMNS, ROWS] = [120, 12]

function opened() {
  const cursor = openBytes(bytes)
  const view = new View(cursor)
  const type = (text: string) => {
    for (const char of text) view.press(char, char)
  }
  const enter = (key: string, text: string) => {
    type(key + text)
    view.press('return', '\r')
  }
  return { cursor, view, type, enter, page: () => view.render(COLUMNS, ROWS) }
}
const INVERSE = '\u001b[7m'
const PLAIN = '\u001b[0m'

test('fills the page exactly, with the event here marked', () => {
  const { page, type } = opened()
  type('nnnnn')
  const lines = page().split('\n')
  expect(lines).toHaveLength(ROWS)
  expect(lines.filter((line) => line.startsWith(INVERSE))).toEqual([expect.stringContaining(' 6  12:00:00.020')])
  expect(lines.at(-2)).toBe('6 of 19')
  for (const line of lines) expect(line.replace(INVERSE, '').replace(PLAIN, '').length).toBeLessThanOrEqual(COLUMNS)
})

test('moves by keys and arrows, and says when there is none further on', () => {
  const { cursor, view, type, page } = opened()
  view.press('down', '')
  view.press('down', '')
  type('p')
  expect(cursor.event.sequence).toBe(2)
  type('pp')
  expect(page()).toContain('There is none further on.')
  view.press('end', '')
  expect(cursor.event.sequence).toBe(19)
})

test('steps within an event and shows what each step changed', () => {
  const { type, enter, page } = opened()
  enter('g', '6')
  type('PP')
  expect(page()).toContain('[0: before]')
  type('NN')
  type('d')
  expect(page()).toContain('state: creating → active')
})

test('searches, goes, watches, filters', () => {
  const { cursor, type, enter } = opened()
  enter('/', 'timeline.main.term > 1')
  expect(cursor.event.sequence).toBe(16)
  enter('?', 'type = Wake')
  expect(cursor.event.sequence).toBe(9)
  enter('v', 'timeline.main.term')
  expect(cursor.event.sequence).toBe(11)
  enter('f', 'actor = client-1')
  type('n')
  expect(cursor.event.sequence).toBe(19)
  enter('f', '')
  type('p')
  expect(cursor.event.sequence).toBe(18)
})

test('a mistake in an input is said and costs nothing', () => {
  const { cursor, view, enter, type, page } = opened()
  enter('/', 'type ==')
  expect(page()).toContain('column 8: something is missing at the end')
  type('gx')
  view.press('backspace', '')
  type('7')
  view.press('return', '\r')
  expect(cursor.event.sequence).toBe(7)
  type('g12')
  view.press('escape', '')
  expect(cursor.event.sequence).toBe(7)
})

test('shows states, causes and effects, and quits', () => {
  const { view, enter, type, page } = opened()
  enter('g', '16')
  enter('s', '')
  expect(page()).toMatch(/timeline\.main@zone-1\n.*state: active/)
  type('qw')
  expect(page()).toMatch(/Why: 2 events\n.*14 .*\n.*16 /)
  type('q')
  enter('g', '14')
  type('e')
  expect(page()).toMatch(/Effects: 2 events\n.*15 .*\n.*16 /)
  type('qq')
  expect(view.isDone).toBe(true)
})
