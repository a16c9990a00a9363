/**
 * The XState machine that a transition table describes. Generated, so the table is the one truth: there is no second
 * place in which a transition could be written. Verdicts come out of the pure `transition` as action objects: an effect
 * per `effect`, and one `ignored` or `refused` where nothing happened. A dot in a state's name nests it
 * (`serving.active`), which keeps the machine a proper statechart for XState's own tools.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createMachine,
  type EventObject,
  enqueueActions,
  type StateValue,
} from 'xstate'
import { type LooseTable, type LooseVerdict, verdictsOf } from './table.ts'

interface LooseChange {
  readonly context?: unknown
  readonly effects?: ReadonlyArray<unknown>
}

export interface MachinePlan {
  readonly kind: string
  readonly initial: string
  readonly table: LooseTable
  readonly guards: Readonly<Record<string, (context: unknown, event: unknown) => boolean>>
  /** `state` is the one in which the transition ends. */
  readonly actions: Readonly<Record<string, (context: unknown, event: unknown, state: string) => LooseChange>>
}

interface StateNode {
  initial?: string
  states?: Record<string, StateNode>
  on?: Record<string, unknown>
}

export function machineOf(plan: MachinePlan): AnyStateMachine {
  const root: StateNode = {}
  for (const [state, row] of Object.entries(plan.table)) {
    const on = Object.entries(row).map(([type, cell]) => [
      type,
      verdictsOf(cell).map((v) => transitionOf(plan, state, v)),
    ])
    nodeAt(root, state.split('.')).on = Object.fromEntries(on)
  }
  root.initial = plan.initial
  const config = { id: plan.kind, context: ({ input }: { input: unknown }) => input, ...root }
  return createMachine(config as never)
}

/** What an event led to. */
export interface Moved {
  readonly state: string
  readonly context: unknown
  /** In the order in which the actions named them. */
  readonly effects: ReadonlyArray<unknown>
  /** Of a table's cell that says that nothing happens. */
  readonly verdict: LooseVerdict | undefined
}

export type Move = (state: string, context: unknown, event: EventObject) => Moved

/**
 * One step of the machine. XState selects the transition; what follows from it, its verdict says. XState's own `transition`
 * comes to the same (machine-of.test.ts), but makes an actor for each call, for machines that spawn others, and computes
 * which nodes are left and entered, for what they do then. Ours do nothing then and spawn none, and this was most of what
 * hearing a heartbeat cost.
 */
export function moveOf(machine: AnyStateMachine): Move {
  const resting = restingSnapshots(machine)
  return (state, context, event) => {
    const before = { ...resting(state), context } as AnyMachineSnapshot
    const selected = machine.getTransitionData(before, event)[0]
    if (selected === undefined) return { state, context, effects: [], verdict: undefined }
    const { apply, verdict } = selected.meta as TransitionMeta
    if (saysNothing(verdict)) return { state, context, effects: [], verdict }
    return { state: verdict.to ?? state, verdict: undefined, ...apply(context, event) }
  }
}

/** The snapshot of each state, without its context: which nodes are active follows from the state alone. */
function restingSnapshots(machine: AnyStateMachine): (state: string) => AnyMachineSnapshot {
  const known = new Map<string, AnyMachineSnapshot>()
  return (state) => {
    const before = known.get(state)
    if (before !== undefined) return before
    const snapshot = machine.resolveState({ value: nestedValue(state), context: {} })
    known.set(state, snapshot)
    return snapshot
  }
}

function nodeAt(root: StateNode, path: ReadonlyArray<string>): StateNode {
  let node = root
  for (const name of path) {
    node.initial ??= name
    node.states ??= {}
    node.states[name] ??= {}
    node = node.states[name]
  }
  return node
}

/** What a transition carries beside what XState reads of it. */
interface TransitionMeta {
  readonly verdict: LooseVerdict
  readonly apply: Apply
}

type Apply = (context: unknown, event: unknown) => Pick<Moved, 'context' | 'effects'>

function transitionOf(plan: MachinePlan, from: string, verdict: LooseVerdict): object {
  const guard = verdict.when === undefined ? undefined : plan.guards[verdict.when]!
  const apply = applyOf(plan, from, verdict)
  const meta: TransitionMeta = { verdict, apply }
  return {
    ...(guard ? { guard: ({ context, event }: Scope) => guard(context, event) } : {}),
    ...(verdict.to === undefined ? {} : { target: `#${plan.kind}.${verdict.to}` }),
    meta,
    actions: enqueueActions(({ enqueue, context, event }) => {
      if (saysNothing(verdict)) {
        enqueue({ type: 'verdict', params: verdict })
        return
      }
      const applied = apply(context, event)
      for (const effect of applied.effects) enqueue({ type: 'effect', params: effect })
      enqueue.assign(() => applied.context as never)
    }),
  }
}

function applyOf(plan: MachinePlan, from: string, verdict: LooseVerdict): Apply {
  const actions = (verdict.do ?? []).map((name) => plan.actions[name]!)
  return (context, event) => {
    let next = context
    const effects: unknown[] = []
    for (const action of actions) {
      const change = action(next, event, verdict.to ?? from)
      next = change.context ?? next
      if (change.effects) effects.push(...change.effects)
    }
    return { context: next, effects }
  }
}

function saysNothing({ ignored, refused }: LooseVerdict): boolean {
  return ignored !== undefined || refused !== undefined
}

interface Scope {
  readonly context: unknown
  readonly event: unknown
}

/** `serving.active` as XState writes it. */
export function nestedValue(state: string): StateValue {
  const dot = state.indexOf('.')
  return dot < 0 ? state : { [state.slice(0, dot)]: nestedValue(state.slice(dot + 1)) }
}

/** The inverse of `nestedValue`. */
export function stateName(value: unknown): string {
  if (typeof value === 'string') return value
  const [outer, inner] = Object.entries(value as Record<string, unknown>)[0]!
  return `${outer}.${stateName(inner)}`
}
