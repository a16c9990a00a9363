/**
 * Reads a stretch of the chosen log from whoever has it: a safekeeper that holds the whole tail, else the archive. Every
 * byte is checked on the way: a frame must continue the chain of the one before, and at the end the chain must be the
 * tail's. So a source that is damaged, or holds another history, is noticed and the next one is asked; the first one again where
 * the archive ends.
 */
import { chainOver, checkPayload, FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import { Damaged, problemOf } from '../errors.ts'
import { readArchived } from '../log/archive.ts'
import { run } from '../system/run.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { requestFrames } from './safekeeper-requests.ts'

export interface Place {
  readonly position: number
  readonly chain: number
}

/** Takes whole entries; called in order, the next only after the last has resolved. */
export type TakeBytes = (bytes: Buffer, position: number) => Promise<void>

/** Where reading has got to. Kept apart from the sources, because the next one goes on where the last one failed. */
interface Cursor {
  position: number
  chain: number
}

/** Reads [from, tail). Rejects with the last source's error if none has it whole, or with the error of `take`. */
export async function readTail(ports: ReignPorts, reign: Reign, from: Place, take: TakeBytes): Promise<void> {
  const cursor = { position: from.position, chain: from.chain }
  const taker = new Taker(take)
  while (cursor.position < reign.tail.position) await readOn(ports, reign, cursor, taker)
  if (cursor.chain !== reign.tail.chain) throw otherBytes(ports, reign)
}

/**
 * From each source as far as it goes; rejects if none has led any further. A trimmed log begins after what was asked for, and
 * the archive may end before the tail: then each has its part.
 */
async function readOn(ports: ReignPorts, reign: Reign, cursor: Cursor, taker: Taker): Promise<void> {
  const before = cursor.position
  for (const zone of sources(ports, reign)) {
    try {
      return await readFromSafekeeper(ports, zone, cursor, reign.tail.position, taker)
    } catch (error) {
      // Whoever takes the bytes cannot be helped by another source of the same bytes.
      if (taker.failed) throw error
      ports.report(`reading the log from ${zone}: ${problemOf(error)}`)
    }
  }
  try {
    await readFromArchive(ports, reign, cursor, taker)
  } catch (error) {
    if (taker.failed || cursor.position === before) throw error
  }
}

/** Remembers whether an error was the taker's own. */
class Taker {
  failed = false
  readonly #take: TakeBytes

  constructor(take: TakeBytes) {
    this.#take = take
  }

  async hand(bytes: Buffer, position: number): Promise<void> {
    this.failed = true
    await this.#take(bytes, position)
    this.failed = false
  }
}

/** Our own zone first: its disk is this machine's. */
function sources(ports: ReignPorts, reign: Reign): readonly string[] {
  return [...reign.holders].sort((left, right) => Number(right === ports.zone) - Number(left === ports.zone))
}

async function readFromArchive(ports: ReignPorts, reign: Reign, cursor: Cursor, taker: Taker): Promise<void> {
  const { history, position } = reign.tail
  const from = { position: cursor.position, chain: cursor.chain }
  const read = readArchived(ports.store, ports.timeline, history, from, position, async (bytes, begin) => {
    await taker.hand(bytes, begin)
    cursor.chain = chainOver(bytes, cursor.chain)
    cursor.position = begin + bytes.length
  })
  await run(read)
}

async function readFromSafekeeper(
  ports: ReignPorts,
  zone: string,
  cursor: Cursor,
  to: number,
  taker: Taker,
): Promise<void> {
  let next = cursor.position < to ? requestFrames(ports, zone, cursor.position) : undefined
  while (next) {
    const frames = await next
    const end = endOf(zone, frames, cursor, to)
    // The next answer is on its way while this one is folded.
    next = end < to ? requestFrames(ports, zone, end) : undefined
    next?.catch(() => {})
    await takeFrames(frames, cursor, taker)
  }
}

/** Checks all frames of an answer, and that they go on from `from`; returns the position where they end. */
function endOf(zone: string, frames: Buffer, from: Place, to: number): number {
  let { position, chain } = from
  for (let at = 0; at < frames.length; ) {
    const header = readFrameHeader(frames, at)
    if (typeof header === 'string') throw damaged(zone, position, header)
    const payload = frames.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + header.length)
    if (header.begin !== position || header.chainBefore !== chain) throw damaged(zone, position, 'it does not join on')
    if (!checkPayload(header, payload)) throw damaged(zone, position, 'payload checksum')
    position += header.length
    chain = header.chainAfter
    at += FRAME_HEADER_BYTES + header.length
  }
  if (position === from.position || position > to) throw damaged(zone, position, `it answers up to ${position}`)
  return position
}

async function takeFrames(frames: Buffer, cursor: Cursor, taker: Taker): Promise<void> {
  for (let at = 0; at < frames.length; ) {
    const { length, chainAfter } = readFrameHeader(frames, at) as FrameHeader
    await taker.hand(frames.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length), cursor.position)
    cursor.position += length
    cursor.chain = chainAfter
    at += FRAME_HEADER_BYTES + length
  }
}

function damaged(zone: string, position: number, problem: string): Damaged {
  return new Damaged({
    component: `safekeeper ${zone}`,
    value: `frame at position ${position}`,
    problem: `what it sent is damaged (${problem})`,
    remedy: 'The log is read from another zone or from the object store instead.',
  })
}

function otherBytes(ports: ReignPorts, reign: Reign): Damaged {
  return new Damaged({
    component: `timeline ${ports.timeline}`,
    value: `position ${reign.tail.position}`,
    problem: 'the log read is not the log that was elected',
    remedy: 'Report this with the logs of all zones; nothing has been written.',
  })
}
