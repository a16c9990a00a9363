/**
 * The oracle of disks that may have forgotten: fresh ones, and those that no writer has confirmed since they were opened. Under `archived`
 * durability such a disk counts in an election, together with the archive as it was after its vote: what the former writer got archived
 * until then may have been acknowledged by that zone before. So whatever the bucket held when the last vote of such a disk was
 * given that the election cannot have done without, the chosen tail is not behind it.
 */
import { majorityOf } from '../../actors/quorum.ts'
import type { Said } from '../cluster/said-watch.ts'
import { type ArchivedPlace, type ArchiveIndex, isAhead } from './archive-index.ts'
import type { OpenedLog, ReignObserver } from './reign-observer.ts'

export interface FreshVotesPorts {
  readonly archive: ArchiveIndex
  /** True once an object is not what was stored: beyond it the archive is not followed, and disks are believed that do not call themselves fresh. */
  readonly isRotten: () => boolean
  readonly zones: number
  readonly violated: (words: string) => void
}

interface Votes {
  /** Zones whose disks remember for certain. */
  readonly whole: Set<string>
  /** Of those that may not, in the order of their votes, and where the archive ended then. */
  readonly doubtful: Map<string, ArchivedPlace>
}

export class FreshVotes implements Pick<ReignObserver, 'opened'> {
  readonly #ports: FreshVotesPorts
  readonly #votes = new Map<number, Votes>()

  constructor(ports: FreshVotesPorts) {
    this.#ports = ports
  }

  said(zone: string, said: Said): void {
    if (said.kind !== 'vote') return
    const votes = this.#votes.get(said.term) ?? { whole: new Set(), doubtful: new Map() }
    this.#votes.set(said.term, votes)
    if (said.confirmed || (!said.fresh && this.#ports.isRotten())) votes.whole.add(zone)
    else if (!votes.doubtful.has(zone)) votes.doubtful.set(zone, this.#ports.archive.tail)
  }

  opened({ term, compute, lastTerm, position }: OpenedLog): void {
    const { violated, zones } = this.#ports
    const votes = this.#votes.get(term)
    if (!votes) return
    const counted = majorityOf(zones) - votes.whole.size
    const archived = counted > 0 ? [...votes.doubtful.values()][counted - 1] : undefined
    if (!archived || !isAhead(archived, { term: lastTerm, position })) return
    violated(
      `fresh votes: ${compute} begins term ${term} at ${position} of term ${lastTerm}, but when disks that may have forgotten voted for it the archive ended at ${archived.position} of term ${archived.term}`,
    )
  }
}
