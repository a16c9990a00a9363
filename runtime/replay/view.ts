/**
 * The terminal view of a run log, without the terminal: keys go in, a page of lines comes out. Everything it knows it asks the
 * cursor; here is only what is on the screen. So it can be tested as text, and be replaced by another view.
 */
import { isLochError } from '../errors.ts'
import { missingCause } from './causes.ts'
import { differences } from './changes.ts'
import type { Cursor, Direction } from './cursor.ts'
import type { FilterOptions } from './filter.ts'
import { type Lines, Panel } from './panel.ts'
import { differenceLine, rowHeading, rowOf, stateLines, UNCERTAIN, widthsFor } from './rows.ts'
import { textDiagram } from './sequence-diagram.ts'
import { filled, packed, wrapped } from './text-lines.ts'

interface Prompt {
  readonly label: string
  readonly use: (text: string) => void
  text: string
}

export const KEYS = [
  'n/p step',
  'N/P within',
  '/ search',
  '? back',
  'v/V watch on/back',
  'g goto',
  'f filter',
  's state',
  'd diff',
  'w why',
  'e effects',
  'x query',
  'S diagram',
  'm mark',
  'D since',
  'q quit',
]
export const PANEL_KEYS = ['arrows, page up/down, home, end: scroll', 'space, return, q: back to the events']
const INVERSE = '\u001b[7m'
const PLAIN = '\u001b[0m'
/** In a panel: what an event led to may be the whole log. */
const PLACES_SHOWN_MAX = 200
const DIAGRAM_EVENTS_MAX = 50

export class View {
  readonly #cursor: Cursor
  #prompt: Prompt | undefined
  /** Shown instead of the events until a key is pressed. */
  #panel: Panel | undefined
  /** A place to be compared with. */
  #mark: number | undefined
  #message = ''
  /** Filters that the view was opened with. */
  readonly #given: FilterOptions
  /** Events that were shown last. */
  #body = 1
  isDone = false
  readonly #commands: ReadonlyMap<string, () => void>

  constructor(cursor: Cursor) {
    this.#cursor = cursor
    this.#given = cursor.filter
    this.#commands = this.#commandsOf(cursor)
    this.#message = cursor.log.problem?.problem ?? ''
  }

  #commandsOf(cursor: Cursor): ReadonlyMap<string, () => void> {
    const step = (direction: Direction) => () => this.#moved(cursor.step(direction))
    const search = (direction: Direction) => (typed: string) => this.#moved(cursor.until(typed, direction, 'search'))
    const watch = (direction: Direction) => (typed: string) => this.#moved(cursor.watch(typed, direction, 'watch'))
    const leaf = (direction: Direction) => () => this.#leaf(direction)
    const filter = (typed: string) => cursor.show(typed === '' ? {} : { ...this.#given, where: typed })
    const state = (typed: string) => this.#showState(typed || cursor.event.source)
    const effects = () => cursor.effectsOf(cursor.place, PLACES_SHOWN_MAX + 1).map(({ place }) => place)
    return new Map([
      ['n', step(1)],
      ['down', step(1)],
      ['p', step(-1)],
      ['up', step(-1)],
      ['N', () => this.#moved(cursor.stepWithin(1))],
      ['P', () => this.#moved(cursor.stepWithin(-1))],
      ['pagedown', leaf(1)],
      ['pageup', leaf(-1)],
      ['home', () => cursor.seek('first')],
      ['end', () => cursor.seek('last')],
      ['/', () => this.#ask('until', search(1))],
      ['?', () => this.#ask('back until', search(-1))],
      ['v', () => this.#ask('to the next change of', watch(1))],
      ['V', () => this.#ask('back to the last change of', watch(-1))],
      ['g', () => this.#ask('go to sequence, time or id', (typed) => cursor.seek(typed))],
      ['f', () => this.#ask('show only where (empty: all)', filter)],
      ['s', () => this.#ask('state of (empty: this actor)', state)],
      ['d', () => this.#showChanges()],
      ['w', () => this.#showWhy()],
      ['e', () => this.#showPlaces('Effects', effects())],
      ['x', () => this.#ask('events with a past or future', (typed) => this.#showMatches(typed))],
      ['S', () => this.#showDiagram()],
      ['m', () => this.#setMark()],
      ['D', () => this.#showSinceMark()],
      [
        'q',
        () => {
          this.isDone = true
        },
      ],
    ])
  }

  /** `name` is what the key is called (`return`, `up`), `text` what it types. */
  press(name: string, text: string): void {
    if (this.#prompt) {
      this.#type(this.#prompt, name, text)
      return
    }
    this.#message = ''
    if (this.#panel) {
      if (this.#panel.scroll(name)) return
      this.#panel = undefined
      if (name === 'escape' || name === 'return' || text === ' ' || text === 'q') return
    }
    const command = this.#commands.get(text) ?? this.#commands.get(name)
    if (command) this.#try(command)
  }

  render(columns: number, rows: number): string {
    const frame = [...this.#status(columns), ...packed(this.#panel && !this.#prompt ? PANEL_KEYS : KEYS, columns)]
    const body = Math.max(1, rows - 1 - frame.length)
    this.#body = body
    const lines = [...(this.#panel?.render(columns, body) ?? this.#events(body, columns))]
    while (lines.length < body) lines.push('')
    return [rowHeading(widthsFor(columns)), ...lines, ...frame].map((line) => cut(line, columns)).join('\n')
  }

  /** Whole, on as many lines as it takes: of an error the end says what to do. */
  #status(columns: number): readonly string[] {
    if (this.#prompt) return filled(`${this.#prompt.label}: ${this.#prompt.text}`, columns)
    const { log, place } = this.#cursor
    return wrapped(this.#message || `${place + 1} of ${log.length}${this.#withinMark()}`, columns)
  }

  /** The event here in the middle, with what is shown before and after it. */
  *#events(body: number, columns: number): Generator<string> {
    const { log, place } = this.#cursor
    const widths = widthsFor(columns)
    const before = this.#shownFrom(-1, Math.floor(body / 2)).reverse()
    for (const one of before) yield rowOf(log, one, widths)
    yield `${INVERSE}${rowOf(log, place, widths)}${PLAIN}`
    for (const one of this.#shownFrom(1, body - before.length - 1)) yield rowOf(log, one, widths)
  }

  #shownFrom(direction: Direction, count: number): number[] {
    if (count <= 0) return []
    const found: number[] = []
    for (const place of this.#cursor.shown(direction)) {
      if (place !== this.#cursor.place) found.push(place)
      if (found.length >= count) break
    }
    return found
  }

  /** As many events as are shown. */
  #leaf(direction: Direction): void {
    const last = this.#shownFrom(direction, this.#body).at(-1)
    this.#moved(last !== undefined)
    if (last !== undefined) this.#cursor.seek(last)
  }

  #withinMark(): string {
    const { microstep } = this.#cursor
    return microstep === undefined ? '' : `  [${microstep}: ${this.#cursor.microsteps()[microstep]?.type ?? ''}]`
  }

  #moved(isMoved: boolean): void {
    if (!isMoved) this.#message = 'There is none further on.'
  }

  #showState(actor: string): void {
    const known = this.#cursor.stateAt(actor)
    if (known === undefined) this.#show([`${actor} has no state here.`])
    else this.#show([`${known.source}${known.isCertain ? '' : UNCERTAIN}`, ...stateLines(known.snapshot)])
  }

  /** What this event, or the microstep, changed. */
  #showChanges(): void {
    const { place, microstep, states } = this.#cursor
    const steps = microstep === undefined ? [] : this.#cursor.microsteps()
    const { before, after } = states.around(place)
    const found =
      microstep === undefined
        ? differences(before?.snapshot, after?.snapshot)
        : differences(steps[Math.max(0, microstep - 1)]?.snapshot, steps[microstep]?.snapshot)
    this.#show(found.length === 0 ? ['Nothing changed.'] : found.map(differenceLine))
  }

  #setMark(): void {
    this.#mark = this.#cursor.place
    this.#message = `Event ${this.#cursor.event.sequence} is marked; D shows what differs from there.`
  }

  /** What differs in all states between the mark and here, whichever comes first. */
  #showSinceMark(): void {
    const { log, place } = this.#cursor
    if (this.#mark === undefined) {
      this.#message = 'No event is marked; m marks the one here.'
      return
    }
    const found = this.#cursor.diff(this.#mark, place)
    const title = `From event ${log.event(this.#mark).sequence} to ${log.event(place).sequence}:`
    this.#show([title, ...(found.length === 0 ? ['No state of any actor differs.'] : found.map(differenceLine))])
  }

  #showMatches(query: string): void {
    const { log } = this.#cursor
    const others = new Map([...this.#cursor.query(query, 'query')].map(({ place, other }) => [place, other]))
    // What is followed by something is found from the end on.
    const places = [...others.keys()].sort((left, right) => left - right)
    this.#showPlaces('Found', places, (place) => {
      const other = others.get(place)
      return other === undefined ? '' : `(${log.event(other).sequence}) `
    })
  }

  #showWhy(): void {
    const { places, missing } = this.#cursor.why()
    this.#showPlaces('Why', places, () => '', missing === undefined ? [] : [missingCause(missing)])
  }

  #showDiagram(): void {
    const { log, place } = this.#cursor
    const places = [place, ...this.#shownFrom(1, DIAGRAM_EVENTS_MAX - 1)]
    this.#show(textDiagram(log, places).split('\n'))
  }

  #show(lines: readonly string[]): void {
    this.#panel = new Panel(() => lines)
  }

  /** `before` is put before the line of a place. */
  #showPlaces(
    title: string,
    places: readonly number[],
    before: (place: number) => string = () => '',
    remarks: readonly string[] = [],
  ): void {
    const shown = places.slice(0, PLACES_SHOWN_MAX)
    const first = shown.length < places.length ? 'the first ' : ''
    const count = `${title}: ${first}${shown.length} ${shown.length === 1 ? 'event' : 'events'}`
    const lines: Lines = (columns) =>
      shown.map((place) => `${before(place)}${rowOf(this.#cursor.log, place, widthsFor(columns))}`)
    this.#panel = new Panel((columns) => [count, ...remarks, ...lines(columns)])
  }

  #ask(label: string, use: (text: string) => void): void {
    this.#prompt = { label, use, text: '' }
  }

  #type(prompt: Prompt, name: string, text: string): void {
    if (name === 'return') {
      this.#prompt = undefined
      this.#try(() => prompt.use(prompt.text))
    } else if (name === 'escape') this.#prompt = undefined
    else if (name === 'backspace') prompt.text = prompt.text.slice(0, -1)
    else if (text >= ' ') prompt.text += text
  }

  /** What cannot be understood is said, and the view goes on. */
  #try(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!isLochError(error)) throw error
      this.#message = `${error.problem} (${error.value}). ${error.remedy}`
    }
  }
}

/** Colours take no room. */
function cut(line: string, columns: number): string {
  if (!line.startsWith(INVERSE)) return line.slice(0, columns)
  return `${INVERSE}${line.slice(INVERSE.length, -PLAIN.length).slice(0, columns)}${PLAIN}`
}
