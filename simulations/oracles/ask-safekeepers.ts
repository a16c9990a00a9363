/**
 * Asks every safekeeper, over the bus as anybody may, for its status and for all that it holds. A log that was cut while it
 * was read is read again. It knows no rule: what the answers must be is the oracles' business.
 */
import { FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import {
  decodeReadResponse,
  decodeStatus,
  encodeRead,
  isWireFault,
  type SafekeeperStatus,
  subjects,
} from '../../events/safekeeper-wire.ts'
import type { BusShape } from '../../runtime/bus/bus.ts'
import { run } from '../../runtime/system/run.ts'

export interface SafekeeperAnswer {
  readonly status: SafekeeperStatus
  /** From where its log begins, as far as it was flushed; empty if it changed under the reader again and again. */
  readonly frames: Buffer
}

export interface Asking {
  readonly bus: BusShape
  readonly project: string
  readonly timeline: string
}

const READ_BYTES_MAX = 640 * 1024
const ANSWER_WITHIN_MS = 2_000
const ATTEMPTS = 3
const NOTHING = new Uint8Array(0)

/** Undefined if it does not answer. */
export async function askSafekeeper(asking: Asking, zone: string): Promise<SafekeeperAnswer | undefined> {
  let answer: SafekeeperAnswer | undefined
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = await askStatus(asking, zone)
    if (!before) continue
    const frames = await readAll(asking, zone, before)
    const after = await askStatus(asking, zone)
    if (frames && after && isSameLog(before, after)) return { status: before, frames }
    answer = { status: before, frames: Buffer.alloc(0) }
  }
  return answer
}

/** `pause` resolves when it may be asked again. */
export async function askUntilAnswered(
  asking: Asking,
  zone: string,
  pause: () => Promise<void>,
): Promise<SafekeeperAnswer> {
  for (;;) {
    const answer = await askSafekeeper(asking, zone)
    if (answer) return answer
    await pause()
  }
}

async function askStatus(asking: Asking, zone: string): Promise<SafekeeperStatus | undefined> {
  const data = await ask(asking, subjects(asking.project, asking.timeline).status(zone), NOTHING)
  const status = data && decodeStatus(data)
  return !status || isWireFault(status) ? undefined : status
}

async function readAll(asking: Asking, zone: string, status: SafekeeperStatus): Promise<Buffer | undefined> {
  const subject = subjects(asking.project, asking.timeline).read(zone)
  const parts: Buffer[] = []
  for (let from = status.begin; from < status.flushed; ) {
    const data = await ask(asking, subject, encodeRead({ from, bytesMax: READ_BYTES_MAX }))
    const answer = data && decodeReadResponse(data)
    if (!answer || !('frames' in answer)) return undefined
    const end = endOf(answer.frames)
    if (end <= from) return undefined
    parts.push(answer.frames)
    from = end
  }
  return Buffer.concat(parts)
}

/** Terms that frames carry. */
export function termsOf(frames: Buffer): ReadonlySet<number> {
  return new Set([...headersOf(frames)].map(({ term }) => term))
}

function endOf(frames: Buffer): number {
  let end = 0
  for (const { begin, length } of headersOf(frames)) end = begin + length
  return end
}

function* headersOf(frames: Buffer): Generator<FrameHeader> {
  for (let at = 0; at < frames.length; ) {
    const header = readFrameHeader(frames, at)
    if (typeof header === 'string') return
    yield header
    at += FRAME_HEADER_BYTES + header.length
  }
}

function isSameLog(before: SafekeeperStatus, after: SafekeeperStatus): boolean {
  return before.diskId === after.diskId && before.term === after.term && before.lastTerm === after.lastTerm
}

async function ask({ bus }: Asking, subject: string, data: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    return (await run(bus.request(subject, data, { timeoutMs: ANSWER_WITHIN_MS }))).data
  } catch {
    return undefined
  }
}
