/**
 * Votes and elections as they reach a safekeeper: the acceptor decides, and here it is made true on disk, in the order
 * that the acceptor's comments demand, before the answer leaves.
 */
import { adopt, elected, isElected, raiseTerm, vote, voteResponse } from '../../actors/safekeeper/acceptor.ts'
import type { Elected, ElectedResponse, VoteRequest, VoteResponse } from '../../events/safekeeper-wire.ts'
import type { Keeper } from './keeper.ts'

/** Answers a request for a vote. Throws DiskFailed: then nothing may be answered. */
export function giveVote(keeper: Keeper, request: VoteRequest): VoteResponse {
  const { state } = keeper
  keeper.flush()
  const granted = vote(state, request)
  if (granted) keeper.save()
  return voteResponse(state, granted)
}

export interface ElectionOutcome {
  readonly response: ElectedResponse
  /** The log was made the new writer's: a new term begins here. */
  readonly adopted: boolean
}

/** Takes an election in. Throws DiskFailed, Damaged: then nothing may be answered. */
export function takeElection(keeper: Keeper, message: Elected): ElectionOutcome {
  const { state, log } = keeper
  keeper.flush()
  const decision = elected(state, message)
  switch (decision.type) {
    case 'ignore':
      return { response: answer(keeper, `term ${state.term} has begun`), adopted: false }
    case 'refuse':
      return { response: answer(keeper, decision.problem), adopted: false }
    case 'known':
      return { response: answer(keeper, undefined), adopted: false }
    case 'cut':
    case 'restart': {
      raiseTerm(state, message.term)
      keeper.save()
      if (decision.type === 'cut') keeper.cut(decision.truncateTo)
      else keeper.restart(decision.start, decision.chain)
      adopt(state, message, { begin: log.begin.position, end: log.end, chain: log.chain })
      keeper.save()
      keeper.flush()
      return { response: answer(keeper, undefined), adopted: true }
    }
  }
}

function answer({ state }: Keeper, fault: string | undefined): ElectedResponse {
  const { zone, term, chain } = state
  const flushed = isElected(state) ? state.flushed : 0
  return { zone, ok: fault === undefined, term, flushed, chain, fault }
}
