/**
 * Reading a stretch of the archived log, when it is known which log is meant: the history says which term's objects hold
 * which positions. Every byte is checked by its object's checksum and by the chain that runs from object to object.
 */
import { entryAt, termEndAfter } from '../../actors/compute/election.ts'
import { FRAME_PAYLOAD_BYTES_MAX } from '../../events/frame.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import { Damaged, ObjectMissing } from '../errors.ts'
import { chainWithin, type LogName, type LogObject, type LogObjects, mayReachBeyond } from './archive-objects.ts'
import { logKey } from './keys.ts'

/** Small objects are handed over together, up to this much, because the taker is in another thread. Fits in a frame. */
const CHUNK_BYTES_MAX = 512 * 1024

export interface LogPlace {
  readonly position: number
  readonly chain: number
}

/** Takes log bytes in order; called again only after it has resolved. At most one frame's payload. */
export type TakeLogBytes = (bytes: Buffer, position: number) => Promise<void>

/**
 * Hands [from, to) to `take`. Rejects with Damaged or ObjectMissing, naming the object, or with the store's error, after all has
 * been handed over that could be read: another source may go on from there.
 */
export async function readRange(
  objects: LogObjects,
  timeline: string,
  names: readonly LogName[],
  history: TermHistory,
  from: LogPlace,
  to: number,
  take: TakeLogBytes,
): Promise<void> {
  const chunks = new Chunks(from.position, take)
  let place = from
  try {
    while (place.position < to) {
      const term = entryAt(history, place.position)?.term
      if (term === undefined) throw missing(timeline, history[0]?.term ?? 0, place.position)
      const end = Math.min(to, termEndAfter(history, place.position))
      const ofTerm = names.filter((name) => name.term === term && name.begin < end)
      place = await readTerm(objects, timeline, ofTerm, term, place, end, chunks)
    }
  } finally {
    if (!chunks.hasFailed) await chunks.flush()
  }
}

async function readTerm(
  objects: LogObjects,
  timeline: string,
  names: readonly LogName[],
  term: number,
  from: LogPlace,
  end: number,
  chunks: Chunks,
): Promise<LogPlace> {
  let { position, chain } = from
  let torn: LogName | undefined
  const use = async (object: LogObject): Promise<void> => {
    if (chainWithin(object, position) !== chain) throw contradiction(object, position)
    const stop = Math.min(object.end, end)
    await chunks.add(object.payload.subarray(position - object.begin, stop - object.begin))
    chain = chainWithin(object, stop)
    position = stop
  }
  const useAll = async (some: readonly LogName[]): Promise<void> => {
    for await (const [name, object] of objects.inOrder(some)) {
      if (name.begin > position) return
      if (!object) torn = name
      else if (object.end > position) await use(object)
      if (position === end) return
    }
  }
  await useAll(await candidates(objects, names, position))
  // Another archiver has cut the log otherwise: where those leave a hole, one that begins before may lead on.
  for (let before = -1; position < end && before < position; ) {
    before = position
    await useAll(
      names.filter((name) => name.begin + FRAME_PAYLOAD_BYTES_MAX > position && mayReachBeyond(name, position)),
    )
  }
  if (position === end) return { position, chain }
  if (torn && torn.begin + FRAME_PAYLOAD_BYTES_MAX > position) throw damaged(torn)
  throw missing(timeline, term, position)
}

/** Those that may hold `position` or something after it: usually one begins there, and none before it need be read. */
async function candidates(
  objects: LogObjects,
  names: readonly LogName[],
  position: number,
): Promise<readonly LogName[]> {
  const exact = names.findIndex(({ begin }) => begin === position)
  if (exact >= 0 && (await objects.get(names[exact]!))) return names.slice(exact)
  return names.filter(({ begin }) => begin + FRAME_PAYLOAD_BYTES_MAX > position)
}

/** Gathers small pieces. */
class Chunks {
  readonly #take: TakeLogBytes
  #position: number
  #pieces: Buffer[] = []
  #bytes = 0
  /** Whoever takes has failed, and is given nothing more. */
  hasFailed = false

  constructor(position: number, take: TakeLogBytes) {
    this.#position = position
    this.#take = take
  }

  async add(piece: Buffer): Promise<void> {
    if (piece.length === 0) return
    if (this.#bytes + piece.length > CHUNK_BYTES_MAX) await this.flush()
    this.#pieces.push(piece)
    this.#bytes += piece.length
  }

  async flush(): Promise<void> {
    if (this.#bytes === 0) return
    const [first] = this.#pieces
    const bytes = this.#pieces.length === 1 ? first! : Buffer.concat(this.#pieces, this.#bytes)
    const position = this.#position
    this.#position += this.#bytes
    this.#pieces = []
    this.#bytes = 0
    this.hasFailed = true
    await this.#take(bytes, position)
    this.hasFailed = false
  }
}

function damaged({ key }: LogName): Damaged {
  return new Damaged({
    component: 'archived log',
    value: key,
    problem: 'its checksum is wrong',
    remedy: 'The log is read from a safekeeper if one still holds it; else restore this object from a backup.',
  })
}

function contradiction({ key }: LogName, position: number): Damaged {
  return new Damaged({
    component: 'archived log',
    value: key,
    problem: `at position ${position} it does not continue the log before it`,
    remedy: 'The log is read from a safekeeper if one still holds it; else report this with the listing of log/.',
  })
}

function missing(timeline: string, term: number, position: number): ObjectMissing {
  return new ObjectMissing({
    component: 'archived log',
    value: logKey(timeline, term, position),
    problem: `no object holds the log from position ${position} on`,
    remedy: 'The log is read from a safekeeper if one still holds it; else restore the objects of log/ from a backup.',
  })
}
