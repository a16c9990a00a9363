/**
 * Fetching log that a safekeeper missed and that its writer no longer has at hand: from the archive, else from another
 * safekeeper. What arrives goes the way of every frame, so it must join the chain of what is here; whose log it is was
 * settled by the election.
 */
import {
  chainOver,
  checkPayload,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrameHeader,
  writeFrameHeader,
} from '../../events/frame.ts'
import { decodeReadResponse, decodeStatus, encodeRead, isWireFault, subjects } from '../../events/safekeeper-wire.ts'
import { Damaged, describe, isLochError } from '../errors.ts'
import { readArchived } from '../log/archive.ts'
import { run } from '../system/run.ts'
import type { Keeper } from './keeper.ts'
import type { SafekeeperPorts } from './ports.ts'

const READ_BYTES_MAX = 640 * 1024
const READ_TIMEOUT_MS = 5_000

export interface CatchUpPorts
  extends Pick<SafekeeperPorts, 'project' | 'timeline' | 'peers' | 'bus' | 'store' | 'writer' | 'report'> {
  /** Appends a checked frame; throws if it does not join. */
  readonly take: (header: FrameHeader, frame: Buffer) => void
}

/** Fills the log up to `target` while `term` lasts. Resolves to '' or to what is in the way. */
export async function catchUp(keeper: Keeper, ports: CatchUpPorts, term: number, target: number): Promise<string> {
  const problems: string[] = []
  const isDone = () => keeper.state.end >= target
  for (const source of ['', ...ports.peers]) {
    if (isDone()) break
    const before = keeper.state.end
    try {
      if (source === '') await fromArchive(keeper, ports, term, target)
      else await fromPeer(keeper, ports, term, target, source)
    } catch (error) {
      if (error instanceof Superseded) return `term ${term} is over`
      if (!isLochError(error)) throw error
      problems.push(describe(error))
    }
    const { end } = keeper.state
    if (end > before) ports.report(`fetched log up to ${end} from ${source === '' ? 'the archive' : source}`)
  }
  return isDone() ? '' : problems.join('; ') || 'nobody has what is missing'
}

/** Not an error of anybody: the term ended, and with it the reason to catch up. */
class Superseded extends Error {}

async function fromArchive(keeper: Keeper, ports: CatchUpPorts, term: number, target: number): Promise<void> {
  const { state } = keeper
  const from = { position: state.end, chain: state.chain }
  const { store, timeline } = ports
  await run(
    readArchived(store, timeline, state.history, from, target, async (bytes, position) => {
      append(keeper, ports, term, bytes, position)
    }),
  )
}

async function fromPeer(
  keeper: Keeper,
  ports: CatchUpPorts,
  term: number,
  target: number,
  peer: string,
): Promise<void> {
  const { state } = keeper
  const subject = subjects(ports.project, ports.timeline).read(peer)
  while (state.end < target) {
    const request = encodeRead({ from: state.end, bytesMax: READ_BYTES_MAX })
    const { data } = await run(ports.bus.request(subject, request, { timeoutMs: READ_TIMEOUT_MS }))
    const answer = decodeReadResponse(data)
    if (isWireFault(answer) || 'problem' in answer) throw unusable(peer, answer.problem)
    // Asked after the read: terms only grow, so what was read is this term's log.
    await expectFollower(ports, peer, term)
    const before = state.end
    takeFrames(keeper, ports, term, answer.frames, peer)
    if (state.end === before) throw unusable(peer, 'it answered with nothing new')
  }
}

/** Only a safekeeper that has adopted the term's log holds nothing else. */
async function expectFollower(ports: CatchUpPorts, peer: string, term: number): Promise<void> {
  const subject = subjects(ports.project, ports.timeline).status(peer)
  const { data } = await run(ports.bus.request(subject, new Uint8Array(0), { timeoutMs: READ_TIMEOUT_MS }))
  const status = decodeStatus(data)
  if (isWireFault(status)) throw unusable(peer, status.problem)
  if (status.term !== term || status.lastTerm !== term) throw unusable(peer, `it does not follow term ${term}`)
}

function takeFrames(keeper: Keeper, ports: CatchUpPorts, term: number, frames: Buffer, peer: string): void {
  for (let at = 0; at < frames.length; ) {
    const header = readFrameHeader(frames, at)
    if (typeof header === 'string') throw unusable(peer, `a frame is bad (${header})`)
    const next = at + FRAME_HEADER_BYTES + header.length
    const payload = frames.subarray(at + FRAME_HEADER_BYTES, next)
    if (!checkPayload(header, payload)) throw unusable(peer, 'a frame is bad (payload-checksum)')
    if (header.begin === keeper.state.end && header.chainBefore !== keeper.state.chain) {
      throw unusable(peer, `its log is another at ${header.begin}`)
    }
    append(keeper, ports, term, payload, header.begin)
    at = next
  }
}

/** Under the present term: that is who vouches for these bytes now. */
function append(keeper: Keeper, ports: CatchUpPorts, term: number, bytes: Buffer, position: number): void {
  const { state } = keeper
  if (state.term !== term) throw new Superseded()
  const known = state.end - position
  // The writer's own frames may have arrived meanwhile.
  if (known >= bytes.length) return
  const rest = known > 0 ? bytes.subarray(known) : bytes
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + rest.length)
  frame.set(rest, FRAME_HEADER_BYTES)
  const chainAfter = chainOver(rest, state.chain)
  const begin = position + Math.max(known, 0)
  const fields = { term, begin, length: rest.length, chainBefore: state.chain, chainAfter, flags: 0, archived: 0 }
  writeFrameHeader(frame, 0, fields, ports.writer)
  ports.take(readFrameHeader(frame, 0) as FrameHeader, frame)
}

function unusable(peer: string, problem: string): Damaged {
  return new Damaged({
    component: `safekeeper ${peer}`,
    value: 'read',
    problem,
    remedy: 'The missing log is fetched elsewhere, or asked for again.',
  })
}
