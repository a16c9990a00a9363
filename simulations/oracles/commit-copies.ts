/**
 * The oracle that counts copies. When a term's log is opened, a majority of disks refuses older terms and holds the tail; when a position
 * becomes durable, a majority of disks holds it, and under `archived` durability the bucket does. What counts is what
 * would be left if every host lost power in that moment. A disk that was lost since it was counted is forgiven,
 * and so is one that lies: of its zone's copies nothing is known.
 */
import { lastTermOf } from '../../actors/compute/election.ts'
import { majorityOf } from '../../actors/quorum.ts'
import type { Durability } from '../../events/timeline.ts'
import type { ArchiveIndex } from './archive-index.ts'
import { holds, type Place, type Promises, type ZonePromises } from './promises.ts'
import type { OpenedLog, ReignObserver } from './reign-observer.ts'

export interface CommitCopiesPorts {
  readonly promises: Promises
  readonly archive: ArchiveIndex
  readonly durability: Durability
  readonly zones: number
  readonly violated: (words: string) => void
}

export class CommitCopies implements ReignObserver {
  readonly #ports: CommitCopiesPorts

  constructor(ports: CommitCopiesPorts) {
    this.#ports = ports
  }

  opened({ term, compute, position, chain }: OpenedLog): void {
    const { violated, zones } = this.#ports
    const fenced = this.#count(term, { position, chain }, () => {})
    if (fenced >= majorityOf(zones)) return
    violated(`copies: ${compute} begins term ${term} at ${position}, but of ${zones} disks only ${fenced} follow it`)
  }

  durable(term: number, position: number, chain: number): void {
    const { archive, durability, violated, zones } = this.#ports
    const place = { position, chain }
    const copies = this.#count(term, place, (zone) => {
      if ((zone.owes?.position ?? 0) < position) zone.owes = { ...place, disk: zone.disk, losses: zone.disk?.losses }
    })
    if (copies < majorityOf(zones))
      violated(`copies: ${position} of term ${term} is called durable, but of ${zones} disks only ${copies} hold it`)
    if (durability === 'archived' && !archive.reaches(position, chain))
      violated(`copies: ${position} of term ${term} is called durable, but the bucket does not hold it`)
  }

  /** Disks that hold the place in the log of `term` or a later one. */
  #count(term: number, place: Place, counted: (zone: ZonePromises) => void): number {
    const { archive, promises } = this.#ports
    let count = 0
    for (const zone of promises.zones) {
      const held = zone.log.look()
      const isHolder = holds(zone.log, held, place, archive)
      if (isHolder) counted(zone)
      const follows = lastTermOf(held.control?.history ?? []) >= term && (held.control?.term ?? 0) >= term
      const isLost = hasLost(zone, term, held.control?.fresh === true)
      if ((isHolder && follows) || isLost) count++
    }
    return count
  }
}

/** True if a disk that followed the term has been lost or damaged since: what it held then was counted rightly. */
function hasLost({ disk, followed }: ZonePromises, term: number, isFresh: boolean): boolean {
  const before = followed.get(term)
  return before !== undefined && (isFresh || before.disk !== disk || before.losses !== disk.losses || disk.lies > 0)
}
