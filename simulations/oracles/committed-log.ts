/**
 * The oracle of the log: what became durable under some writer, as chains over its bytes, and that nobody ever continues a
 * log without it. One writer has a term; a later reign begins at or after every durable position, with the same bytes below;
 * a writer that another has succeeded makes nothing durable beyond its successor's begin. Copies of the log are compared
 * with it in log-copies.ts. It keeps chains, never bytes, so a run of any length costs little.
 */
import { entryAt, lastTermOf } from '../../actors/compute/election.ts'
import type { TermBegin, TermHistory } from '../../events/safekeeper-wire.ts'
import type { OpenedLog, ReignObserver } from './reign-observer.ts'

/** A position that was durable once, and so for ever. */
export interface CommittedPlace {
  readonly position: number
  /** Over all that is before. */
  readonly chain: number
  /** Whose log it was when it became durable. */
  readonly term: number
  readonly atMs: number
}

export interface Reign extends OpenedLog {
  durable: number
}

export interface CommittedLogPorts {
  readonly nowMs: () => number
  readonly violated: (words: string) => void
}

export class CommittedLog implements ReignObserver {
  readonly #ports: CommittedLogPorts
  readonly #reigns = new Map<number, Reign>()
  /** By position. */
  readonly #places: CommittedPlace[] = []
  #history: TermHistory = []

  constructor(ports: CommittedLogPorts) {
    this.#ports = ports
  }

  /** By position, each once. */
  get places(): readonly CommittedPlace[] {
    return this.#places
  }

  /** The greatest position that was ever durable. */
  get end(): number {
    return this.#places.at(-1)?.position ?? 0
  }

  /** Which terms wrote the committed log. */
  get history(): TermHistory {
    return this.#history
  }

  get reigns(): Iterable<OpenedLog> {
    return this.#reigns.values()
  }

  /** Undefined if nobody has opened a log of the term. */
  reign(term: number): Readonly<Reign> | undefined {
    return this.#reigns.get(term)
  }

  /** The last place up to `position` that a log of `term` must agree with; undefined if the term is none that counts. */
  lastOf(term: number, position: number): CommittedPlace | undefined {
    const stretch = stretchOf(this.#history, term, position)
    if (!stretch) return undefined
    const at = this.#indexOf(stretch.to)
    const place = this.#places[at]
    return place?.position === stretch.to ? place : this.#places[at - 1]
  }

  opened(log: OpenedLog): void {
    const { term, compute, position, chain } = log
    const twin = this.#reigns.get(term)
    if (twin) {
      this.#violated(`term ${term} has two logs: ${words(twin)}, and now ${words(log)}`)
      return
    }
    this.#reigns.set(term, { ...log, durable: position })
    const last = this.#places.findLast((place) => place.term < term)
    if (last === undefined) return
    if (position < last.position)
      this.#violated(`${compute} begins term ${term} at ${position}, though ${placeWords(last)} was durable`)
    else if (position === last.position && chain !== last.chain)
      this.#violated(`${compute} begins term ${term} at ${position} over other bytes than ${placeWords(last)}`)
    this.#checkHistory(log)
  }

  durable(term: number, position: number, chain: number): void {
    const reign = this.#reigns.get(term)
    if (!reign || position <= reign.durable) {
      this.#violated(`position ${position} became durable in term ${term}, which ${reignState(reign)}`)
      return
    }
    if (reign.durable === reign.position) {
      // What the tail held becomes durable with the term's first entry.
      this.#add({ position: reign.position, chain: reign.chain, term, atMs: this.#ports.nowMs() })
      this.#adopt(reign.history)
    }
    reign.durable = position
    this.#checkSuccessors(reign)
    this.#add({ position, chain, term, atMs: this.#ports.nowMs() })
  }

  /** The places in [from, to], for whoever compares a copy. */
  between(from: number, to: number): readonly CommittedPlace[] {
    const first = this.#indexOf(from)
    let last = first
    while (last < this.#places.length && this.#places[last]!.position <= to) last++
    return this.#places.slice(first, last)
  }

  #checkSuccessors(reign: Reign): void {
    for (const later of this.#reigns.values()) {
      if (later.term <= reign.term) continue
      // A writer may learn late what was durable before its successor began; then its successor has gone on from there.
      if (reign.durable <= later.position) this.#checkNamed(reign, later)
      else
        this.#violated(
          `term ${reign.term} of ${reign.compute} made ${reign.durable} durable after ${words(later)} had begun there`,
        )
    }
  }

  /** A term in which something was durable is part of every later log, from the same position on. */
  #checkHistory(log: OpenedLog): void {
    for (const reign of this.#reigns.values()) {
      if (reign.term < log.term && reign.durable > reign.position) this.#checkNamed(reign, log)
    }
  }

  #checkNamed({ term, position, durable }: Reign, later: OpenedLog): void {
    const { history } = later
    if (term <= (history[0]?.term ?? 0)) return
    const named = history.find((entry) => entry.term === term)
    if (named?.begin === position) return
    const found = named ? `has it begin at ${named.begin}` : 'does not name it'
    this.#violated(
      `term ${term} began at ${position} and was durable up to ${durable}, but the history of term ${later.term} of ${later.compute} ${found}`,
    )
  }

  /** That of the newest term, whenever its writers learn what they made durable. */
  #adopt(history: TermHistory): void {
    const first = history[0]
    if (first === undefined || lastTermOf(history) < lastTermOf(this.#history)) return
    const before = this.#history.filter(({ term }) => term < first.term)
    const known = this.#history.find(({ term }) => term === first.term)
    // Where a history begins, it may say no more than from where on it was read.
    this.#history = [...before, known ?? first, ...history.slice(1)]
  }

  #add(place: CommittedPlace): void {
    const at = this.#indexOf(place.position)
    const known = this.#places[at]
    if (known?.position !== place.position) this.#places.splice(at, 0, place)
    else if (known.chain !== place.chain)
      this.#violated(`up to ${place.position} term ${place.term} made other bytes durable than ${placeWords(known)}`)
  }

  /** Of the first place at or after `position`; nearly always the end. */
  #indexOf(position: number): number {
    let low = 0
    let high = this.#places.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#places[middle]!.position < position) low = middle + 1
      else high = middle
    }
    return low
  }

  #violated(words: string): void {
    this.#ports.violated(`committed log: ${words}`)
  }
}

/** The part of the committed log that `term` wrote, or undefined if it is none of it. */
export function stretchOf(history: TermHistory, term: number, end: number): { from: number; to: number } | undefined {
  const at = history.findIndex((entry) => entry.term === term)
  if (at < 0) return undefined
  return { from: history[at]!.begin, to: Math.min(end, history[at + 1]?.begin ?? end) }
}

/** The term whose log holds the byte before `position`. */
export function writerOf(history: TermHistory, position: number): TermBegin | undefined {
  return position > 0 ? entryAt(history, position - 1) : undefined
}

function words({ term, compute, position }: OpenedLog): string {
  return `that of ${compute} from ${position} on (term ${term})`
}

function placeWords({ position, term }: CommittedPlace): string {
  return `position ${position} of term ${term}`
}

function reignState(reign: Reign | undefined): string {
  return reign ? `had made ${reign.durable} durable before` : 'nobody has begun'
}
