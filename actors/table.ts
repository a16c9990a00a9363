/**
 * The shape of a transition table: for every state and every event one cell, so that nothing an actor can hear in any
 * state is left undecided. The types do the work: a missing cell, an unknown target, or an action that does not
 * understand the event of its column is a compile error. No behaviour but reading cells may live here.
 *
 * A cell says one of:
 *   {to, do}        go there (or stay) and do that
 *   ignored(why)    nothing happens, and that is right
 *   refused(why)    nothing happens, and whoever asked is told why
 *   [a, b, ..., z]  the first whose `when` holds; the last has no `when`
 */

/** Which error of the closed set the asker gets. */
export type RefusalTag = 'Refused' | 'Fenced' | 'BadArgument'

export interface Ignored {
  readonly ignored: string
}

export interface Refused {
  readonly refused: string
  readonly as: RefusalTag
}

export interface Move<State extends string, Action extends string> {
  readonly to?: State
  readonly do?: ReadonlyArray<Action>
}

export type Verdict<State extends string, Action extends string> = Move<State, Action> | Ignored | Refused

export type When<Guard extends string, V> = V & { readonly when: Guard }

export type Cell<State extends string, Guard extends string, Action extends string> =
  | Verdict<State, Action>
  | readonly [...ReadonlyArray<When<Guard, Verdict<State, Action>>>, Verdict<State, Action>]

/** Names of those functions whose second parameter accepts `Event`. */
type Understanding<Functions, Event> = {
  [Name in keyof Functions]: Functions[Name] extends (context: never, event: Event, state: never) => unknown
    ? Name
    : never
}[keyof Functions] &
  string

/** The complete table of an actor with these states, events, guards and actions. */
export type Table<State extends string, Event extends { readonly type: string }, Guards, Actions> = {
  readonly [S in State]: {
    readonly [E in Event as E['type']]: Cell<State, Understanding<Guards, E>, Understanding<Actions, E>>
  }
}

export function ignored(why: string): Ignored {
  return { ignored: why }
}

export function refused(why: string, as: RefusalTag = 'Refused'): Refused {
  return { refused: why, as }
}

export function when<Guard extends string, const V extends object>(guard: Guard, verdict: V): When<Guard, V> {
  return { ...verdict, when: guard }
}

/** One row or part of a row in which all these events meet the same verdict. */
export function each<const Type extends string, V>(types: ReadonlyArray<Type>, verdict: V): Record<Type, V> {
  return Object.fromEntries(types.map((type) => [type, verdict])) as Record<Type, V>
}

/** A cell as a list of conditional verdicts, as the machine is generated from it. */
export interface LooseVerdict {
  readonly when?: string
  readonly to?: string
  readonly do?: ReadonlyArray<string>
  readonly ignored?: string
  readonly refused?: string
  readonly as?: RefusalTag
}

export type LooseTable = Readonly<Record<string, Readonly<Record<string, LooseVerdict | ReadonlyArray<LooseVerdict>>>>>

export function verdictsOf(cell: LooseVerdict | ReadonlyArray<LooseVerdict>): ReadonlyArray<LooseVerdict> {
  return Array.isArray(cell) ? cell : [cell as LooseVerdict]
}
