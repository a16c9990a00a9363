/**
 * What the fields of an expression mean at an event: the event's own (`type`, `term`, `payload.x`), the state of its actor
 * (`before.x`, `after.x`), and the state that any actor has at that moment (`timeline.main.term`). What stands in the index is
 * taken from there, so that a search over a million events decodes few of them.
 */
import { actorOf, KINDS, OUTCOMES, type RunEvent } from '../../events/run-log.ts'
import { BadArgument } from '../errors.ts'
import { definitionOf } from './definitions.ts'
import type { Expression, FieldExpression } from './expression.ts'
import type { RunLog } from './open-log.ts'
import type { KnownState, States } from './states.ts'

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

  constructor(log: RunLog, states: States) {
    this.#log = log
    this.#states = states
  }

  /** Says once what the field means. @throws BadArgument if no event and no actor has it. */
  resolve({ path, column }: FieldExpression, flag: string): Value {
    const [first = '', ...rest] = path
    const log = this.#log
    const indexed = rest.length === 0 ? INDEXED.get(first) : undefined
    if (indexed) return (place) => indexed(log, place)
    const decoded = DECODED.get(first)
    if (decoded) return (place) => at(decoded(log.event(place)), rest)
    if (first === 'before') return (place) => stateField(this.#states.around(place).before, rest)
    if (first === 'after') return (place) => stateField(this.#states.around(place).after, rest)
    const actor = this.#actorOf(path)
    if (actor === undefined) throw this.#unknown(path, column, flag)
    const field = path.slice(actor.split('.').length)
    return (place) => stateField(this.#states.at(place, actor), field) ?? this.#noted(place, actor, field)
  }

  /** The shortest beginning of the path that names an actor, or another source that says something. */
  #actorOf(path: readonly string[]): string | undefined {
    for (let length = 1; length <= path.length; length++) {
      const name = path.slice(0, length).join('.')
      if (this.#states.lanesOf(name).length > 0 || this.#lanesOf(name).length > 0) return name
    }
    return undefined
  }

  #lanesOf(name: string) {
    return [...this.#log.table.lanes.values()].filter(({ source }) => actorOf(this.#log.name(source)) === name)
  }

  /** What a note last said of it, for what no state holds: positions on the data path. */
  #noted(place: number, source: string, [field, ...rest]: readonly string[]): unknown {
    if (field === undefined) return undefined
    for (const lane of this.#lanesOf(source)) {
      for (let count = lane.events.firstNotBelow(place + 1) - 1; count >= 0; count--) {
        const at_ = lane.events.at(count)
        if (KINDS[this.#log.table.kind[at_]!] !== 'note') continue
        const { payload } = this.#log.event(at_)
        if (Object.hasOwn(payload, field)) return at(payload[field], rest)
      }
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

/** A field of a state: of the context, of what is remembered, or of the summary; alone, the state's name. */
export function stateField(known: KnownState | undefined, path: readonly string[]): unknown {
  if (known === undefined) return undefined
  const { snapshot, source } = known
  const context = snapshot.context as Record<string, unknown>
  if (path.length === 0 || (path.length === 1 && path[0] === 'state')) return snapshot.state
  const found = at(context, path) ?? at(context['remembered'], path) ?? at(snapshot, path)
  return found ?? at(definitionOf(source)?.summary(context as never), path)
}

function at(value: unknown, path: readonly string[]): unknown {
  let inner = value
  for (const key of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, key)) return undefined
    inner = (inner as Record<string, unknown>)[key]
  }
  return inner
}

/** An expression made ready: fields resolved once, then asked at any event. @throws BadArgument */
export function compile(expression: Expression, fields: EventFields, flag: string): Value {
  const inner = (part: Expression) => compile(part, fields, flag)
  switch (expression.kind) {
    case 'literal':
      return () => expression.value
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
      return (place) => holds(left(place), expression.operator, right(place))
    }
  }
}

/** True where the value is another than at the event before. */
export function changed(value: Value): Value {
  return (place) => place > 0 && textOf(value(place - 1)) !== textOf(value(place))
}

function holds(left: unknown, operator: string, right: unknown): boolean {
  if (operator === '=' || operator === '!=') return isSame(left, right) === (operator === '=')
  const [a, b] =
    typeof left === 'string' && typeof right === 'string' ? [left, right] : [asNumber(left), asNumber(right)]
  if (operator === '<') return a < b
  if (operator === '<=') return a <= b
  return operator === '>' ? a > b : a >= b
}

function isSame(left: unknown, right: unknown): boolean {
  if (left === right || (left ?? null) === (right ?? null)) return true
  if (typeof left === 'number' || typeof right === 'number') return asNumber(left) === asNumber(right)
  return false
}

/** A text may be a time: `at > '2026-01-31T12:00:00Z'`. NaN compares as false with everything. */
function asNumber(value: unknown): number {
  if (typeof value === 'number') return value
  return typeof value === 'string' ? Date.parse(value) : Number.NaN
}

export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined ? '' : (JSON.stringify(value) ?? '')
}
