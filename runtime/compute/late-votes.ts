/**
 * Votes of zones that did not answer at once, for an election that has to wait anyway: whoever starts after a majority has voted need not
 * be done without. What makes them enough is the election's business.
 */
import type { VoteResponse } from '../../events/safekeeper-wire.ts'
import { sleep } from '../system/timers.ts'
import type { ReignPorts } from './reign-ports.ts'
import { requestVote } from './safekeeper-requests.ts'

const AGAIN_AFTER_MS = 200

/** Asks until `isEnough` says so of all that came, or `forMs` have passed. Never rejects. */
export function collectLateVotes(
  ports: ReignPorts,
  term: number,
  zones: readonly string[],
  forMs: number,
  isEnough: (late: readonly VoteResponse[]) => boolean,
): Promise<readonly VoteResponse[]> {
  return new Promise((resolve) => {
    const late: VoteResponse[] = []
    let isOver = false
    const end = () => {
      isOver = true
      cancel()
      resolve(late)
    }
    const cancel = ports.timers.after(forMs, end)
    const ask = async (zone: string) => {
      while (!isOver) {
        const vote = await requestVote(ports, zone, term).catch(() => undefined)
        // A disk that had no room for the term has promised nothing, and may later.
        if (vote && vote.term >= term && !isOver) {
          late.push(vote)
          return void (isEnough(late) && end())
        }
        await sleep(ports.timers, AGAIN_AFTER_MS)
      }
    }
    for (const zone of zones) void ask(zone)
  })
}
