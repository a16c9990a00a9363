/**
 * Row locks: one holder per key, the others in the order in which they came. Who takes several takes them in ascending order,
 * so there are no deadlocks. A session that has ended meanwhile still gets its turn and gives it back.
 */
export class KeyLocks {
  /** Those who wait, per key that is held. */
  readonly #held = new Map<number, Array<() => void>>()

  /** Who holds them nobody knows, but how many wait. */
  get held(): ReadonlyArray<readonly [key: number, waiting: number]> {
    return [...this.#held].map(([key, waiting]) => [key, waiting.length])
  }

  acquire(key: number): Promise<void> {
    const waiting = this.#held.get(key)
    if (waiting === undefined) {
      this.#held.set(key, [])
      return Promise.resolve()
    }
    return new Promise((resolve) => waiting.push(resolve))
  }

  release(key: number): void {
    const next = this.#held.get(key)?.shift()
    if (next === undefined) this.#held.delete(key)
    else next()
  }
}
