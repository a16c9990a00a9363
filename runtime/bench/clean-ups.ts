/**
 * What the benchmarks have started and must not leave behind: ended in reverse order, when all is measured and when somebody
 * interrupts. A measurement that is under way then may still start something; that is ended at once.
 */
type CleanUp = () => Promise<void>

export class CleanUps {
  readonly #due: CleanUp[] = []
  readonly #late: Array<Promise<void>> = []
  readonly #failed: (error: unknown) => void
  #isOver = false

  /** `failed` hears what a clean-up throws; the others are done all the same. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  add(cleanUp: CleanUp): void {
    if (this.#isOver) this.#late.push(cleanUp().catch(this.#failed))
    else this.#due.push(cleanUp)
  }

  /** Resolves when all that was ever added has been cleaned up. `working` is what may still add something. */
  async end(working: Promise<unknown>): Promise<void> {
    this.#isOver = true
    for (const cleanUp of this.#due.splice(0).reverse()) await cleanUp().catch(this.#failed)
    // It ends soon, since all that it measures is gone.
    await working.catch(() => {})
    await Promise.all(this.#late)
  }
}

/** Somebody wants this process to end. */
export class Interrupted extends Error {}

/** Rejects with the first such signal. A second one ends the process as ever. */
export function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => reject(new Interrupted(`ended by ${signal}`)))
  })
}
