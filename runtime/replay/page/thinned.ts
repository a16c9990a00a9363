/**
 * A list with a bound that covers the whole time: when it is full, every second entry goes, and from then on every second
 * one is taken. What is left is spread evenly, and depends on nothing but what came.
 */
export class Thinned<A> {
  readonly #max: number
  #kept: A[] = []
  #stride = 1
  /** All that came. */
  seen = 0

  constructor(max: number) {
    this.#max = max
  }

  get kept(): readonly A[] {
    return this.#kept
  }

  add(entry: A): void {
    if (this.seen++ % this.#stride !== 0) return
    this.#kept.push(entry)
    if (this.#kept.length <= this.#max) return
    this.#kept = this.#kept.filter((_, at) => at % 2 === 0)
    this.#stride *= 2
  }
}
