/**
 * The oracle of what safekeepers say, at the moment they say it: a term that was told is on the disk and never goes back, in its
 * zone, whatever becomes of disks; it is voted for once; log that is called flushed would survive a loss of power now, over the bytes
 * of the term's writer; log that is called archived is in the bucket; and a disk that does not call itself fresh holds all that
 * its zone has held of the committed log. Copies of what was committed are counted in commit-copies.ts.
 */
import { cutHistory, lastTermOf } from '../../actors/compute/election.ts'
import type { Said } from '../cluster/said-watch.ts'
import type { SafekeeperObserver } from '../cluster/sim-zone.ts'
import type { SimDisk } from '../world/sim-disk.ts'
import type { ArchiveIndex } from './archive-index.ts'
import type { CommittedLog } from './committed-log.ts'
import { type Held, HeldLog } from './held-log.ts'

export interface Place {
  readonly position: number
  readonly chain: number
}

/** What is known of a zone; its disk may be another by now. */
export interface ZonePromises {
  readonly zone: string
  disk: SimDisk | undefined
  log: HeldLog
  /** The highest it has told. */
  term: number
  /** The furthest committed place that a disk of this zone has held, and which disk, after how many losses. */
  owes: (Place & { readonly disk: SimDisk | undefined; readonly losses: number | undefined }) | undefined
  /** By term, the disk on which its election was followed. */
  readonly followed: Map<number, { readonly disk: SimDisk; readonly losses: number }>
}

export interface PromisesPorts {
  readonly directory: string
  readonly log: CommittedLog
  readonly archive: ArchiveIndex
  readonly violated: (words: string) => void
}

export class Promises implements SafekeeperObserver {
  readonly #ports: PromisesPorts
  readonly #zones = new Map<string, ZonePromises>()

  constructor(ports: PromisesPorts) {
    this.#ports = ports
  }

  get zones(): Iterable<ZonePromises> {
    return this.#zones.values()
  }

  opened(name: string, disk: SimDisk): void {
    const zone = this.#zone(name, disk)
    zone.log.look()
    if (zone.log.hasRemains()) this.#violated(zone, 'opened a log with something else than zeros behind its end')
  }

  said(name: string, disk: SimDisk, said: Said): void {
    const zone = this.#zone(name, disk)
    const held = zone.log.look()
    this.#checkTerm(zone, held, said)
    // One that has withdrawn promises nothing any more, and tells what it had in mind.
    if (said.kind === 'status' && said.problem !== '') return
    // What is said in good faith of a disk that lies is no lie of whoever says it.
    if (disk.lies === 0) this.#checkDisk(zone, held, said)
    if (said.kind === 'ack' && said.archived > 0) this.#checkArchived(zone, said.archived)
    if (said.kind === 'elected' && said.ok) zone.followed.set(said.term, { disk, losses: disk.losses })
  }

  #checkDisk(zone: ZonePromises, held: Held, said: Said): void {
    if (said.flushed > 0) this.#checkFlushed(zone, held, said)
    if ('fresh' in said && !said.fresh) this.#checkMemory(zone, held, said)
  }

  #checkTerm(zone: ZonePromises, { control }: Held, said: Said): void {
    const { term } = said
    if (said.kind === 'vote' && said.granted && term <= zone.term)
      this.#violated(zone, `votes for term ${term}, but it has told of term ${zone.term} before`)
    if (term < zone.term)
      this.#violated(zone, `tells of term ${term} (${said.kind}), but it has told of term ${zone.term}`)
    if (term > (control?.term ?? 0))
      this.#violated(zone, `tells of term ${term} (${said.kind}), but its disk says ${control?.term ?? 'nothing'}`)
    zone.term = Math.max(zone.term, term)
  }

  #checkFlushed(zone: ZonePromises, held: Held, said: Said): void {
    const { flushed } = said
    const { control } = held
    const history = cutHistory(control?.history ?? [], flushed)
    if (flushed < held.begin || flushed > held.end) {
      this.#violated(zone, `calls ${flushed} flushed (${said.kind}), but its disk holds [${held.begin}, ${held.end})`)
      return
    }
    const chain = zone.log.chainAt(flushed)
    if ('chain' in said && chain !== said.chain)
      this.#violated(zone, `calls ${flushed} flushed (${said.kind}), but its disk holds other bytes up to there`)
    const isOfTerm = said.kind === 'ack' || said.kind === 'elected'
    const lastTerm = isOfTerm ? said.term : said.lastTerm
    if (lastTermOf(isOfTerm ? (control?.history ?? []) : history) !== lastTerm)
      this.#violated(zone, `calls ${flushed} flushed in term ${lastTerm} (${said.kind}), but its disk names another`)
    this.#checkBytes(zone, held, lastTerm, flushed)
  }

  /** Two logs of one term are the same, as far as both reach. */
  #checkBytes(zone: ZonePromises, held: Held, term: number, flushed: number): void {
    const reign = this.#ports.log.reign(term)
    const places: Place[] = []
    if (reign && reign.position <= flushed) places.push(reign)
    const committed = reign && this.#ports.log.lastOf(term, flushed)
    if (committed) places.push(committed)
    for (const { position, chain } of places) {
      if (position < held.begin || zone.log.chainAt(position) === chain) continue
      this.#violated(zone, `holds other bytes up to ${position} than the writer of term ${term}`)
    }
  }

  #checkMemory(zone: ZonePromises, held: Held, said: Said): void {
    const { owes, disk } = zone
    const { archive } = this.#ports
    if (!owes || holds(zone.log, held, owes, archive)) return
    // An election drops log that nobody needs from here any more, and may be cut short by a crash. A disk that is another does not.
    if (owes.disk === disk && owes.losses === disk?.losses && isElsewhere(owes, archive)) return
    this.#violated(
      zone,
      `does not call itself fresh (${said.kind}), but its disk holds [${held.begin}, ${held.end}), and not what it had of the committed log up to ${owes.position}`,
    )
  }

  #checkArchived(zone: ZonePromises, archived: number): void {
    const chain = zone.log.chainAt(archived)
    // What was trimmed cannot be compared; it was looked at before.
    if (chain === undefined || this.#ports.archive.reaches(archived, chain)) return
    this.#violated(zone, `calls ${archived} archived, but the bucket does not hold its log up to there`)
  }

  #zone(name: string, disk: SimDisk): ZonePromises {
    const log = new HeldLog(disk, this.#ports.directory)
    let zone = this.#zones.get(name)
    if (zone === undefined) {
      zone = { zone: name, disk, log, term: 0, owes: undefined, followed: new Map() }
      this.#zones.set(name, zone)
    }
    if (zone.disk !== disk) Object.assign(zone, { disk, log })
    return zone
  }

  #violated({ zone }: ZonePromises, words: string): void {
    this.#ports.violated(`the safekeeper of ${zone} ${words}`)
  }
}

/** True if a disk holds the log up to `place`, or need not: it is archived, or a snapshot has it. */
export function holds(log: HeldLog, held: Held, { position, chain }: Place, archive: ArchiveIndex): boolean {
  if (position < held.begin) return isElsewhere({ position, chain }, archive)
  return position <= held.end && log.chainAt(position) === chain
}

function isElsewhere({ position, chain }: Place, archive: ArchiveIndex): boolean {
  return archive.snapshotPosition >= position || archive.reaches(position, chain)
}
