/**
 * The oracle of removals: an object stays as long as somebody may need it, and names are never given twice. As Loch collects
 * nothing, only three kinds of objects may ever go: snapshots of a journal that newer ones have replaced, what the probe of a
 * store has made, and all but the journal of a timeline whose deletion is durable. It is told of every creation and removal at the
 * moment at which the bucket carries it out, since what comes back or is replaced later would look right in the end.
 */
import { decodeBatch, isJournalFault } from '../../events/journal-format.ts'

export interface DeletionsPorts {
  /** What the bucket holds now. */
  readonly objects: ReadonlyMap<string, unknown>
  readonly violated: (words: string) => void
}

/** The newest, and the one before it for a reader that has just listed it. Said again here: journal.ts may be wrong. */
const SNAPSHOTS_KEPT = 2

const OF_PROBE = /^probe\/[^/]+$/
const JOURNAL_OF_TIMELINE = /^timelines\/([^/]+)\/journal\/\d+$/
const OF_TIMELINE = /^timelines\/([^/]+)\/(?:log|segments|index)\//
const JOURNAL_SNAPSHOT = /^(.+\/journal\/snapshots\/)\d+$/

export class Deletions {
  readonly #ports: DeletionsPorts
  /** Timelines whose journals say that they are being deleted. */
  readonly #deleted = new Set<string>()

  constructor(ports: DeletionsPorts) {
    this.#ports = ports
  }

  created(key: string, body: Uint8Array): void {
    const timeline = JOURNAL_OF_TIMELINE.exec(key)?.[1]
    if (timeline === undefined) return
    const batch = decodeBatch(body)
    if (isJournalFault(batch)) return
    if (batch.some(({ type }) => type === 'DeletionStarted')) this.#deleted.add(timeline)
  }

  /** `key` was there, and is not any more. */
  removed(key: string, by: string): void {
    const problem = this.#problemOf(key)
    if (problem !== undefined) this.#ports.violated(`deletions: ${by} has removed ${key}, ${problem}`)
  }

  #problemOf(key: string): string | undefined {
    if (OF_PROBE.test(key)) return undefined
    const snapshots = JOURNAL_SNAPSHOT.exec(key)?.[1]
    if (snapshots !== undefined) {
      const newer = [...this.#ports.objects.keys()].filter((other) => other.startsWith(snapshots) && other > key)
      return newer.length < SNAPSHOTS_KEPT ? `and ${newer.length} newer snapshots are left of the journal` : undefined
    }
    const timeline = OF_TIMELINE.exec(key)?.[1]
    if (timeline === undefined) return 'which nobody may ever remove'
    return this.#deleted.has(timeline) ? undefined : `but nobody has deleted the timeline ${timeline}`
  }
}
