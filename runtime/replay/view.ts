/**
 * The terminal view of a run log, without the terminal: keys go in, a page of lines comes out. Everything it knows it asks the
 * cursor; here is only what is on the screen. So it can be tested as text, and be replaced by another view.
 */
import { isLochError } from '../errors.ts'
import { differences } from './changes.ts'
import type { Cursor, Direction } from './cursor.ts'
import { differenceLine, rowHeading, rowOf, stateLines } from './rows.ts'

interface Prompt {
  readonly label: string
  readonly use: (text: string) => void
  text: string
}

const HELP =
  'n/p step  N/P within  / search  ? back  g goto  f filter  v watch  s state  d diff  w why  e effects  q quit'
/** Lines that are not events: heading, message, keys. */
const FRAME_LINES = 3
const INVERSE = '\u001b[7m'
const PLAIN = '\u001b[0m'
const EFFECTS_SHOWN_MAX = 200

export class View {
  readonly #cursor: Cursor
  #prompt: Prompt | undefined
  /** Shown instead of the events until a key is pressed. */
  #panel: readonly string[] | undefined
  #message = ''
  isDone = false
  readonly #commands: ReadonlyMap<string, () => void>

  constructor(cursor: Cursor) {
    this.#cursor = cursor
    this.#commands = this.#commandsOf(cursor)
    this.#message = cursor.log.problem?.problem ?? ''
  }

  #commandsOf(cursor: Cursor): ReadonlyMap<string, () => void> {
    const step = (direction: Direction) => () => this.#moved(cursor.step(direction))
    const search = (direction: Direction) => (typed: string) => this.#moved(cursor.until(typed, direction, 'search'))
    const watch = (typed: string) => this.#moved(cursor.watch(typed, 1, 'watch'))
    const filter = (typed: string) => cursor.show(typed === '' ? {} : { where: typed })
    const state = (typed: string) => this.#showState(typed || cursor.event.source)
    const effects = () => cursor.effectsOf(cursor.place, EFFECTS_SHOWN_MAX).map(({ place }) => place)
    return new Map([
      ['n', step(1)],
      ['down', step(1)],
      ['p', step(-1)],
      ['up', step(-1)],
      ['N', () => this.#moved(cursor.stepWithin(1))],
      ['P', () => this.#moved(cursor.stepWithin(-1))],
      ['home', () => cursor.seek('first')],
      ['end', () => cursor.seek('last')],
      ['/', () => this.#ask('until', search(1))],
      ['?', () => this.#ask('back until', search(-1))],
      ['v', () => this.#ask('to the next change of', watch)],
      ['g', () => this.#ask('go to sequence, time or id', (typed) => cursor.seek(typed))],
      ['f', () => this.#ask('show only where (empty: all)', filter)],
      ['s', () => this.#ask('state of (empty: this actor)', state)],
      ['d', () => this.#showChanges()],
      ['w', () => this.#showPlaces('Why', cursor.why().places)],
      ['e', () => this.#showPlaces('Effects', effects())],
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
      this.#panel = undefined
      if (name === 'escape' || name === 'return' || text === ' ' || text === 'q') return
    }
    const command = this.#commands.get(text) ?? this.#commands.get(name)
    if (command) this.#try(command)
  }

  render(columns: number, rows: number): string {
    const body = Math.max(1, rows - FRAME_LINES)
    const lines = this.#panel?.slice(0, body) ?? [...this.#events(body)]
    while (lines.length < body) lines.push('')
    const { log, place } = this.#cursor
    const status = this.#prompt
      ? `${this.#prompt.label}: ${this.#prompt.text}`
      : this.#message || `${place + 1} of ${log.length}${this.#withinMark()}`
    return [rowHeading(), ...lines, status, HELP].map((line) => cut(line, columns)).join('\n')
  }

  /** The event here in the middle, with what is shown before and after it. */
  *#events(body: number): Generator<string> {
    const { log, place } = this.#cursor
    const before = this.#shownFrom(-1, Math.floor(body / 2)).reverse()
    for (const one of before) yield rowOf(log, one)
    yield `${INVERSE}${rowOf(log, place)}${PLAIN}`
    for (const one of this.#shownFrom(1, body - before.length - 1)) yield rowOf(log, one)
  }

  #shownFrom(direction: Direction, count: number): number[] {
    const found: number[] = []
    for (const place of this.#cursor.shown(direction)) {
      if (place !== this.#cursor.place) found.push(place)
      if (found.length >= count) break
    }
    return found.slice(0, count)
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
    this.#panel = known ? [known.source, ...stateLines(known.snapshot)] : [`${actor} has no state here.`]
  }

  /** What this event, or the microstep, changed. */
  #showChanges(): void {
    const { place, microstep, states } = this.#cursor
    const steps = microstep === undefined ? [] : this.#cursor.microsteps()
    const { before, after } = states.around(place)
    const found =
      microstep === undefined
        ? differences(before?.snapshot, after?.snapshot)
        : differences(steps[microstep - 1]?.snapshot, steps[microstep]?.snapshot)
    this.#panel = found.length === 0 ? ['Nothing changed.'] : found.map(differenceLine)
  }

  #showPlaces(title: string, places: readonly number[]): void {
    this.#panel = [
      `${title}: ${places.length} ${places.length === 1 ? 'event' : 'events'}`,
      ...places.map((place) => rowOf(this.#cursor.log, place)),
    ]
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
