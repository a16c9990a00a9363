/**
 * Compares copies of the log with what was durable: archived objects and what safekeepers hold. A copy may end early, and may
 * belong to a term that came to nothing; where it claims to be the committed log, it must be it. Under `archived` durability
 * the archive alone must hold all of it, as if every disk were lost now. Copies are only read.
 */
import { chainOver, chainSeed, FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import type { Durability } from '../../events/timeline.ts'
import { problemOf } from '../../runtime/errors.ts'
import { type ArchivePlace, ArchiveReader } from '../../runtime/log/archive.ts'
import { chainWithin, listLog, parseLogObject } from '../../runtime/log/archive-objects.ts'
import { run } from '../../runtime/system/run.ts'
import type { BucketView } from './bucket-view.ts'
import { type CommittedLog, stretchOf } from './committed-log.ts'

/** What one safekeeper said, in one piece: frames from where its log begins. */
export interface SafekeeperCopy {
  readonly zone: string
  /** Of its log's last entry. */
  readonly lastTerm: number
  readonly frames: Buffer
}

/** Every archived object, whoever wrote it. */
export async function checkArchivedObjects(log: CommittedLog, store: BucketView, timeline: string): Promise<string[]> {
  const problems: string[] = []
  for (const name of await listLog(store, timeline, 0)) {
    const object = parseLogObject(name, await run(store.read(name.key)))
    if (!object) {
      problems.push(`${name.key} is not a whole frame of that name`)
      continue
    }
    const stretch = stretchOf(log.history, object.term, log.end)
    if (!stretch) continue
    const from = Math.max(object.begin, stretch.from)
    const wrong = log
      .between(from, Math.min(object.end, stretch.to))
      .find((place) => chainWithin(object, place.position) !== place.chain)
    if (wrong)
      problems.push(`${name.key} holds other bytes up to ${wrong.position} than were durable in term ${wrong.term}`)
  }
  return problems
}

/** The archive read as an attach without any disk would read it. */
export async function checkArchiveAlone(
  log: CommittedLog,
  store: BucketView,
  timeline: string,
  from: ArchivePlace = { term: 0, position: 0, chain: chainSeed(timeline) },
): Promise<string[]> {
  const reader = new ArchiveReader(store, timeline)
  const whence = from.position === 0 ? '' : `, read from the snapshot at ${from.position} on,`
  try {
    const tail = await run(reader.findTail(from))
    if ((tail?.end ?? 0) < log.end)
      return [
        `the archive${whence} ends at ${tail?.end ?? 0} of term ${tail?.lastTerm ?? 0}, though ${log.end} was durable`,
      ]
    const check = new ChainCheck(log, from)
    await run(reader.read(tail!.history, from, log.end, async (bytes) => check.take(bytes)))
    return check.problem ? [`the archive${whence} ${check.problem}`] : []
  } catch (error) {
    return [`the archive alone${whence} cannot be read up to ${log.end}: ${problemOf(error)}`]
  }
}

/** Up to where the archived log is the committed one, if nothing is missing from it; 0 if there is none. */
export async function findArchivedEnd(log: CommittedLog, store: BucketView, timeline: string): Promise<number> {
  const from = { term: 0, position: 0, chain: chainSeed(timeline) }
  const tail = await run(new ArchiveReader(store, timeline).findTail(from))
  if (!tail) return 0
  // A later term need not have archived anything yet, and what the tail's own has beyond its begin came to nothing.
  const successor = log.history.find(({ term }) => term > tail.lastTerm)
  return Math.min(tail.end, successor?.begin ?? tail.end)
}

export function checkSafekeeper(log: CommittedLog, { zone, lastTerm, frames }: SafekeeperCopy): string[] {
  // By Raft's log matching its whole log is the committed one, up to where the next term begins.
  const stretch = stretchOf(log.history, lastTerm, log.end)
  if (!stretch || frames.length === 0) return []
  const first = readFrameHeader(frames, 0)
  if (typeof first === 'string') return [`${zone} sent a bad frame (${first})`]
  const check = new ChainCheck(log, { position: first.begin, chain: first.chainBefore }, stretch.to)
  for (let at = 0; at < frames.length; ) {
    const header = readFrameHeader(frames, at) as FrameHeader
    check.take(frames.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + header.length))
    at += FRAME_HEADER_BYTES + header.length
  }
  return check.problem ? [`the log of ${zone}, last written in term ${lastTerm}, ${check.problem}`] : []
}

/** After the last fault: what has become durable since is on a majority of the disks that there are. */
export function checkMajority(
  end: number,
  durability: Durability,
  flushed: ReadonlyMap<string, number>,
  zones: number,
): string[] {
  const holders = [...flushed.values()].filter((position) => position >= end).length
  if (holders > zones / 2) return []
  const seen = [...flushed].map(([zone, position]) => `${zone} ${position}`).join(', ')
  return [`${end} was durable (${durability}), but of ${zones} safekeepers only ${holders} hold it: ${seen}`]
}

/** Runs along bytes and compares the chain at every place that is known. */
class ChainCheck {
  problem = ''
  readonly #log: CommittedLog
  readonly #to: number
  #position: number
  #chain: number

  constructor(log: CommittedLog, from: { readonly position: number; readonly chain: number }, to = log.end) {
    this.#log = log
    this.#position = from.position
    this.#chain = from.chain
    this.#to = to
    this.#compare(log.between(from.position, from.position)[0], from.chain)
  }

  take(bytes: Uint8Array): void {
    let at = 0
    for (const place of this.#log.between(this.#position + 1, Math.min(this.#position + bytes.length, this.#to))) {
      const next = at + place.position - this.#position
      this.#chain = chainOver(bytes.subarray(at, next), this.#chain)
      this.#position = place.position
      at = next
      this.#compare(place, this.#chain)
    }
    this.#chain = chainOver(bytes.subarray(at), this.#chain)
    this.#position += bytes.length - at
  }

  #compare(place: ReturnType<CommittedLog['between']>[number] | undefined, chain: number): void {
    if (!place || place.position > this.#to || place.chain === chain || this.problem) return
    this.problem = `holds other bytes up to ${place.position} than were durable in term ${place.term}`
  }
}
