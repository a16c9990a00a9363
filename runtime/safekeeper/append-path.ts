/**
 * The way of a frame through a safekeeper: checked, written at once, flushed together with all that came with it, and
 * acknowledged once per writer. Archive duty comes before the own flush: two other zones are flushing the same frames
 * meanwhile, so the object is what the commit waits for. Nothing here waits for anything but the disk.
 */
import { append, appended, isElected } from '../../actors/safekeeper/acceptor.ts'
import {
  chainOver,
  checkPayload,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameFlag,
  type FrameHeader,
  RESENDABLE_BYTES_MAX,
  readFrameHeader,
  writeFrameHeader,
} from '../../events/frame.ts'
import { type AckStatus, encodeAck } from '../../events/safekeeper-wire.ts'
import type { Lane } from '../bus/fast-lane.ts'
import { Damaged, DiskFailed } from '../errors.ts'
import type { Archiver } from './archiver.ts'
import { Delay } from './delay.ts'
import type { Keeper } from './keeper.ts'
import type { SafekeeperPorts } from './ports.ts'
import { scratch } from './scratch.ts'

/** Far below ARCHIVE_LAG_BYTES_MAX of the writer, far above what a commit is. */
const ARCHIVE_DELAY = { ms: 50, bytesMax: 512 * 1024 }
const FLUSH_DELAY = { ms: 5, bytesMax: 512 * 1024 }
export interface GapLimits {
  /**
   * A gap that is longer is fetched from the archive, if that has reached so far. Shorter ones are the writer's to fill from its ring: it
   * remembers where a few thousand frames begin, which may be little more than this if they are small.
   */
  readonly resentBytes: number
  /** A gap that is longer is fetched from wherever it can be had: the writer is not asked. */
  readonly resendableBytes: number
}

const GAP_LIMITS: GapLimits = { resentBytes: 512 * 1024, resendableBytes: RESENDABLE_BYTES_MAX }

export interface AppendPathPorts
  extends Pick<SafekeeperPorts, 'zone' | 'timeline' | 'gapLimits' | 'defer' | 'after' | 'report'> {
  readonly bus: Pick<Lane, 'publish'>
  /** The disk failed, or the log is not to be believed: nothing may be promised any more. */
  readonly failed: (error: unknown) => void
  /** A frame could not be written, and nothing else is wrong: a disk that is full may have room again. */
  readonly refused: (error: unknown) => void
  /** False while missed frames are being fetched: then a gap is no news to the writer. */
  readonly answersGaps: () => boolean
  /** A writer is told something that is not that its term is over. */
  readonly answered: () => void
  /** The log up to `target` was missed, and the writer cannot send it again. */
  readonly fellBehind: (target: number) => void
}

export class AppendPath {
  readonly #keeper: Keeper
  readonly #archiver: Archiver
  readonly #ports: AppendPathPorts
  /** Whom to acknowledge to after the next flush, and how. */
  readonly #answers = new Map<string, AckStatus>()
  /** Where the writer of the present term waits: it also hears when only the archive has got on. */
  #writer = ''
  #writerTerm = 0
  #scheduled = false
  /** The own flush has let the archive go before it once. */
  #gaveWay = false
  /** What the writer of the last frame allows to put off. */
  #allowed = 0
  readonly #archiveDelay: Delay
  readonly #flushDelay: Delay
  #badFrames = 0
  #stopped = false

  constructor(keeper: Keeper, archiver: Archiver, ports: AppendPathPorts) {
    this.#keeper = keeper
    this.#archiver = archiver
    this.#ports = ports
    this.#archiveDelay = new Delay(ports.after, ARCHIVE_DELAY, () => this.schedule())
    this.#flushDelay = new Delay(ports.after, FLUSH_DELAY, () => this.schedule())
  }

  /** Takes a frame as it arrived. The bytes are the caller's again when this returns. */
  receive(data: Uint8Array, reply: string | undefined): void {
    const frame = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const header = readFrameHeader(frame, 0)
    // It was broken on its way: the writer will notice that it is missing.
    if (typeof header === 'string' || !checkPayload(header, frame.subarray(FRAME_HEADER_BYTES))) {
      this.#noteBadFrame(typeof header === 'string' ? header : 'payload-checksum')
      return
    }
    try {
      const status = this.take(header, frame)
      if (reply !== undefined) this.#answer(reply, status, header.term)
    } catch (error) {
      if (reply !== undefined) this.#answer(reply, 'failed', header.term)
      if (error instanceof DiskFailed && !this.#keeper.log.failure) this.#ports.refused(error)
      else this.#ports.failed(error)
    }
  }

  /** Writes a checked frame, or says why not. Throws DiskFailed, Damaged. */
  take(header: FrameHeader, frame: Buffer): AckStatus {
    const { state, log } = this.#keeper
    switch (append(state, header)) {
      case 'append':
        log.append(header, frame)
        appended(state, header)
        this.#archiver.received(header, frame.subarray(FRAME_HEADER_BYTES))
        this.#allowed = header.flags
        this.schedule()
        return 'ok'
      case 'overlap':
        return this.#takeOverlap(header, frame)
      case 'gap':
        return this.#onGap(header)
      case 'fenced':
        return 'fenced'
      case 'not-elected':
        return 'not-elected'
      case 'diverged':
        throw diverged(this.#ports.timeline, header.begin)
    }
  }

  #onGap(header: FrameHeader): AckStatus {
    if (!this.#ports.answersGaps()) return 'ok'
    if (!this.#isBeyondWriter(header)) return 'gap'
    this.#ports.fellBehind(header.begin)
    return 'ok'
  }

  /** True if asking the writer is useless, or dearer than reading the archive. */
  #isBeyondWriter({ begin, archived }: FrameHeader): boolean {
    const { end } = this.#keeper.state
    const missed = begin - end
    const { resentBytes, resendableBytes } = this.#ports.gapLimits ?? GAP_LIMITS
    return missed > resendableBytes || (missed > resentBytes && archived > end)
  }

  /** Writes a frame that was fetched; the writer hears of it as if it had sent it. Throws DiskFailed, Damaged. */
  takeFetched(header: FrameHeader, frame: Buffer): void {
    this.take(header, frame)
    this.#expectWriter()
  }

  /** Archives and flushes what has gathered, soon. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    this.#ports.defer(this.#round)
  }

  /** The archive has got on by itself. */
  acknowledgeArchived(): void {
    const { state } = this.#keeper
    if (this.#stopped) return
    state.archived = this.#archiver.archived
    if (this.#isWriterKnown) this.#say(this.#writer, 'ok')
  }

  /** Says once that nothing can be promised any more, and then nothing. */
  withdraw(): void {
    const { state } = this.#keeper
    const ack = encodeAck({ zone: this.#ports.zone, term: state.term, flushed: 0, archived: 0, status: 'failed' })
    if (this.#writer !== '') this.#answers.set(this.#writer, 'failed')
    for (const reply of this.#answers.keys()) this.#ports.bus.publish(reply, ack)
    this.stop()
  }

  stop(): void {
    this.#stopped = true
    this.#archiveDelay.cancel()
    this.#flushDelay.cancel()
    this.#answers.clear()
  }

  readonly #round = (): void => {
    this.#scheduled = false
    if (this.#stopped) return
    try {
      const isArchived = !this.#archiveWaits() && this.#archive()
      if (this.#giveWay(isArchived)) return
      if (this.#flushWaits()) {
        if (isArchived) this.#sayProgress()
        return
      }
      this.#keeper.flush()
      for (const [reply, status] of this.#answers) this.#say(reply, status)
      this.#answers.clear()
      this.#tidy()
    } catch (error) {
      this.#ports.failed(error)
    }
  }

  /** Under `quorum` durability objects gather, for no commit waits for them. */
  #archiveWaits(): boolean {
    const { isActive, next } = this.#archiver
    const isAllowed = isActive && (this.#allowed & FrameFlag.archiveLater) !== 0
    return this.#archiveDelay.waits(isAllowed, this.#keeper.state.end - next)
  }

  /** While the other zones are a majority, whoever archives leaves them the disk, as far as nobody waits for an answer. */
  #flushWaits(): boolean {
    const { end, flushed } = this.#keeper.state
    for (const status of this.#answers.values()) if (status !== 'ok') return this.#flushDelay.waits(false, 0)
    const isAllowed = this.#archiver.isActive && (this.#allowed & FrameFlag.flushLater) !== 0
    return this.#flushDelay.waits(isAllowed && end > flushed, end - flushed)
  }

  /** True if the archive has got on. */
  #archive(): boolean {
    const progressed = this.#archiver.advance()
    if (progressed) {
      this.#keeper.state.archived = this.#archiver.archived
      this.#expectWriter()
    }
    return progressed
  }

  /** True if the flush is put off so that the word of what was archived gets out before it; at most once in a row. */
  #giveWay(isArchived: boolean): boolean {
    this.#gaveWay = isArchived && !this.#gaveWay
    if (!this.#gaveWay) return false
    this.#sayProgress()
    this.schedule()
    return true
  }

  #sayProgress(): void {
    for (const [reply, status] of this.#answers) if (status === 'ok') this.#say(reply, status)
  }

  get #isWriterKnown(): boolean {
    return this.#writer !== '' && this.#writerTerm === this.#keeper.state.term
  }

  /** The writer is to hear of the next flush, although no frame of its waits for it. */
  #expectWriter(): void {
    if (this.#isWriterKnown && !this.#answers.has(this.#writer)) this.#answers.set(this.#writer, 'ok')
  }

  #answer(reply: string, status: AckStatus, term: number): void {
    if (status === 'ok') {
      this.#writer = reply
      this.#writerTerm = term
    }
    if (status !== 'ok' || !this.#answers.has(reply)) this.#answers.set(reply, status)
    this.schedule()
  }

  #say(reply: string, status: AckStatus): void {
    const { state } = this.#keeper
    const { zone, bus } = this.#ports
    const flushed = isElected(state) ? state.flushed : 0
    if (status !== 'fenced') this.#ports.answered()
    bus.publish(reply, encodeAck({ zone, term: state.term, flushed, archived: state.archived, status }))
  }

  /** What can wait until everybody has been answered. */
  #tidy(): void {
    const { state, log } = this.#keeper
    if (log.trim(Math.min(state.settled, this.#archiver.needed))) state.begin = log.begin.position
    if (log.wantsRoom) this.#ports.defer(this.#prepare)
  }

  readonly #prepare = (): void => {
    if (this.#stopped) return
    try {
      this.#keeper.log.prepare()
    } catch (error) {
      this.#ports.failed(error)
    }
  }

  /** A writer that sends again may cut differently: what is known must be the same, what is new is appended. */
  #takeOverlap(header: FrameHeader, frame: Buffer): AckStatus {
    const { state } = this.#keeper
    const payload = frame.subarray(FRAME_HEADER_BYTES)
    if (header.begin + header.length <= state.end) {
      this.#compare(header, payload)
      return 'ok'
    }
    const known = state.end - header.begin
    // The chain runs over everything from position 0, so it compares the bytes in common and all before them.
    if (chainOver(payload.subarray(0, known), header.chainBefore) !== state.chain) {
      throw diverged(this.#ports.timeline, header.begin)
    }
    // A copy: the bytes of a message may be somebody else's too.
    const rest = Buffer.from(frame.subarray(known))
    writeFrameHeader(
      rest,
      0,
      { ...header, begin: state.end, length: header.length - known, chainBefore: state.chain },
      Buffer.from(header.writer, 'latin1'),
    )
    return this.take(readFrameHeader(rest, 0) as FrameHeader, rest)
  }

  /** Compares with the local log; what was trimmed of it was settled. */
  #compare(header: FrameHeader, payload: Buffer): void {
    const { state, log } = this.#keeper
    const end = header.begin + header.length
    const local = scratch(FRAME_PAYLOAD_BYTES_MAX)
    for (let position = Math.max(header.begin, state.begin); position < end; ) {
      const mine = log.readFrame(position, local, 0)
      const stop = Math.min(end, mine.begin + mine.length)
      const same = payload
        .subarray(position - header.begin, stop - header.begin)
        .equals(local.subarray(position - mine.begin, stop - mine.begin))
      if (!same) throw diverged(this.#ports.timeline, position)
      position = stop
    }
  }

  #noteBadFrame(fault: string): void {
    if (this.#badFrames++ === 0) this.#ports.report(`a frame was dropped (${fault})`)
  }
}

function diverged(timeline: string, position: number): Damaged {
  return new Damaged({
    component: 'safekeeper log',
    value: `timeline ${timeline}, position ${position}`,
    problem: "the writer's log is not the one that is held here: one of the two is damaged",
    remedy: 'This safekeeper takes part no more. Report it with the logs of all zones; the others go on.',
  })
}
