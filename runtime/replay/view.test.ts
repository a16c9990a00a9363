import { expect, test } from 'vitest'
import { openBytes, recordedRun } from './testing.ts'
import { packed } from './text-lines.ts'
import { KEYS, PANEL_KEYS, View } from './view.ts'

const bytes = await recordedRun()
const [COLUMNS, ROWS] = [120, 12]
const LOW_ROWS = 8
const [HELP, PANEL_HELP] = [packed(KEYS, COLUMNS), packed(PANEL_KEYS, COLUMNS)]

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
  expect(lines.slice(-1 - HELP.length)).toEqual(['6 of 19', ...HELP])
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

test('names all of its keys in a window of any width, and gives the detail room in a wide one', () => {
  const { view, enter } = opened()
  for (const columns of [40, 80, 120, 200]) {
    const lines = view.render(columns, ROWS).split('\n')
    expect(lines).toHaveLength(ROWS)
    for (const key of KEYS) expect(lines.some((line) => line.split('  ').includes(key))).toBe(true)
  }
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
  const lines = () =>
    view
      .render(COLUMNS, LOW_ROWS)
      .split('\n')
      .slice(1, -1 - PANEL_HELP.length)
  const press = (...keys: readonly string[]) => keys.forEach((key) => void view.press(key, ''))
  const begin = lines()
  const more = Number(/^… (\d+) more$/.exec(begin.at(-1)!)![1])
  expect(begin).toHaveLength(LOW_ROWS - 2 - PANEL_HELP.length)
  expect(more).toBeGreaterThan(3)
  press('down', 'down')
  expect(lines().slice(0, -1)).toEqual([...begin.slice(2, -1), expect.anything(), expect.anything()])
  expect(lines().at(-1)).toBe(`… ${more - 2} more, 2 above`)
  press('up', 'up', 'up', 'pagedown')
  expect(lines().at(-1)).toBe(`… ${more - begin.length + 1} more, ${begin.length - 1} above`)
  press('end', 'down')
  expect(lines().at(-1)).toBe(`… ${more} above`)
  press('pageup', 'home')
  expect(lines()).toEqual(begin)
  press('right', 'right', 'left', 'left')
  expect(lines()).toEqual(begin)
  expect(page().split('\n').slice(-PANEL_HELP.length)).toEqual(PANEL_HELP)
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
  expect(page()).toMatch(/Found: 1 event\n\(17\) +18 /)
  enter('qx', 'type = StartTerm followed by type = Delete')
  expect(page()).toMatch(/Found: 2 events\n\(17\) +11 .*\n\(17\) +16 /)
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
  page()
  view.press('pageup', '')
  expect(cursor.event.sequence).toBe(16 - (ROWS - 2 - HELP.length))
})

test('an error is shown to its end, and so is what is typed, in a narrow window', () => {
  const { view, enter, type } = opened()
  const text = () => view.render(40, ROWS).split('\n').join(' ').replaceAll(/\s+/g, ' ')
  enter('/', 'tpye = Opened')
  expect(text()).toContain('column 1: there is no such field or actor in this log (tpye)')
  expect(text()).toContain('where the actors are: compute.main-zone-1, endpoint.main, timeline.main, zone.zone-1.')
  type('/payload.isLinearizable = true and the end')
  expect(view.render(40, ROWS).split('\n').join('')).toContain('until: payload.isLinearizable = true and the end')
})

test('the filters it was opened with stay when another is typed, and go when nothing is', () => {
  const cursor = openBytes(bytes)
  cursor.show({ actor: 'timeline.main' })
  const view = new View(cursor)
  const filter = (text: string) => {
    for (const char of `f${text}`) view.press(char, char)
    view.press('return', '\r')
    cursor.seek(0)
    return [...cursor.shown()].map((place) => cursor.log.event(place).source)
  }
  expect(new Set(filter('outcome = taken'))).toEqual(new Set(['timeline.main@zone-1', 'timeline.main']))
  expect(filter('')).toHaveLength(19)
})

test('nothing has changed at the moment before an event', () => {
  const { enter, type, page } = opened()
  enter('g', '6')
  type('PPd')
  expect(page()).toContain('Nothing changed.')
})

test('of a log with a gap, a doubtful state and a cause that is lost are called so', () => {
  const offset = openBytes(bytes).log.table.offset[13]!
  const damaged = Buffer.from(bytes)
  damaged[offset + 60] = damaged[offset + 60]! ^ 0x41
  const view = new View(openBytes(damaged))
  const press = (text: string) => {
    for (const char of text) view.press(char, char)
  }
  press('g16')
  view.press('return', '\r')
  press('s')
  view.press('return', '\r')
  expect(view.render(COLUMNS, ROWS)).toContain('timeline.main@zone-1 (not certain')
  press('qw')
  expect(view.render(COLUMNS, ROWS)).toMatch(/Why: 1 event\nIts first cause, \S+, is not in this log\./)
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
