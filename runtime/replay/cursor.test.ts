import { expect, test, vi } from 'vitest'
import { isLochError, type LochError } from '../errors.ts'
import type { Cursor } from './cursor.ts'
import { rowHeading, rowOf } from './rows.ts'
import { mermaidDiagram, textDiagram } from './sequence-diagram.ts'
import { openBytes, recordedRun } from './testing.ts'

const bytes = await recordedRun()
const opened = () => openBytes(bytes)
const at = (cursor: Cursor) => cursor.event.sequence
const sequences = (cursor: Cursor, places: Iterable<number>) =>
  [...places].map((place) => cursor.log.event(place).sequence)
const refusal = (work: () => unknown): LochError => {
  try {
    work()
  } catch (error) {
    if (isLochError(error)) return error
    throw error
  }
  throw new Error('it was not refused')
}

test('equal runs have equal bytes', async () => {
  expect((await recordedRun()).equals(bytes)).toBe(true)
})

test('user data never gets into a log', () => {
  expect(bytes.includes('secret user data')).toBe(false)
})

test('goes to a sequence, a time, an offset, an event id, and the ends', () => {
  const cursor = opened()
  cursor.seek('11')
  expect(at(cursor)).toBe(11)
  const { id } = cursor.event
  const [fact] = cursor.event.facts
  for (const to of [id, fact!.id]) {
    cursor.seek('first')
    cursor.seek(to)
    expect(at(cursor)).toBe(11)
  }
  for (const to of ['12:00:00.055', '2026-01-31T12:00:00.055Z', '2026-01-31 12:00:00.055', '+55ms']) {
    cursor.seek('first')
    cursor.seek(to)
    expect(at(cursor), to).toBe(11)
  }
  cursor.seek('last')
  expect(at(cursor)).toBe(19)
  expect(refusal(() => cursor.seek('20'))).toMatchObject({ remedy: 'The log holds the events 1 to 19.' })
  expect(refusal(() => cursor.seek('nowhere')).value).toBe('nowhere')
})

test('steps forth and back, and stops at the ends', () => {
  const cursor = opened()
  expect(cursor.step(-1)).toBe(false)
  expect(cursor.step(1) && cursor.step(1)).toBe(true)
  expect(at(cursor)).toBe(3)
  expect(cursor.step(-1)).toBe(true)
  expect(at(cursor)).toBe(2)
  cursor.seek('last')
  expect(cursor.step(1)).toBe(false)
})

test('steps within an event: before it, the decision, each fact', () => {
  const cursor = opened()
  cursor.seek('6')
  expect(cursor.microsteps().map(({ type, snapshot }) => [type, snapshot.state])).toEqual([
    ['before', 'creating'],
    ['Create', 'creating'],
    ['TimelineCreated', 'active'],
  ])
  expect(cursor.stateAt('timeline.main')?.snapshot.state).toBe('active')
  expect(cursor.stepWithin(-1)).toBe(true)
  expect(cursor.microstep).toBe(1)
  expect(cursor.stateAt('timeline.main')?.snapshot.state).toBe('creating')
  expect(cursor.stepWithin(1)).toBe(true)
  expect(cursor.stateAt('timeline.main')?.snapshot.state).toBe('active')
  expect(cursor.stepWithin(1)).toBe(true)
  expect([at(cursor), cursor.microstep]).toEqual([7, 0])
})

test('tells the state of any actor at any event', () => {
  const cursor = opened()
  const term = (sequence: string) => {
    cursor.seek(sequence)
    return cursor.value('timeline.main.term', '--print')(cursor.place)
  }
  expect(['5', '10', '11', '15', '16', '19'].map(term)).toEqual([0, 0, 1, 1, 2, 2])
  expect(['19', '11', '2'].map(term)).toEqual([2, 1, 0])
  cursor.seek('last')
  expect(cursor.stateAt('compute.main-zone-1')).toMatchObject({ isCertain: true, snapshot: { state: 'electing' } })
  expect(cursor.stateAt('timeline.main@zone-1')?.snapshot.state).toBe('deleting')
  expect(cursor.stateAt('timeline.other')).toBeUndefined()
})

test('shows what differs between two moments', () => {
  const cursor = opened()
  const found = cursor.diff(9, 15, 'timeline.main')
  expect(found).toContainEqual({ path: 'timeline.main.context.remembered.term', before: 0, after: 2 })
  expect(found.every(({ path }) => path.startsWith('timeline.main.context.remembered.'))).toBe(true)
  expect(cursor.diff(9, 15).map(({ path }) => path)).toContain('compute.main-zone-1.state')
  expect(cursor.diff(9, 9)).toEqual([])
})

test('runs forth or back until a predicate holds', () => {
  const cursor = opened()
  expect(cursor.until('timeline.main.term > 1', 1)).toBe(true)
  expect(at(cursor)).toBe(16)
  expect(cursor.until('timeline.main.term = 0', -1)).toBe(true)
  expect(at(cursor)).toBe(10)
  expect(cursor.until('type = Nothing', 1)).toBe(false)
  expect(at(cursor)).toBe(10)
})

test('watches a field, forth and back', () => {
  const cursor = opened()
  const changes = []
  while (cursor.watch('timeline.main.term', 1)) changes.push(at(cursor))
  // That it is there at all is new at 2.
  expect(changes).toEqual([2, 11, 16])
  expect(cursor.watch('timeline.main.state', -1)).toBe(true)
  expect(at(cursor)).toBe(6)
})

test('a note says what no state holds', () => {
  const value = opened().value('timeline.main.durablePosition', '--print')
  expect([8, 9, 18].map(value)).toEqual([undefined, 4096, 4096])
})

test('the notes of a field are looked for once', () => {
  const cursor = opened()
  const value = cursor.value('timeline.main.nobodyNotesThis', '--print')
  value(18)
  const decoded = vi.spyOn(cursor.log, 'event')
  for (const place of [0, 5, 9, 18]) expect(value(place)).toBeUndefined()
  // The state's own events, kept since the first look, and no note.
  expect(decoded.mock.calls.filter(([place]) => place === 9)).toEqual([])
})

test('filters hide and never drop', () => {
  const cursor = opened()
  const shown = (options: Parameters<Cursor['show']>[0]) => {
    cursor.show(options)
    return sequences(cursor, cursor.shown())
  }
  expect(shown({ actor: 'compute' })).toEqual([4, 14])
  expect(shown({ actor: 'zone.zone-1,client-1' })).toEqual([1, 5, 19])
  expect(shown({ type: 'StartTerm', term: 2 })).toEqual([16, 18])
  expect(shown({ from: '+65ms', to: '+75ms' })).toEqual([14, 15, 16])
  expect(shown({ grep: 'partit.on|Delete' })).toEqual([12, 17])
  // All that the line says, uncut.
  expect(shown({ grep: 'creating → active|TermBegan|refused: ' })).toEqual([6, 18])
  expect(shown({ grep: '^11 12:00:00.060' })).toEqual([11])
  expect(shown({ where: 'outcome = refused' })).toEqual([18])
  const correlation = cursor.log.event(13).correlationId
  expect(shown({ correlation })).toEqual([14, 15, 16])
  cursor.show({ actor: 'client-1' })
  expect(cursor.step(1)).toBe(true)
  expect(at(cursor)).toBe(19)
  // What is hidden still counts.
  expect(cursor.value('timeline.main.term', '--print')(cursor.place)).toBe(2)
  expect(sequences(cursor, cursor.why(15).places)).toEqual([14, 16])
})

test('why and effects lead across actors', () => {
  const cursor = opened()
  cursor.seek('16')
  expect(sequences(cursor, cursor.why().places)).toEqual([14, 16])
  expect(cursor.why().missing).toBeUndefined()
  const effects = cursor.effectsOf(13).map(({ place, depth }) => [cursor.log.event(place).sequence, depth])
  expect(effects).toEqual([
    [15, 1],
    [16, 1],
  ])
})

test('answers temporal queries', () => {
  const cursor = opened()
  const ask = (text: string) => [...cursor.query(text)].map(({ place }) => cursor.log.event(place).sequence)
  expect(ask('type = StartTerm preceded by type = Delete')).toEqual([18])
  expect(ask('type = StartTerm not preceded by type = Delete')).toEqual([11, 16])
  expect(ask('kind = took not preceded by kind = began of the same actor')).toEqual([])
  expect(ask('type = Start followed by type = StartTerm within 1ms')).toEqual([14])
  expect(ask('type = Start followed by type = Delete within 1ms')).toEqual([])
  expect(ask('type = Start followed by type = ComputeReport of the same actor')).toEqual([])
})

test('draws who made whom do what', () => {
  const { log } = opened()
  const mermaid = mermaidDiagram(log, [12, 13, 14, 15])
  expect(mermaid).toContain('sequenceDiagram\n  participant p0 as compute.main-zone-1@zone-1')
  expect(mermaid).toMatch(/p0->>p2: 16 StartTerm \(active\)/)
  const text = textDiagram(log, [13, 15]).split('\n')
  expect(text).toHaveLength(4)
  expect(text[3]).toMatch(/├─+▶\s+16 StartTerm/)
})

test('a line has fixed columns', () => {
  const { log } = opened()
  const [first, sixth] = [rowHeading(), rowOf(log, 5)]
  for (const [heading, cell] of [
    ['TIME', '12:00:00.020'],
    ['ACTOR', 'timeline.main@zone-1'],
    ['TYPE', 'Create'],
    ['STATE', 'creating → active'],
    ['DETAIL', 'TimelineCreated'],
  ] as const) {
    expect(sixth.indexOf(cell), cell).toBe(first.indexOf(heading))
  }
  expect(rowOf(log, 17)).toContain('refused: the timeline is being deleted')
})

test('a filter is asked of each event once, however often the events are shown', () => {
  const own = openBytes(bytes)
  const asked = vi.spyOn(own.states, 'around')
  own.show({ where: 'before.state != after.state' })
  const first = [...own.shown()]
  const once = asked.mock.calls.length
  expect(once).toBeGreaterThan(0)
  expect([...own.shown()]).toEqual(first)
  expect(asked.mock.calls.length).toBe(once)
  // Another filter is asked anew.
  own.show({ where: 'before.state = after.state' })
  expect([...own.shown()]).toHaveLength(own.log.length - first.length)
})
