/**
 * Reads a stretch of the chosen log from whoever has it: a safekeeper that holds the whole tail, else the archive. Every
 * byte is checked on the way: a frame must continue the chain of the one before, and at the end the chain must be the
 * tail's. So a source that is damaged, or holds another history, is noticed and the next one is asked.
 */
import { checkPayload, FRAME_HEADER_BYTES, readFrameHeader } from '../../events/frame.ts'
import { Damaged, describe, isLochError } from '../errors.ts'
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

/** Reads [from, tail). Rejects with the last source's error if none has it whole. */
export async function readTail(ports: ReignPorts, reign: Reign, from: Place, take: TakeBytes): Promise<void> {
  let place = from
  const problems: string[] = []
  for (const zone of sources(ports, reign)) {
    try {
      place = await readFromSafekeeper(ports, zone, place, reign.tail.position, take)
      break
    } catch (error) {
      problems.push(isLochError(error) ? describe(error) : String(error))
    }
  }
  if (place.position < reign.tail.position) {
    if (problems.length > 0) ports.report(`reading the log from the object store: ${problems.join('; ')}`)
    const { position } = place
    await run(readArchived(ports.store, ports.timeline, reign.tail.history, place, reign.tail.position, take))
    ports.report(`read [${position}, ${reign.tail.position}) of the log from the object store`)
    return
  }
  if (place.chain !== reign.tail.chain) throw otherBytes(ports, reign)
}

/** Our own zone first: its disk is this machine's. */
function sources(ports: ReignPorts, reign: Reign): readonly string[] {
  return [...reign.holders].sort((left, right) => Number(right === ports.zone) - Number(left === ports.zone))
}

async function readFromSafekeeper(
  ports: ReignPorts,
  zone: string,
  from: Place,
  to: number,
  take: TakeBytes,
): Promise<Place> {
  let place = from
  let next = place.position < to ? requestFrames(ports, zone, place.position) : undefined
  while (next) {
    const frames = await next
    const end = endOf(zone, frames, place, to)
    // The next answer is on its way while this one is folded.
    next = end.position < to ? requestFrames(ports, zone, end.position) : undefined
    next?.catch(() => {})
    await takeFrames(frames, place.position, take)
    place = end
  }
  return place
}

/** Checks all frames of an answer; returns where they end. */
function endOf(zone: string, frames: Buffer, from: Place, to: number): Place {
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
  return { position, chain }
}

async function takeFrames(frames: Buffer, begin: number, take: TakeBytes): Promise<void> {
  let position = begin
  for (let at = 0; at < frames.length; ) {
    const { length } = readFrameHeader(frames, at) as { readonly length: number }
    await take(frames.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length), position)
    position += length
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
