/**
 * Helpers for tests of the simulated world: a kernel, its processes, and virtual time that passes while a test waits. No run of
 * the simulator uses them.
 */
import * as Effect from 'effect/Effect'
import type * as Exit from 'effect/Exit'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel, NEVER_PAUSED, type Process } from '../kernel/kernel.ts'

export const kernelOf = (seed: number) => new Kernel(new SeededDraws(seed), 1_000_000)
export const processOf = (name: string): Process => ({ name, isAlive: true, pausedUntilMs: NEVER_PAUSED })

/** Lets virtual time pass. */
export const pass = (kernel: Kernel, ms: number) => kernel.run(kernel.nowMs + ms)

/** Starts `effect`; its result is there once enough time has passed. */
export function start<A, E>(effect: Effect.Effect<A, E>): { exit: Exit.Exit<A, E> | undefined } {
  const started: { exit: Exit.Exit<A, E> | undefined } = { exit: undefined }
  void Effect.runPromiseExit(effect).then((exit) => {
    started.exit = exit
  })
  return started
}

/** Lets virtual time pass in the background, for suites that know nothing of it. Returns what ends that. */
export function runInBackground(kernel: Kernel): () => Promise<void> {
  let isEnded = false
  const running = (async () => {
    while (!isEnded) {
      await kernel.run(kernel.nowMs + BACKGROUND_STEP_MS)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  return () => {
    isEnded = true
    return running
  }
}

const BACKGROUND_STEP_MS = 20
