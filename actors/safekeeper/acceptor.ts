/**
 * The acceptor: what a safekeeper promises. A plain reducer, because it runs for every frame; the state is one object
 * that its owner keeps and that only the functions here change. No disk, network or clock: the owner makes true on disk
 * what a function says, in the order its comment gives, before anybody hears of it.
 *
 * After Raft and Neon's safekeeper:
 *  - A vote is given for a strictly higher term only, and the term is on disk before the answer leaves.
 *  - A term's frames are taken only after its election was heard of: then the log is cut to where it agrees with the
 *    proposer's, and only then does `flushed` count for that term.
 *  - The history is adopted whole and may run past the log: it is cut to the log's end whenever it is used.
 *  - Nothing that is known to be settled (archived and on a majority) is ever cut off.
 */
import type { FrameHeader } from '../../events/frame.ts'
import type { Elected, TermHistory, Vote, VoteRequest } from '../../events/safekeeper-wire.ts'
import { commonPoint, cutHistory, lastTermOf } from '../compute/election.ts'

export interface Acceptor {
  readonly zone: string
  readonly diskId: string
  /** Of this opening of the disk: what was said to an earlier one is not for this one. */
  readonly incarnation: string
  /** Highest term seen; on disk. */
  term: number
  /** As adopted from the last election heard of; on disk. */
  history: TermHistory
  /** First position of the local log. */
  begin: number
  /** Written, not necessarily flushed. */
  end: number
  /** Chain at `end`. */
  chain: number
  flushed: number
  /** In the object store under the present term, as this safekeeper made sure itself. */
  archived: number
  /** Archived and on a majority, by the word of an elected writer. Local log below may go. */
  settled: number
  /** Term whose archiving is this safekeeper's duty, 0 if none. */
  dutyTerm: number
  /** May hold less than was acknowledged from here: see VoteResponse. On disk. */
  fresh: boolean
  /**
   * Found to hold all that was acknowledged from here since the disk was opened, so never while fresh. Until then it is only believed: a
   * disk that lied about its syncs and lost power does not know.
   */
  confirmed: boolean
  /** The log up to here is all that can have been acknowledged. Known once an elected writer has said so to this opening. */
  mustHold: number | undefined
}

/** What a disk says of itself when it is opened. */
export type Opened = Pick<
  Acceptor,
  'zone' | 'diskId' | 'incarnation' | 'term' | 'history' | 'begin' | 'end' | 'chain' | 'settled' | 'fresh'
>

/** The state for a log that was opened and checked, all of it flushed. */
export function openAcceptor(opened: Opened): Acceptor {
  return { ...opened, flushed: opened.end, archived: 0, dutyTerm: 0, confirmed: false, mustHold: undefined }
}

/**
 * Decides on a vote. Flush first; if it returns true, put the term on disk, then `raiseTerm`, then answer with `voteResponse`,
 * and archive no longer. A term that cannot be put on disk was not promised: the vote is refused.
 */
export function vote(state: Acceptor, request: VoteRequest): boolean {
  return request.term > state.term
}

/** The answer to a vote request, whatever the verdict. */
export function voteResponse(state: Acceptor, granted: boolean): Vote {
  const history = cutHistory(state.history, state.flushed)
  const { zone, term, flushed, chain, diskId, incarnation, fresh, confirmed } = state
  const log = { lastTerm: lastTermOf(history), flushed, chain, history }
  return { zone, granted, term, ...log, diskId, incarnation, fresh, confirmed }
}

/**
 * True once the election of the present term has been heard of: frames of it are taken, and `flushed` counts for it. A
 * fresh disk must hear of it whenever it is opened, because only so it learns what it must hold.
 */
export function isElected(state: Acceptor): boolean {
  const isAware = !state.fresh || state.mustHold !== undefined
  return isAware && state.term > 0 && lastTermOf(state.history) === state.term
}

export type ElectedDecision =
  /** My term is higher: answer with it. */
  | { readonly type: 'ignore' }
  | { readonly type: 'refuse'; readonly problem: string }
  /** A repetition: `repeat`, and answer as after the first. */
  | { readonly type: 'known' }
  /** Put the term on disk, cut the log to `truncateTo`, put the history on disk, then `adopt`. */
  | { readonly type: 'cut'; readonly truncateTo: number }
  /** Put the term on disk, drop the log, begin one at `start`, put the history on disk, then `adopt`. */
  | { readonly type: 'restart'; readonly start: number; readonly chain: number }

/** Decides on an election; flush first. Changes nothing. */
export function elected(state: Acceptor, message: Elected): ElectedDecision {
  if (message.term < state.term) return { type: 'ignore' }
  if (message.incarnation !== state.incarnation) return refuse('this disk was opened anew since its vote')
  if (lastTermOf(message.history) !== message.term) return refuse(`its history does not end with term ${message.term}`)
  if (isKnown(state, message) && !mustBeginAnew(state, message)) return { type: 'known' }
  const common = commonPoint(message.history, Number.POSITIVE_INFINITY, state.history, state.end) ?? 0
  if (common !== message.truncateTo) {
    return refuse(`the logs part at ${common}, the proposer says ${message.truncateTo}`)
  }
  return message.start === message.truncateTo && common >= state.begin
    ? decideCut(state, common)
    : decideRestart(state, message)
}

/** Takes the election in, after the log on disk has been made what was decided: `log` is how it now stands. */
export function adopt(state: Acceptor, message: Elected, log: Pick<Acceptor, 'begin' | 'end' | 'chain'>): void {
  // Adopted before, and yet not known: the log that followed was lost.
  if (isKnown(state, message)) forget(state)
  raiseTerm(state, message.term)
  state.mustHold = message.written
  state.history = message.history
  state.begin = log.begin
  state.end = log.end
  state.flushed = log.end
  state.chain = log.chain
}

/** It has turned out that this log holds less than was acknowledged from here. What it must hold, and that it archives, it is told again. */
export function forget(state: Acceptor): void {
  state.fresh = true
  state.confirmed = false
  state.mustHold = undefined
  state.dutyTerm = 0
}

/** Takes in an election that is known: to a disk that was opened since, it says what it must hold. */
export function repeat(state: Acceptor, message: Elected): void {
  state.mustHold ??= message.written
}

/** Takes note of a higher term, which ends archive duty. Put it on disk before anything is done under it. */
export function raiseTerm(state: Acceptor, term: number): void {
  if (term <= state.term) return
  state.term = term
  state.archived = 0
  state.dutyTerm = 0
}

/**
 * `append`: write it, then `appended`. `overlap`: begins before the end; if the bytes in common are the same, what lies
 * beyond may be appended. `diverged`: the writer's log is not the one that this safekeeper holds: its log or the
 * writer's is damaged.
 */
export type AppendVerdict = 'append' | 'overlap' | 'gap' | 'fenced' | 'not-elected' | 'diverged'

/** Decides on a frame whose header and payload have been checked. Allocates nothing. */
export function append(state: Acceptor, frame: FrameHeader): AppendVerdict {
  if (frame.term < state.term) return 'fenced'
  if (frame.term > state.term || !isElected(state)) return 'not-elected'
  if (frame.begin > state.end) return 'gap'
  if (frame.begin < state.end) return 'overlap'
  return frame.chainBefore === state.chain ? 'append' : 'diverged'
}

/** The frame has been written, not flushed. */
export function appended(state: Acceptor, frame: FrameHeader): void {
  state.end = frame.begin + frame.length
  state.chain = frame.chainAfter
  noteSettled(state, frame.archived)
}

/** The writer's word on what is archived and on a majority; what this log does not hold cannot be vouched for. */
export function noteSettled(state: Acceptor, position: number): void {
  if (position > state.settled) state.settled = Math.min(position, state.end)
}

/** Everything below `position` is on disk. True if a fresh disk has just caught up: put `fresh` on disk before answering. */
export function flushedTo(state: Acceptor, position: number): boolean {
  if (position > state.flushed) state.flushed = position
  if (state.confirmed || !isElected(state)) return false
  // An elected writer's log holds all that was acknowledged before its term, and nothing else was acknowledged in it.
  if (state.mustHold === undefined || state.flushed < state.mustHold) return false
  const wasFresh = state.fresh
  state.fresh = false
  state.confirmed = true
  return wasFresh
}

function isKnown(state: Acceptor, { term, history }: Elected): boolean {
  const mine = state.history[state.history.length - 1]
  const its = history[history.length - 1]
  return state.term === term && mine?.term === term && mine.begin === its?.begin
}

/**
 * A log that was damaged since it adopted the election, or that a disk lost which had called it synced, may be so short that the
 * writer has nothing to go on from there.
 */
function mustBeginAnew(state: Acceptor, { start, startChain }: Elected): boolean {
  return startChain !== undefined && start > state.end
}

function decideCut(state: Acceptor, truncateTo: number): ElectedDecision {
  if (truncateTo >= state.settled) return { type: 'cut', truncateTo }
  return refuse(`it would cut the log to ${truncateTo}, and everything up to ${state.settled} is settled`)
}

/** A log may be forgotten only in favour of one that begins within the archive, at or after all that is settled. */
function decideRestart(state: Acceptor, message: Elected): ElectedDecision {
  const { truncateTo, start, startChain, archivedFrom } = message
  if (start < truncateTo) return refuse(`it would forget the log from ${start} on, which is good up to ${truncateTo}`)
  if (startChain === undefined) return refuse(`it does not say with which chain the log begins at ${start}`)
  if (start > archivedFrom) return refuse(`the log cannot begin at ${start}: it is archived up to ${archivedFrom}`)
  if (start >= state.settled) return { type: 'restart', start, chain: startChain }
  return refuse(`the log cannot begin at ${start}: everything up to ${state.settled} is settled`)
}

const refuse = (problem: string): ElectedDecision => ({ type: 'refuse', problem })
