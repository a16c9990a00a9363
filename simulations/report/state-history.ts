/**
 * The changes of states in a run, in their order, as many as a page can show: beyond that, those that follow each other closely
 * become one, in which what an actor was meanwhile is lost only if it stayed in its state. Each has a moment of its own, so
 * that whoever steps through the page comes to all of them, those of one step of the run included.
 */
import type { ActorState, StateChange } from '../../runtime/replay/page/shown.ts'

/** With a kilobyte or so each, a page of a few megabytes. */
export const CHANGES_MAX = 3_000
/** Of two changes in one step of the run. The page tells moments by whole milliseconds. */
const APART_MS = 0.001
const GAP_MS_MIN = 1
/** Beyond this, states that did not last as long as that are lost as well. */
const GAP_MS_MAX = 1_000

type Changes = StateChange['changes']

export class StateHistory {
  readonly #max: number
  #changes: StateChange[] = []
  /** Changes that are closer to the first of several become one with it. */
  #gapMs = 0
  #firstMs = Number.NEGATIVE_INFINITY

  constructor(max = CHANGES_MAX) {
    this.#max = max
  }

  get changes(): readonly StateChange[] {
    return this.#changes
  }

  add(nowMs: number, changes: Changes): void {
    const lastMs = this.#changes.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY
    this.#append({ atMs: Math.max(nowMs, lastMs + APART_MS), changes })
    while (this.#changes.length > this.#max) this.#widen()
  }

  #append(change: StateChange): void {
    const last = this.#changes.at(-1)
    if (
      last !== undefined &&
      change.atMs - this.#firstMs < this.#gapMs &&
      this.#mayJoin(last.changes, change.changes)
    ) {
      this.#changes[this.#changes.length - 1] = { atMs: change.atMs, changes: { ...last.changes, ...change.changes } }
      return
    }
    this.#firstMs = change.atMs
    this.#changes.push(change)
  }

  #mayJoin(earlier: Changes, later: Changes): boolean {
    if (this.#gapMs > GAP_MS_MAX) return true
    return Object.keys(later).every((key) => !(key in earlier) || stateOf(earlier[key]) === stateOf(later[key]))
  }

  #widen(): void {
    const changes = this.#changes
    this.#gapMs = Math.max(GAP_MS_MIN, 2 * this.#gapMs)
    this.#changes = []
    this.#firstMs = Number.NEGATIVE_INFINITY
    for (const change of changes) this.#append(change)
  }
}

/** Undefined of an actor that is gone. */
function stateOf(state: ActorState | null | undefined): string | undefined {
  return state?.['state']
}
