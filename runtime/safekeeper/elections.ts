/**
 * Votes and elections as they reach a safekeeper: the acceptor decides, and here it is made true on disk, in the order
 * that the acceptor's comments demand, before the answer leaves.
 */
import {
  adopt,
  type ElectedDecision,
  elected,
  isElected,
  repeat,
  vote,
  voteResponse,
} from '../../actors/safekeeper/acceptor.ts'
import type { Elected, ElectedResponse, Vote, VoteRequest } from '../../events/safekeeper-wire.ts'
import { describe } from '../errors.ts'
import type { NotSaved } from './control-file.ts'
import { type Keeper, trySaving } from './keeper.ts'

export interface VoteOutcome {
  readonly response: Vote
  /** Why a vote that could have been given was refused. */
  readonly unsaved: NotSaved | undefined
}

/** Answers a request for a vote. Throws DiskFailed: then nothing may be answered. */
export function giveVote(keeper: Keeper, request: VoteRequest): VoteOutcome {
  const { state } = keeper
  keeper.flush()
  if (!vote(state, request)) return { response: voteResponse(state, false), unsaved: undefined }
  const unsaved = trySaving(() => keeper.promise(request.term))
  return { response: voteResponse(state, unsaved === undefined), unsaved }
}

export interface ElectionOutcome {
  readonly response: ElectedResponse
  /** The log was made the new writer's: a new term begins here. */
  readonly adopted: boolean
}

/** Takes an election in. Throws DiskFailed, Damaged: then nothing may be answered. */
export function takeElection(keeper: Keeper, message: Elected): ElectionOutcome {
  const { state } = keeper
  keeper.flush()
  const decision = elected(state, message)
  switch (decision.type) {
    case 'ignore':
      return { response: answer(keeper, `term ${state.term} has begun`), adopted: false }
    case 'refuse':
      return { response: answer(keeper, decision.problem), adopted: false }
    case 'known':
      repeat(state, message)
      keeper.flush()
      return { response: answer(keeper, undefined), adopted: false }
    case 'cut':
    case 'restart': {
      const unsaved = trySaving(() => keeper.promise(message.term)) ?? follow(keeper, message, decision)
      return { response: answer(keeper, unsaved && describe(unsaved)), adopted: unsaved === undefined }
    }
  }
}

type Change = Extract<ElectedDecision, { readonly type: 'cut' | 'restart' }>

function follow(keeper: Keeper, message: Elected, decision: Change): NotSaved | undefined {
  const { state, log } = keeper
  if (decision.type === 'cut') keeper.cut(decision.truncateTo)
  else keeper.restart(decision.start, decision.chain)
  const { history } = state
  adopt(state, message, { begin: log.begin.position, end: log.end, chain: log.chain })
  const unsaved = trySaving(() => keeper.save())
  // What is not on disk has not been adopted: the election must be heard of again.
  if (unsaved) state.history = history
  else keeper.flush()
  return unsaved
}

function answer({ state }: Keeper, fault: string | undefined): ElectedResponse {
  const { zone, term, chain } = state
  const flushed = isElected(state) ? state.flushed : 0
  return { zone, ok: fault === undefined, term, flushed, chain, fault }
}
