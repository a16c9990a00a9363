/**
 * The one way to move through a run log, used by the command line, the terminal view and tests alike: a place among the
 * events, a step within the event, and a filter on what is shown. Moving changes nothing but the place; the log is read-only.
 *
 * An event has microsteps: 0 is the moment before it, 1 the decision about the message, and one more for each fact that the
 * decision recorded. The last microstep is the moment after the event.
 */
import type { RunEvent, RunSnapshot } from '../../events/run-log.ts'
import { type Chain, type Effect, effectsOf, why } from './causes.ts'
import { type Difference, differences } from './changes.ts'
import { definitionOf } from './definitions.ts'
import { changed, compile, EventFields, type Value } from './event-fields.ts'
import { parseExpression } from './expression.ts'
import { type Filter, type FilterOptions, filterOf } from './filter.ts'
import type { RunLog } from './open-log.ts'
import { parsePlace } from './places.ts'
import { type Match, parseQuery, runQuery } from './query.ts'
import { redecide } from './re-execute.ts'
import { type KnownState, States } from './states.ts'

export type Direction = 1 | -1

/** Verdicts of a filter. */
const [UNKNOWN, SHOWN, HIDDEN] = [0, 1, 2]

export interface Microstep {
  /** Of the message or fact; `before` for the first. */
  readonly type: string
  readonly snapshot: RunSnapshot
  readonly effects: readonly unknown[]
}

export class Cursor {
  readonly log: RunLog
  readonly states: States
  readonly fields: EventFields
  #place = 0
  #microstep: number | undefined
  #filter: Filter = () => true
  /** What the filter has said of each place; a look at the log, which it may take, is not taken twice. */
  #verdicts: Uint8Array | undefined
  #shown: FilterOptions = {}

  constructor(log: RunLog) {
    this.log = log
    this.states = new States(log)
    this.fields = new EventFields(log, this.states)
  }

  get place(): number {
    return this.#place
  }

  get event(): RunEvent {
    return this.log.event(this.#place)
  }

  /** Undefined at the end of the event, where a cursor stands unless it steps within. */
  get microstep(): number | undefined {
    return this.#microstep
  }

  /** Hides what does not fit; the cursor stays where it is. @throws BadArgument */
  show(options: FilterOptions): void {
    this.#filter = filterOf(this.log, this.fields, options)
    this.#verdicts = undefined
    this.#shown = options
  }

  /** By what events are hidden now. */
  get filter(): FilterOptions {
    return this.#shown
  }

  isShown(place: number): boolean {
    this.#verdicts ??= new Uint8Array(this.log.length)
    const known = this.#verdicts[place]!
    if (known !== UNKNOWN) return known === SHOWN
    const isShown = this.#filter(place)
    this.#verdicts[place] = isShown ? SHOWN : HIDDEN
    return isShown
  }

  /** To a sequence, time, offset, event id, `first` or `last`, hidden or not. @throws BadArgument */
  seek(to: string | number, flag = 'goto'): void {
    this.#place = typeof to === 'number' ? to : parsePlace(this.log, to, flag)
    this.#microstep = undefined
  }

  /** To the next shown event; false, without a move, if there is none. */
  step(direction: Direction): boolean {
    return this.#move(direction, (place) => this.isShown(place))
  }

  /** To the next shown event at which the predicate holds. @throws BadArgument */
  until(predicate: string, direction: Direction, flag = '--until'): boolean {
    const holds = this.value(predicate, flag)
    return this.#move(direction, (place) => this.isShown(place) && Boolean(holds(place)))
  }

  /** To the next event at which the field has another value than before it. @throws BadArgument */
  watch(field: string, direction: Direction, flag = '--watch'): boolean {
    return this.#move(direction, changed(this.value(field, flag)))
  }

  /** Within the event and on to the next one, one decision or fact at a time. */
  stepWithin(direction: Direction): boolean {
    const last = this.microsteps().length - 1
    const next = (this.#microstep ?? last) + direction
    if (next >= 0 && next <= last) {
      this.#microstep = next === last ? undefined : next
      return true
    }
    if (!this.step(direction)) return false
    this.#microstep = direction > 0 && this.microsteps().length > 1 ? 0 : undefined
    return true
  }

  /** Of the event here, decided again by today's code; none where nothing is decided or the state before is unknown. */
  microsteps(): readonly Microstep[] {
    const event = this.event
    const definition = definitionOf(event.source)
    const { before } = this.states.around(this.#place)
    if ((event.kind !== 'took' && event.kind !== 'folded') || !definition || !before) return []
    const first = { type: 'before', snapshot: before.snapshot, effects: [] }
    try {
      return [first, ...redecide(definition, before.snapshot, event).steps]
    } catch {
      // Today's code does not get through it; re-execution tells more.
      return [first]
    }
  }

  /** The actor's state at `place`, or here within the event if it is the event's own actor. */
  stateAt(actor: string, place = this.#place): KnownState | undefined {
    const known = this.states.at(place, actor)
    if (place !== this.#place || this.#microstep === undefined || known?.source !== this.event.source) return known
    return { ...known, snapshot: this.microsteps()[this.#microstep]!.snapshot }
  }

  /** What differs in the states of one actor, or of all, between two moments; paths begin with the actor. */
  diff(from: number, to: number, actor?: string): readonly Difference[] {
    const actors = actor === undefined ? this.states.actors() : [actor]
    return actors.flatMap((one) => {
      const [before, after] = [this.states.at(from, one), this.states.at(to, one)]
      return differences(before?.snapshot, after?.snapshot, one)
    })
  }

  why(place = this.#place): Chain {
    return why(this.log, place)
  }

  effectsOf(place = this.#place, limit = Number.MAX_SAFE_INTEGER): readonly Effect[] {
    return effectsOf(this.log, place, limit)
  }

  /** An expression, to be asked at any place. @throws BadArgument */
  value(text: string, flag: string): Value {
    return compile(parseExpression(text, flag), this.fields, flag)
  }

  /** `X not preceded by Y`, over the events that are shown. @throws BadArgument */
  *query(text: string, flag = '--query'): Generator<Match> {
    yield* runQuery(this.log, this.fields, parseQuery(text, flag), flag, (place) => this.isShown(place))
  }

  /** Places of shown events from here on, this one included. */
  *shown(direction: Direction = 1): Generator<number> {
    for (let place = this.#place; place >= 0 && place < this.log.length; place += direction) {
      if (this.isShown(place)) yield place
    }
  }

  #move(direction: Direction, holds: (place: number) => unknown): boolean {
    for (let place = this.#place + direction; place >= 0 && place < this.log.length; place += direction) {
      if (!holds(place)) continue
      this.seek(place)
      return true
    }
    return false
  }
}
