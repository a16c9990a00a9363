/**
 * Chance for a run: every draw has a name, and the n-th draw of a name depends on the seed, the name and n alone. So taking
 * a fault out of a plan, or a message out of a run, leaves all draws of other names as they were, which is what makes a
 * failure shrink. Nothing here may keep one stream that several names share.
 */

/** Uniform numbers, keyed by name and ordinal. */
export interface Draws {
  /** In [0, 1). */
  uniform(name: string): number
  /** An integer in [low, high]. */
  between(name: string, low: number, high: number): number
  /** True with probability `share`. */
  chance(name: string, share: number): boolean
  /** One of `choices`, which must not be empty. */
  pick<A>(name: string, choices: readonly A[]): A
  /** Exponentially distributed with this mean: how long until something that happens at random. */
  exponential(name: string, mean: number): number
}

const TWO_32 = 2 ** 32
const GOLDEN = 0x9e37_79b9

export class SeededDraws implements Draws {
  readonly #seed: number
  readonly #streams = new Map<string, { state: number }>()
  /** The last number drawn: two runs of one seed that agree in it have drawn alike. */
  last = 0

  constructor(seed: number) {
    this.#seed = mix(seed >>> 0) ^ mix(Math.floor(seed / TWO_32))
  }

  uniform(name: string): number {
    let stream = this.#streams.get(name)
    if (stream === undefined) {
      stream = { state: mix(this.#seed ^ hashOf(name)) }
      this.#streams.set(name, stream)
    }
    stream.state = (stream.state + GOLDEN) >>> 0
    this.last = mix(stream.state ^ this.#seed)
    return this.last / TWO_32
  }

  between(name: string, low: number, high: number): number {
    return low + Math.floor(this.uniform(name) * (high - low + 1))
  }

  chance(name: string, share: number): boolean {
    return this.uniform(name) < share
  }

  pick<A>(name: string, choices: readonly A[]): A {
    return choices[Math.floor(this.uniform(name) * choices.length)]!
  }

  exponential(name: string, mean: number): number {
    return -Math.log(1 - this.uniform(name)) * mean
  }
}

/** The finalizer of MurmurHash3 (public domain, Austin Appleby): every input bit changes half of the output bits. */
function mix(value: number): number {
  let h = value >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193)
  return hash >>> 0
}
