/**
 * The archived log as it stands at any moment of a run: which places of the timeline's log the bucket's objects lead to, from the first
 * byte or a recorded snapshot on, joined by their chains. Objects of terms that came to nothing are places too. It is told of every creation, keeps
 * every object, and is never asked of the store.
 */
import { chainSeed } from '../../events/frame.ts'
import { decodeBatch, isJournalFault } from '../../events/journal-format.ts'
import { chainWithin, type LogObject, parseLogObject } from '../../runtime/log/archive-objects.ts'
import { logPrefix, timelineJournal } from '../../runtime/log/keys.ts'

const NAME = /^(\d{8,})-(\d{16,})$/

export interface ArchivedPlace {
  readonly term: number
  readonly position: number
}

export class ArchiveIndex {
  readonly #prefix: string
  readonly #journal: string
  /** Chains by position: the first byte's, and those at snapshots, which need no log before them. */
  readonly #roots = new Map<number, Set<number>>()
  /** Those that can be reached, by where they begin as they came. */
  readonly #joined: LogObject[] = []
  #waiting: LogObject[] = []
  #tail: ArchivedPlace = { term: 0, position: 0 }
  /** Of the newest recorded snapshot: what was committed before it is in it. */
  snapshotPosition = 0

  constructor(timeline: string) {
    this.#prefix = logPrefix(timeline)
    this.#journal = timelineJournal(timeline)
    this.#addRoot(0, chainSeed(timeline))
  }

  /** The end of the newest term's log that can be reached. */
  get tail(): ArchivedPlace {
    return this.#tail
  }

  created(key: string, body: Uint8Array): void {
    if (key.startsWith(this.#journal)) this.#noteSnapshots(body)
    const match = key.startsWith(this.#prefix) ? NAME.exec(key.slice(this.#prefix.length)) : null
    if (!match) return
    const name = { key, term: Number(match[1]), begin: Number(match[2]) }
    // The bytes may be the sender's again.
    const object = parseLogObject(name, Buffer.from(body))
    if (!object) return
    this.#waiting.push(object)
    this.#join()
  }

  /** True if all before `position` is in the bucket, over the bytes of `chain`. */
  reaches(position: number, chain: number): boolean {
    if (this.#roots.get(position)?.has(chain)) return true
    if (position === 0) return false
    // Nearly always it was among the last to come.
    return (
      this.#joined.findLast(
        (object) => object.begin < position && position <= object.end && chainWithin(object, position) === chain,
      ) !== undefined
    )
  }

  /** A batch repeats what came before it; a snapshot of the journal is no batch. */
  #noteSnapshots(body: Uint8Array): void {
    const batch = decodeBatch(body)
    if (isJournalFault(batch)) return
    for (const { type, payload } of batch) {
      const { position, chain } = payload
      if (type !== 'SnapshotRecorded') continue
      this.#addRoot(position as number, chain as number)
      this.snapshotPosition = Math.max(this.snapshotPosition, position as number)
    }
    this.#join()
  }

  #addRoot(position: number, chain: number): void {
    this.#roots.set(position, (this.#roots.get(position) ?? new Set()).add(chain))
  }

  #join(): void {
    for (let joined = this.#joinOne(); joined; ) joined = this.#joinOne()
  }

  /** A snapshot may lie within an object. */
  #joins(object: LogObject): boolean {
    if (this.reaches(object.begin, object.chainBefore)) return true
    for (const [position, chains] of this.#roots) {
      if (object.begin < position && position < object.end && chains.has(chainWithin(object, position) ?? -1))
        return true
    }
    return false
  }

  #joinOne(): boolean {
    const at = this.#waiting.findIndex((object) => this.#joins(object))
    if (at < 0) return false
    const object = this.#waiting.splice(at, 1)[0]!
    this.#joined.push(object)
    const { term, end } = object
    if (isAhead({ term, position: end }, this.#tail)) this.#tail = { term, position: end }
    return true
  }
}

export function isAhead(one: ArchivedPlace, other: ArchivedPlace): boolean {
  return one.term > other.term || (one.term === other.term && one.position > other.position)
}
