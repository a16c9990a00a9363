/**
 * Effect's scheduler, replaced by the kernel's queue: when a fiber goes on is then an event like any other, in an order of the
 * seed. Fibers never yield by themselves, because virtual time does not pass while they run.
 */
import type { Fiber } from 'effect/Fiber'
import type { Scheduler, SchedulerDispatcher } from 'effect/Scheduler'
import { type Kernel, WORLD } from './kernel.ts'

export class KernelScheduler implements Scheduler {
  readonly executionMode = 'async'
  readonly #dispatcher: SchedulerDispatcher

  constructor(kernel: Kernel) {
    this.#dispatcher = {
      scheduleTask: (task) => void kernel.after(WORLD, 0, task),
      flush: () => {},
    }
  }

  shouldYield(_fiber: Fiber<unknown, unknown>): boolean {
    return false
  }

  makeDispatcher(): SchedulerDispatcher {
    return this.#dispatcher
  }
}
