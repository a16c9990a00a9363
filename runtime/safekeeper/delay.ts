/**
 * Work that may wait a little, so that what comes meanwhile is done with it: at most so long, at most so many bytes, and
 * only while whoever is concerned allows it. For work that no commit waits for; what one waits for is never put off.
 */
export class Delay {
  readonly #after: (ms: number, fire: () => void) => () => void
  readonly #ms: number
  readonly #bytesMax: number
  readonly #wake: () => void
  #cancel: (() => void) | undefined
  #due = false

  /** `wake` is called when the time is over: the work is then asked for again, and may not wait. */
  constructor(
    after: (ms: number, fire: () => void) => () => void,
    limits: { readonly ms: number; readonly bytesMax: number },
    wake: () => void,
  ) {
    this.#after = after
    this.#ms = limits.ms
    this.#bytesMax = limits.bytesMax
    this.#wake = wake
  }

  /** True if the work on `bytes` shall wait; if not, it is done now, and the time begins anew with the next. */
  waits(isAllowed: boolean, bytes: number): boolean {
    if (!isAllowed || this.#due || bytes > this.#bytesMax) {
      this.cancel()
      return false
    }
    this.#cancel ??= this.#after(this.#ms, () => {
      this.#cancel = undefined
      this.#due = true
      this.#wake()
    })
    return true
  }

  cancel(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#due = false
  }
}
