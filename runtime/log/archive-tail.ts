/**
 * Finding the end of the archived log. Its objects overlap (two safekeepers may archive one term, with other cuts), may be
 * torn, and may belong to a term whose log nobody continued: a safekeeper that was cut off archives for a while what no
 * later term knows. So a log is followed by its chain and never by names alone: a term counts if its first object joins
 * on, byte for byte, to a log that is known already, and of all logs the one with the highest (last term, end) is meant.
 */
import type { ArchiveTail } from '../../actors/compute/election.ts'
import { FRAME_PAYLOAD_BYTES_MAX } from '../../events/frame.ts'
import type { TermBegin } from '../../events/safekeeper-wire.ts'
import { Damaged } from '../errors.ts'
import {
  chainWithin,
  type LogName,
  type LogObject,
  type LogObjects,
  mayReachBeyond,
  READS_IN_FLIGHT,
} from './archive-objects.ts'

/** A place in a log, and the term that wrote what is before it; term 0 at the beginning of a timeline. */
export interface ArchivePlace {
  readonly term: number
  readonly position: number
  readonly chain: number
}

/**
 * Follows `names` from `from`; undefined if that is the beginning and nothing is there. If the archive `isAlone`, since no disk
 * says how far the log went, an end that is not the true one would lose what was promised: what shows that is Damaged.
 */
export async function findTail(
  objects: LogObjects,
  names: readonly LogName[],
  from: ArchivePlace,
  isAlone = false,
): Promise<ArchiveTail | undefined> {
  const first = new Reach(from.term, from.position, from.chain, undefined)
  const reaches = [first]
  for (const [term, ofTerm] of byTerm(names)) {
    if (term === from.term) await continueWithin(objects, ofTerm, first)
    else if (term > from.term) await startTerm(objects, ofTerm, term, from.position, reaches)
  }
  const last = reaches[reaches.length - 1]!
  if (isAlone) checkEnd(objects, reaches, last)
  if (last.term === 0) return undefined
  await confirmNewest(objects, last)
  return { lastTerm: last.term, end: last.end, chain: last.chain, history: last.history() }
}

/**
 * Objects that no later one vouches for are confirmed to be durable: most often the last one. (One archives in order, and
 * names in each object what was durable before it.)
 */
async function confirmNewest(objects: LogObjects, last: Reach): Promise<void> {
  const used = last.used()
  const vouched = used.reduce((furthest, { archived }) => Math.max(furthest, archived), 0)
  const open = used.filter(({ end }) => end > vouched)
  for (let at = 0; at < open.length; at += READS_IN_FLIGHT) {
    const names = open.slice(at, at + READS_IN_FLIGHT)
    const confirmed = await Promise.all(names.map((name) => objects.confirm(name)))
    const lost = names[confirmed.indexOf(false)]
    if (lost) throw changed(lost.key)
  }
}

/** Throws Damaged if the objects say by themselves that `last` is not all there was. */
function checkEnd(objects: LogObjects, reaches: readonly Reach[], last: Reach): void {
  for (const { key, term, archived } of objects.vouching.values()) {
    // Where nothing of the term joins on, its log goes on from that of an older one.
    const own = reaches.filter((reach) => reach.term === term)
    const until = own.length > 0 ? own : reaches.filter((reach) => reach.term < term)
    if (until.every(({ end }) => end < archived))
      throw cutShort(key, archived, Math.max(...until.map(({ end }) => end)))
  }
  if (objects.mayTear) return
  for (const name of objects.torn.values()) {
    if (name.term > last.term || (name.term === last.term && mayReachBeyond(name, last.end))) throw rotten(name.key)
  }
}

/** What of one term's log joins on to what was there before. */
class Reach {
  readonly term: number
  readonly begin: number
  readonly parent: Reach | undefined
  end: number
  chain: number
  /** Objects that were used, by where their use begins, and the chain there. */
  readonly #begins: number[] = []
  readonly #chains: number[] = []
  readonly #names: Array<LogName & { readonly end: number; readonly archived: number }> = []

  constructor(term: number, begin: number, chain: number, parent: Reach | undefined) {
    this.term = term
    this.begin = begin
    this.parent = parent
    this.end = begin
    this.chain = chain
  }

  /** Goes on with `object` if it joins. `hole`: it begins further on. */
  extend(object: LogObject): 'joined' | 'known' | 'hole' | 'other' {
    if (object.begin > this.end) return 'hole'
    if (object.end <= this.end) return 'known'
    if (chainWithin(object, this.end) !== this.chain) return 'other'
    this.#begins.push(this.end)
    this.#chains.push(this.chain)
    const { key, term, begin, end, archived } = object
    this.#names.push({ key, term, begin, end, archived })
    this.end = object.end
    this.chain = object.chainAfter
    return 'joined'
  }

  /** Chain at a position within, which may need an object once more. */
  async chainAt(position: number, objects: LogObjects): Promise<number | undefined> {
    if (position < this.begin || position > this.end) return undefined
    if (position === this.end) return this.chain
    const at = this.#begins.findLastIndex((begin) => begin <= position)
    if (this.#begins[at] === position) return this.#chains[at]
    const object = await objects.get(this.#names[at]!)
    return object && chainWithin(object, position)
  }

  /** The objects that this log is made of, as far as it goes back here. */
  used(): ReadonlyArray<LogName & { readonly end: number; readonly archived: number }> {
    return [...(this.parent?.used() ?? []), ...this.#names]
  }

  history(): readonly TermBegin[] {
    const before = this.parent?.history() ?? []
    return this.term === 0 ? before : [...before, { term: this.term, begin: this.begin }]
  }
}

async function continueWithin(objects: LogObjects, names: readonly LogName[], reach: Reach): Promise<void> {
  const before = names.filter(({ begin }) => begin <= reach.end)
  const after = names.slice(before.length)
  // Usually the nearest one holds the position, and the rest follow. But another archiver has cut the log otherwise: where
  // they end or leave a hole, a longer one that begins before `reach` did may lead on.
  while (await joinNearest(objects, before, reach)) await follow(objects, after, reach)
}

/** Takes from `names` what has been looked at: the reach only grows, so it never needs another look. */
async function joinNearest(objects: LogObjects, names: LogName[], reach: Reach): Promise<boolean> {
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    if (name.begin + FRAME_PAYLOAD_BYTES_MAX <= reach.end) return false
    const object = mayReachBeyond(name, reach.end) ? await objects.get(name) : undefined
    if (object && reach.extend(object) === 'joined') return true
  }
  return false
}

/** The term's log begins at the first of its objects that joins on to an older term's. */
async function startTerm(
  objects: LogObjects,
  names: readonly LogName[],
  term: number,
  from: number,
  reaches: Reach[],
): Promise<void> {
  const start = names.findIndex(({ begin }) => begin >= from)
  if (start < 0) return
  for (let at = start; at < names.length; at++) {
    const object = await objects.get(names[at]!)
    const parent = object && (await parentOf(object, objects, reaches))
    if (!object || !parent) continue
    const reach = new Reach(term, object.begin, object.chainBefore, parent)
    reach.extend(object)
    await follow(objects, names.slice(at + 1), reach)
    reaches.push(reach)
    return
  }
}

async function parentOf(object: LogObject, objects: LogObjects, reaches: readonly Reach[]): Promise<Reach | undefined> {
  for (const reach of [...reaches].reverse()) {
    if ((await reach.chainAt(object.begin, objects)) === object.chainBefore) return reach
  }
  return undefined
}

/** Up to the first hole. One that contradicts is another writer's under the same term, which cannot be: not our log. */
async function follow(objects: LogObjects, names: readonly LogName[], reach: Reach): Promise<void> {
  for await (const [, object] of objects.inOrder(names)) {
    if (object && reach.extend(object) === 'hole') return
  }
}

function byTerm(names: readonly LogName[]): ReadonlyMap<number, readonly LogName[]> {
  const terms = new Map<number, LogName[]>()
  for (const name of names) {
    const ofTerm = terms.get(name.term)
    if (ofTerm) ofTerm.push(name)
    else terms.set(name.term, [name])
  }
  return terms
}

function changed(value: string): Damaged {
  return new Damaged({
    component: 'archived log',
    value,
    problem: 'it was whole when it was read first, and is not any more',
    remedy: 'Check the disk or the store that holds it, and try again.',
  })
}

function cutShort(value: string, archived: number, end: number): Damaged {
  return new Damaged({
    component: 'archived log',
    value,
    problem: `it says that all before ${archived} was archived, but what can be read ends at ${end}`,
    remedy: 'Start the zones whose disks hold the log, or restore the objects of log/ from a backup.',
  })
}

function rotten(value: string): Damaged {
  return new Damaged({
    component: 'archived log',
    value,
    problem: 'its checksum is wrong, and it may hold the end of the log',
    remedy: 'Start the zones whose disks hold the log, or restore this object from a backup.',
  })
}
