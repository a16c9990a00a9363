/**
 * The XState machine that a transition table describes. Generated, so the table is the one truth: there is no second
 * place in which a transition could be written. Verdicts come out of the pure `transition` as action objects: an effect
 * per `effect`, and one `ignored` or `refused` where nothing happened. A dot in a state's name nests it
 * (`serving.active`), which keeps the machine a proper statechart for XState's own tools.
 */
import {
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  createMachine,
  type EventObject,
  type ExecutableActionObject,
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

/** XState's pure `transition`: the snapshot after `event`, and the actions that it raised. */
export type Move = (
  before: AnyMachineSnapshot,
  event: EventObject,
) => readonly [after: AnyMachineSnapshot, raised: readonly ExecutableActionObject[]]

/**
 * The `transition` of xstate makes an actor for each call, for machines that spawn others, and that costs as much as the step.
 * Ours spawn none, so one scope serves all steps of a machine.
 */
export function moveOf(machine: AnyStateMachine): Move {
  const self = createActor(machine)
  let raised: ExecutableActionObject[] = []
  const nothing = () => {}
  const scope = {
    self,
    id: '',
    sessionId: '',
    system: self.system,
    logger: nothing,
    defer: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: (action: ExecutableActionObject) => void raised.push(action),
  } as AnyActorScope
  return (before, event) => {
    raised = []
    return [machine.transition(before, event, scope), raised]
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

function transitionOf(plan: MachinePlan, from: string, verdict: LooseVerdict): object {
  const guard = verdict.when === undefined ? undefined : plan.guards[verdict.when]!
  return {
    ...(guard ? { guard: ({ context, event }: Scope) => guard(context, event) } : {}),
    ...(verdict.to === undefined ? {} : { target: `#${plan.kind}.${verdict.to}` }),
    actions: enqueueActions(({ enqueue, context, event }) => {
      if (verdict.ignored !== undefined || verdict.refused !== undefined) {
        enqueue({ type: 'verdict', params: verdict })
        return
      }
      let next: unknown = context
      for (const name of verdict.do ?? []) {
        const change = plan.actions[name]!(next, event, verdict.to ?? from)
        next = change.context ?? next
        for (const effect of change.effects ?? []) enqueue({ type: 'effect', params: effect })
      }
      enqueue.assign(() => next as never)
    }),
  }
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
