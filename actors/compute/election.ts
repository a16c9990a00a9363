/**
 * The rules of an election: which log a new term continues, and where another log parts from it. After Raft and Neon's
 * walproposer, with one change of its own: the archive stands beside the safekeepers as a log that never loses anything.
 * Pure: votes are collected and positions made true by runtime/. Proposer and acceptor both compute `commonPoint`, and an
 * acceptor refuses a proposer that comes to another result.
 *
 * A log here is a history and an end. The writer of a term is unique and every log adopts a term only on top of that
 * writer's own prefix, so two logs that both reach into a term are the same up to the shorter end of it (Raft's log
 * matching). All rules below rest on that.
 */
import type { TermBegin, TermHistory, VoteResponse } from '../../events/safekeeper-wire.ts'
import { majorityOf } from '../quorum.ts'
import type { Durability } from './proposer.ts'

/** The archived log as its reader found it (runtime/log/archive.ts): contiguous and checked up to `end`. */
export interface ArchiveTail {
  readonly lastTerm: number
  readonly end: number
  /** Chain at `end`. */
  readonly chain: number
  /** From where it was read; the first entry may begin later than its term did. */
  readonly history: TermHistory
}

/** Who may vote, and what a vote is worth. */
export interface Electorate {
  /** The term that was asked for; only safekeepers that refuse every lower one count. */
  readonly term: number
  /** Zones that hold a safekeeper of the timeline. */
  readonly zones: readonly string[]
  readonly durability: Durability
}

/** The log that the new term continues. */
export interface Tail {
  /** A zone, or 'archive'. */
  readonly source: string
  readonly lastTerm: number
  readonly position: number
  /** Chain at `position`. */
  readonly chain: number
  /** Cut to `position`. */
  readonly history: TermHistory
}

export const ARCHIVE = 'archive'

export type Choice =
  | { readonly type: 'chosen'; readonly tail: Tail; readonly counted: readonly string[] }
  /** A higher term exists: this proposer is finished. */
  | { readonly type: 'fenced'; readonly term: number }
  /** Not (yet) enough: `reason` names what is missing, for people. */
  | { readonly type: 'refused'; readonly reason: string }

/**
 * The tail with the highest (last term, position) among a majority of the safekeepers and the archive: never just the
 * longest, because a longer log of an older term holds nothing that was ever acknowledged beyond the newer one's start.
 *
 * `archive` is undefined if it is empty; if it could not be read, do not ask. A disk that is `fresh` may have
 * acknowledged more than it holds. Under `archived` durability it counts all the same: whatever was acknowledged is in
 * the archive too. Under `quorum` durability only the disks vouch for the newest entries, so it does not count. The first
 * disk of a zone that never took part has nothing to forget, and is not `fresh`.
 */
export function chooseTail(
  votes: readonly VoteResponse[],
  archive: ArchiveTail | undefined,
  electorate: Electorate,
): Choice {
  // The archive may be ahead of the votes: whoever was granted a later term has archived since they were given.
  const higher = Math.max(...votes.map((vote) => vote.term), archive?.lastTerm ?? 0)
  if (higher > electorate.term) return { type: 'fenced', term: higher }
  const counted = countedVotes(votes, electorate)
  const needed = majorityOf(electorate.zones.length)
  if (counted.length < needed) return { type: 'refused', reason: shortfall(votes, counted, needed, electorate) }
  const candidates = counted.map(tailOfVote)
  if (archive) candidates.push(tailOfArchive(archive))
  const tail = candidates.reduce((best, candidate) => (isAhead(candidate, best) ? candidate : best))
  const twin = candidates.find((other) => isLevel(other, tail) && other.chain !== tail.chain)
  if (twin) return { type: 'refused', reason: contradiction(tail, twin) }
  return { type: 'chosen', tail, counted: counted.map(({ zone }) => zone) }
}

/**
 * History of the new term: that of its tail, and the term itself, without terms that wrote nothing. Where starts fail for days there
 * would be too many of them for a message. They are not missed: a term ends where it began, which is where the one before it ends.
 * The first entry stays, since it may stand for a term that began before what was read.
 */
export function nextHistory(tail: Tail, term: number): TermHistory {
  const history = [...tail.history, { term, begin: tail.position }]
  return history.filter(({ begin }, at) => at === 0 || begin !== history[at + 1]?.begin)
}

/**
 * The highest position up to which two logs are known to be the same: the end, in the log where it ends first, of the
 * last term that both reach into. Undefined if nothing is known to be common. A log that is still being written by the
 * last term of its history (the proposer's own) has the end Infinity.
 *
 * Terms are matched by number, not by place in the list: a term that wrote nothing may be missing from the archive's
 * history, whose first entry may also begin later than its term did. Two other begins of one term are a contradiction
 * and count as nothing in common.
 */
export function commonPoint(
  historyA: TermHistory,
  endA: number,
  historyB: TermHistory,
  endB: number,
): number | undefined {
  const a = cutHistory(historyA, endA)
  const b = cutHistory(historyB, endB)
  for (let i = a.length - 1, j = b.length - 1; i >= 0 && j >= 0; ) {
    const left = a[i]!
    const right = b[j]!
    if (left.term === right.term) {
      if (left.begin !== right.begin && i > 0 && j > 0) return undefined
      return Math.min(a[i + 1]?.begin ?? endA, b[j + 1]?.begin ?? endB)
    }
    if (left.term > right.term) i--
    else j--
  }
  // Logs that both begin where the timeline does have at least that in common.
  return (a[0]?.begin ?? 0) === 0 && (b[0]?.begin ?? 0) === 0 ? 0 : undefined
}

/** The entries that a log ending at `end` reaches; a term that begins exactly there is one of them. */
export function cutHistory(history: TermHistory, end: number): TermHistory {
  let length = history.length
  while (length > 0 && history[length - 1]!.begin > end) length--
  return length === history.length ? history : history.slice(0, length)
}

/** Term of the last entry, 0 if there is none. */
export function lastTermOf(history: TermHistory): number {
  return history[history.length - 1]?.term ?? 0
}

/** The entry whose term wrote the byte at `position`, or undefined if that is before the history. */
export function entryAt(history: TermHistory, position: number): TermBegin | undefined {
  for (let at = history.length - 1; at >= 0; at--) if (history[at]!.begin <= position) return history[at]
  return undefined
}

/** Where the log written by the term of the byte at `position` ends: Infinity for the last term. */
export function termEndAfter(history: TermHistory, position: number): number {
  for (const { begin } of history) if (begin > position) return begin
  return Number.POSITIVE_INFINITY
}

/** One vote per member that refuses lower terms, without those whose disk may have forgotten what only disks know. */
function countedVotes(votes: readonly VoteResponse[], electorate: Electorate): readonly VoteResponse[] {
  const { term, zones, durability } = electorate
  const perZone = new Map(votes.map((vote) => [vote.zone, vote]))
  return [...perZone.values()].filter((vote) => {
    if (!zones.includes(vote.zone) || vote.term !== term) return false
    return !vote.fresh || durability === 'archived'
  })
}

function isAhead(one: Tail, other: Tail): boolean {
  if (one.lastTerm !== other.lastTerm) return one.lastTerm > other.lastTerm
  // Of two equal logs the archive's needs no safekeeper to be alive for it to be read.
  return one.position > other.position || (one.position === other.position && one.source === ARCHIVE)
}

function isLevel(one: Tail, other: Tail): boolean {
  return one.lastTerm === other.lastTerm && one.position === other.position
}

function tailOfVote({ zone, lastTerm, flushed, chain, history }: VoteResponse): Tail {
  return { source: zone, lastTerm, position: flushed, chain, history: cutHistory(history, flushed) }
}

function tailOfArchive({ lastTerm, end, chain, history }: ArchiveTail): Tail {
  return { source: ARCHIVE, lastTerm, position: end, chain, history: cutHistory(history, end) }
}

function shortfall(
  votes: readonly VoteResponse[],
  counted: readonly VoteResponse[],
  needed: number,
  { zones }: Electorate,
): string {
  const missing = `${counted.length} of ${zones.length} safekeepers count, ${needed} are needed`
  const fresh = votes.filter((vote) => vote.fresh && !counted.includes(vote)).map(({ zone }) => zone)
  if (fresh.length === 0) return missing
  return `${missing}: the disk in ${fresh.join(', ')} may have lost acknowledged entries that are not archived yet`
}

function contradiction(one: Tail, other: Tail): string {
  return `${one.source} and ${other.source} hold different bytes up to ${one.position} in term ${one.lastTerm}`
}
