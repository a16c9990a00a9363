/**
 * A running hash over all that happens in a run, and over the time of each event of the kernel. Two runs of one plan must
 * end with the same; where they do not, the marks tell in which second they parted. It is no protection against
 * anybody: it only has to change when something changes.
 */
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { RunEvent, RunObserver } from './observer.ts'

export interface DigestMark {
  readonly atMs: number
  readonly digest: string
}

const MARK_INTERVAL_MS = 1_000

export class Digest implements RunObserver {
  #low = 0x811c_9dc5
  #high = 0x9e37_79b9
  readonly #marks: DigestMark[] = []
  readonly #number = new Float64Array(1)
  readonly #words = new Uint32Array(this.#number.buffer)

  /** 16 hexadecimal digits. */
  get value(): string {
    return `${hex(this.#high)}${hex(this.#low)}`
  }

  /** What it was at the end of each simulated second. */
  get marks(): readonly DigestMark[] {
    return this.#marks
  }

  observe({ atMs, kind, lane, text, to, bytes }: RunEvent): void {
    this.#addNumber(atMs)
    this.#addText(kind)
    this.#addText(lane)
    this.#addText(text)
    this.#addText(to ?? '')
    this.#addNumber(bytes ?? -1)
  }

  stepped(_cluster: SimCluster, atMs: number): void {
    const marked = this.#marks.length * MARK_INTERVAL_MS
    if (atMs >= marked + MARK_INTERVAL_MS) this.#marks.push({ atMs: marked + MARK_INTERVAL_MS, digest: this.value })
    this.#addNumber(atMs)
  }

  #addText(text: string): void {
    for (let at = 0; at < text.length; at++) this.#add(text.charCodeAt(at))
    this.#add(-1 - text.length)
  }

  /** All its bits: times are no whole numbers. */
  #addNumber(value: number): void {
    this.#number[0] = value
    this.#add(this.#words[0]!)
    this.#add(this.#words[1]!)
  }

  /** FNV-1a twice, with different primes, the second also over the first. */
  #add(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x0100_0193)
    this.#high = Math.imul(this.#high ^ word ^ (this.#low >>> 15), 0x85eb_ca6b)
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

/** Between which moments two runs parted; undefined if all marks agree. */
export function partedBetween(
  left: readonly DigestMark[],
  right: readonly DigestMark[],
): { readonly fromMs: number; readonly untilMs: number } | undefined {
  const length = Math.max(left.length, right.length)
  for (let at = 0; at < length; at++) {
    if (left[at]?.digest === right[at]?.digest) continue
    return { fromMs: at * MARK_INTERVAL_MS, untilMs: (at + 1) * MARK_INTERVAL_MS }
  }
  return undefined
}
