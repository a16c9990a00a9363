/**
 * What the fields of an expression mean at an event: the event's own (`type`, `term`, `payload.x`), the state of its actor
 * (`before.x`, `after.x`), and the state that any actor has at that moment (`timeline.main.term`). What stands in the index is
 * taken from there, so that a search over a million events decodes few of them.
 */
import { actorOf, KINDS, OUTCOMES, type RunEvent } from '../../events/run-log.ts'
import { BadArgument } from '../errors.ts'
import { definitionOf } from './definitions.ts'
import type { Expression, FieldExpression, Operator } from './expression.ts'
import { NotedFields, partAt } from './noted-fields.ts'
import type { RunLog } from './open-log.ts'
import type { KnownState, States } from './states.ts'
import { parseTime } from './times.ts'

/** Fields that the index has. */
const INDEXED = fieldsOf<(log: RunLog, place: number) => unknown>({
  sequence: ({ table }, place) => table.sequence[place]!,
  at: ({ table }, place) => table.at[place]!,
  kind: ({ table }, place) => KINDS[table.kind[place]!],
  outcome: ({ table }, place) => OUTCOMES[table.outcome[place]!],
  source: ({ table, name }, place) => name(table.source[place]!),
  actor: ({ table, name }, place) => actorOf(name(table.source[place]!)),
  host: ({ table, name }, place) => name(table.source[place]!).split('@')[1] ?? '',
  type: ({ table, name }, place) => name(table.type[place]!),
  state: ({ table, name }, place) => name(table.state[place]!),
  term: ({ table }, place) => table.term[place]!,
})

/** Fields for which the event is decoded. */
const DECODED = fieldsOf<(event: RunEvent) => unknown>({
  id: (event) => event.id,
  cause: (event) => event.causationId,
  correlation: (event) => event.correlationId,
  reason: (event) => event.reason,
  payload: (event) => event.payload,
  facts: (event) => event.facts.map((fact) => fact.type),
  effects: (event) => event.effects.map((effect) => (effect as { readonly type?: unknown }).type),
})

export const EVENT_FIELDS: readonly string[] = [...INDEXED.keys(), ...DECODED.keys(), 'before', 'after']

function fieldsOf<T>(fields: Readonly<Record<string, T>>): ReadonlyMap<string, T> {
  return new Map(Object.entries(fields))
}

export type Value = (place: number) => unknown

export class EventFields {
  readonly #log: RunLog
  readonly #states: States
  readonly #noted: NotedFields

  constructor(log: RunLog, states: States) {
    this.#log = log
    this.#states = states
    this.#noted = new NotedFields(log)
  }

  /** Says once what the field means. @throws BadArgument if no event and no actor has it. */
  resolve({ path, column }: FieldExpression, flag: string): Value {
    const [first = '', ...rest] = path
    const log = this.#log
    const indexed = rest.length === 0 ? INDEXED.get(first) : undefined
    if (indexed) return (place) => indexed(log, place)
    const decoded = DECODED.get(first)
    if (decoded) return (place) => partAt(decoded(log.event(place)), rest)
    if (first === 'before') return (place) => stateField(this.#states.around(place).before, rest)
    if (first === 'after') return (place) => stateField(this.#states.around(place).after, rest)
    const actor = this.#actorOf(path)
    if (actor === undefined) throw this.#unknown(path, column, flag)
    const field = path.slice(actor.split('.').length)
    // What no state holds, positions on the data path, stands in notes.
    return (place) => stateField(this.#states.at(place, actor), field) ?? this.#noted.at(place, actor, field)
  }

  /** Whether a word with dots, where a text could stand as well, is a field: it names more than an actor alone. */
  isField({ path }: FieldExpression): boolean {
    if (path.length === 1) return false
    return PARTED_FIELDS.has(path[0]!) || (this.#actorOf(path)?.split('.').length ?? path.length) < path.length
  }

  /** A value as a number to compare by: of a text what it says, or the time that it is. NaN compares as false with everything. */
  asNumber(value: unknown): number {
    if (typeof value === 'number') return value
    if (typeof value !== 'string' || value.trim() === '') return Number.NaN
    const said = Number(value)
    return Number.isNaN(said) ? (parseTime(value, this.#log.header.startedAt) ?? Number.NaN) : said
  }

  /** The shortest beginning of the path that names an actor, or another source that says something. */
  #actorOf(path: readonly string[]): string | undefined {
    for (let length = 1; length <= path.length; length++) {
      const name = path.slice(0, length).join('.')
      if (this.#states.lanesOf(name).length > 0 || this.#noted.isSource(name)) return name
    }
    return undefined
  }

  #unknown(path: readonly string[], column: number, flag: string): BadArgument {
    const actors = this.#states.actors()
    const shown = actors.slice(0, ACTORS_SHOWN_MAX).join(', ') + (actors.length > ACTORS_SHOWN_MAX ? ', …' : '')
    return new BadArgument({
      component: flag,
      value: path.join('.'),
      problem: `column ${column}: there is no such field or actor in this log`,
      remedy: `Write ${EVENT_FIELDS.join(', ')}, or ACTOR.FIELD, where the actors are: ${shown || 'none'}.`,
    })
  }
}

const ACTORS_SHOWN_MAX = 12
/** Fields that have fields. */
const PARTED_FIELDS: ReadonlySet<string> = new Set(['before', 'after', 'payload'])

/** A field of a state: of the context, of what is remembered, or of the summary; alone, the state's name. */
export function stateField(known: KnownState | undefined, path: readonly string[]): unknown {
  if (known === undefined) return undefined
  const { snapshot, source } = known
  const context = snapshot.context as Record<string, unknown>
  if (path.length === 0 || (path.length === 1 && path[0] === 'state')) return snapshot.state
  const found = partAt(context, path) ?? partAt(context['remembered'], path) ?? partAt(snapshot, path)
  return found ?? partAt(summaryOf(source, context), path)
}

/** As today's code says it; undefined if it does not understand the context, which another version wrote. */
function summaryOf(source: string, context: unknown): unknown {
  try {
    return definitionOf(source)?.summary(context as never)
  } catch {
    return undefined
  }
}

/** An expression made ready: fields resolved once, then asked at any event. @throws BadArgument */
export function compile(expression: Expression, fields: EventFields, flag: string): Value {
  const inner = (part: Expression) => compile(part, fields, flag)
  switch (expression.kind) {
    case 'literal':
      return () => expression.value
    case 'word':
      return fields.isField(expression.field) ? fields.resolve(expression.field, flag) : () => expression.text
    case 'field':
      return fields.resolve(expression, flag)
    case 'changed':
      return changed(fields.resolve(expression.field, flag))
    case 'not': {
      const of = inner(expression.of)
      return (place) => !of(place)
    }
    case 'and': {
      const [left, right] = [inner(expression.left), inner(expression.right)]
      return (place) => Boolean(left(place)) && Boolean(right(place))
    }
    case 'or': {
      const [left, right] = [inner(expression.left), inner(expression.right)]
      return (place) => Boolean(left(place)) || Boolean(right(place))
    }
    case 'match': {
      const left = inner(expression.left)
      return (place) => expression.pattern.test(textOf(left(place)))
    }
    case 'compare': {
      const [left, right] = [inner(expression.left), inner(expression.right)]
      const comparison = comparisonOf(expression.operator, (value) => fields.asNumber(value))
      return (place) => comparison(left(place), right(place))
    }
  }
}

/** True where the value is another than at the event before. */
export function changed(value: Value): Value {
  return (place) => place > 0 && textOf(value(place - 1)) !== textOf(value(place))
}

function comparisonOf(operator: Operator, asNumber: (value: unknown) => number) {
  const isSame = (left: unknown, right: unknown): boolean => {
    if (left === right || (left ?? null) === (right ?? null)) return true
    return (typeof left === 'number' || typeof right === 'number') && asNumber(left) === asNumber(right)
  }
  return (left: unknown, right: unknown): boolean => {
    if (operator === '=' || operator === '!=') return isSame(left, right) === (operator === '=')
    const areTexts = typeof left === 'string' && typeof right === 'string'
    const [a, b] = areTexts ? [left, right] : [asNumber(left), asNumber(right)]
    if (operator === '<') return a < b
    if (operator === '<=') return a <= b
    return operator === '>' ? a > b : a >= b
  }
}

export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined ? '' : (JSON.stringify(value) ?? '')
}
