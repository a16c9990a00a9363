import { expect, test } from 'vitest'
import { openBytes, recordedRun } from './testing.ts'
import { HELP, PANEL_HELP, View } from './view.ts'

const bytes = await recordedRun()
const [COLUMNS, ROWS] = [120, 12]
const LOW_ROWS = 8

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
  expect(lines.slice(-3)).toEqual(['6 of 19', ...HELP])
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

test('fits into 80 columns with all of its keys, and gives the detail room in more', () => {
  for (const line of [...HELP, ...PANEL_HELP]) expect(line.length).toBeLessThanOrEqual(80)
  const { view, enter } = opened()
  enter('g', '18')
  const rowAt = (columns: number) =>
    view
      .render(columns, ROWS)
      .split('\n')
      .find((line) => line.startsWith(INVERSE))!
      .replace(INVERSE, '')
      .replace(PLAIN, '')
  expect(rowAt(80)).toMatch(/ 18 .* timeline.* StartTerm .* 2 {5}refused: the $/)
  expect(rowAt(120)).toMatch(/refused: the timeline i$/)
  expect(rowAt(160)).toContain('refused: the timeline is being deleted')
})

test('what a panel has no room for is counted, and scrolled to', () => {
  const { view, enter, page } = opened()
  enter('g', '16')
  enter('s', '')
  const lines = () => view.render(COLUMNS, LOW_ROWS).split('\n').slice(1, -3)
  const press = (...keys: readonly string[]) => keys.forEach((key) => void view.press(key, ''))
  const begin = lines()
  const more = Number(/^… (\d+) more$/.exec(begin.at(-1)!)![1])
  expect(begin).toHaveLength(LOW_ROWS - 4)
  expect(more).toBeGreaterThan(3)
  press('down', 'down')
  expect(lines().slice(0, -1)).toEqual([...begin.slice(2, -1), expect.anything(), expect.anything()])
  expect(lines().at(-1)).toBe(`… ${more - 2} more, 2 above`)
  press('up', 'up', 'up', 'pagedown')
  expect(lines().at(-1)).toBe(`… ${more - 3} more, 3 above`)
  press('end', 'down')
  expect(lines().at(-1)).toBe(`… ${more} above`)
  press('pageup', 'home')
  expect(lines()).toEqual(begin)
  press('right', 'right', 'left', 'left')
  expect(lines()).toEqual(begin)
  expect(page().split('\n').slice(-2)).toEqual(PANEL_HELP)
  view.press('space', ' ')
  expect(page()).toContain('16 of 19')
})

test('marks an event, and shows what differs from there', () => {
  const { view, enter, type, page } = opened()
  type('D')
  expect(page()).toContain('No event is marked')
  enter('g', '10')
  type('m')
  expect(page()).toContain('Event 10 is marked')
  type('D')
  expect(page()).toContain('No state of any actor differs.')
  enter('qg', '16')
  type('D')
  expect(page()).toContain('From event 10 to 16:')
  view.press('end', '')
  expect(page()).toContain('timeline.main.context.remembered.term: 0 → 2')
})

test('asks queries, draws who made whom do what, and watches back', () => {
  const { cursor, view, enter, type, page } = opened()
  enter('x', 'type = StartTerm preceded by type = Delete')
  expect(page()).toMatch(/Found: 1 event\n +18 /)
  enter('qx', 'type = StartTerm followed by type = Delete')
  expect(page()).toMatch(/Found: 2 events\n +11 .*\n +16 /)
  enter('qx', 'type =')
  expect(page()).toContain('something is missing at the end')
  enter('g', '14')
  type('S')
  expect(page()).toMatch(/compute\.main-zone-1.*\n.*zone-1/)
  const left = page()
  view.press('right', '')
  expect(page()).not.toBe(left)
  type('q')
  view.press('end', '')
  enter('V', 'timeline.main.term')
  expect(cursor.event.sequence).toBe(16)
  view.press('pageup', '')
  expect(cursor.event.sequence).toBe(16 - (ROWS - 4))
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
