/**
 * The kernel of a simulation: a virtual clock that jumps to the next event, and the one queue in which everything that
 * happens stands. Events of the same moment come in an order drawn from the seed. Between two events all promises that the
 * first has settled are followed to their end, so a run is a sequence of steps and nothing happens beside it.
 *
 * An event belongs to a process; those of a process that has been killed never happen, and those of one that is paused
 * happen when it goes on. Nothing here knows what the processes are.
 */
import type { Draws } from './draws.ts'
import { EventQueue, type QueuedEvent } from './event-queue.ts'

/** Whose events these are. One object per life: what is started again is another process. */
export interface Process {
  readonly name: string
  isAlive: boolean
  /** Until then its events are held back, as under SIGSTOP or a long garbage collection. */
  pausedUntilMs: number
}

export const NEVER_PAUSED = Number.NEGATIVE_INFINITY

/** What no process of the simulated system causes: the world itself, its faults, and who looks on. */
export const WORLD: Process = { name: 'world', isAlive: true, pausedUntilMs: NEVER_PAUSED }

/** Beyond this the run does not get on: something calls itself again without letting time pass. */
const EVENTS_AT_ONE_MOMENT_MAX = 100_000

export class Kernel {
  readonly draws: Draws
  /** Called after each event and all that followed from it, for whoever looks on. */
  watch: (() => void) | undefined
  readonly #queue = new EventQueue()
  readonly #missed = new Map<Process, QueuedEvent[]>()
  #nowMs: number
  #steps = 0
  #stepsAtThisMoment = 0
  #failure: { readonly error: unknown } | undefined

  /** Virtual time begins at `epochMs`, so that it looks like a date to whoever reads it. */
  constructor(draws: Draws, epochMs: number) {
    this.draws = draws
    this.#nowMs = epochMs
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Events so far. */
  get steps(): number {
    return this.#steps
  }

  /** Calls `fire` once, `delayMs` from now at the earliest; returns what cancels it. */
  after(process: Process, delayMs: number, fire: () => void): () => void {
    const event = this.#queue.add(this.#nowMs + Math.max(0, delayMs), this.draws.uniform('kernel.order'), process, fire)
    return () => {
      event.fire = undefined
    }
  }

  /** Like `after`, before all else of that moment, and without a draw: what happens until then is what would happen without it. */
  first(process: Process, delayMs: number, fire: () => void): void {
    this.#queue.add(this.#nowMs + Math.max(0, delayMs), Number.NEGATIVE_INFINITY, process, fire)
  }

  /** Ends the run with `error` after the present event, as the violation that was looked for. */
  fail(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Runs until `untilMs`, or until `isDone` says so, or until nothing is left to happen. Rejects with what failed it. */
  run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          if (this.#failure) throw this.#failure.error
          this.watch?.()
          if (isDone() || !this.#step(untilMs)) {
            ended = true
            resolve()
          }
        } catch (error) {
          ended = true
          reject(error)
        }
      }
      let ended = false
      // Node follows all promises between two immediates of one round; a round of one step would be twice as slow.
      const round = () => {
        if (ended) return
        for (let count = 0; count < STEPS_A_ROUND; count++) setImmediate(() => ended || step())
        setImmediate(round)
      }
      round()
    })
  }

  /** False if nothing is left to happen before `untilMs`; the clock then stands there. */
  #step(untilMs: number): boolean {
    for (;;) {
      const event = this.#queue.peek()
      if (event === undefined || event.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return false
      }
      this.#queue.take()
      if (event.fire === undefined || !event.process.isAlive) continue
      if (event.process.pausedUntilMs > event.atMs) {
        this.#defer(event)
        continue
      }
      this.#advanceTo(event.atMs)
      event.fire()
      return true
    }
  }

  /** What a process has missed, oldest first. */
  #defer(event: QueuedEvent): void {
    const { process } = event
    const missed = this.#missed.get(process)
    if (missed) missed.push(event)
    else {
      this.#missed.set(process, [event])
      this.#queue.add(process.pausedUntilMs, 0, WORLD, () => this.resume(process))
    }
  }

  /** To be called when a pause may have ended: what was missed comes before all else, in the order in which it was due. */
  resume(process: Process): void {
    const missed = this.#missed.get(process)
    if (missed === undefined) return
    if (process.pausedUntilMs > this.#nowMs) {
      this.#queue.add(process.pausedUntilMs, 0, WORLD, () => this.resume(process))
      return
    }
    this.#missed.delete(process)
    for (const [at, event] of missed.entries()) {
      event.atMs = this.#nowMs
      event.order = at - missed.length
      this.#queue.put(event)
    }
  }

  #advanceTo(atMs: number): void {
    this.#steps++
    this.#stepsAtThisMoment = atMs > this.#nowMs ? 0 : this.#stepsAtThisMoment + 1
    if (this.#stepsAtThisMoment > EVENTS_AT_ONE_MOMENT_MAX)
      throw new Error('the run does not get on: time stands still')
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }
}

const STEPS_A_ROUND = 64
