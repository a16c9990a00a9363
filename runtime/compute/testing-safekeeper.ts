/**
 * A safekeeper for tests of whoever writes to it: the real acceptor's promises, on a disk made of one buffer. The real one is in
 * runtime/safekeeper/. Never used by Loch.
 */
import {
  type Acceptor,
  adopt,
  append,
  appended,
  elected,
  flushedTo,
  isElected,
  openAcceptor,
  raiseTerm,
  repeat,
  vote,
  voteResponse,
} from '../../actors/safekeeper/acceptor.ts'
import { chainOver, checkPayload, FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import {
  type AckStatus,
  type DutyRequest,
  decodeDuty,
  decodeElected,
  decodeRead,
  decodeVote,
  type Elected,
  encodeAck,
  encodeDutyResponse,
  encodeElectedResponse,
  encodeReadRefused,
  encodeStatus,
  encodeVoteResponse,
  isWireFault,
  type TermHistory,
  type WireFault,
} from '../../events/safekeeper-wire.ts'
import type { BusMessage } from '../bus/bus.ts'

import { LEASE_MS_MAX } from './predecessors.ts'
import { entriesEnd, frameOf, type MemoryBus, SEED, SUBJECTS } from './testing-log.ts'

/** What a safekeeper's disk held when it was opened. */
export interface Disk {
  readonly term: number
  readonly history: TermHistory
  readonly bytes: Buffer
  readonly fresh?: boolean
  /** False if no writer has been heard since; otherwise whoever is not fresh is. */
  readonly confirmed?: boolean
  /** Where `bytes` begin, if they were trimmed. */
  readonly begin?: { readonly position: number; readonly chain: number }
}

const EMPTY_DISK: Disk = { term: 0, history: [], bytes: Buffer.alloc(0) }

export class FakeSafekeeper {
  readonly zone: string
  readonly state: Acceptor
  /** The log from `state.begin` on. */
  bytes: Buffer
  readonly elections: Elected[] = []
  silentMs = LEASE_MS_MAX
  readonly duties: DutyRequest[] = []
  readonly frames: FrameHeader[] = []
  readonly reads: number[] = []
  /** While false, what is appended is not flushed: see `flush`. */
  flushes = true
  /** Its disk has no room for the term of a vote, so it promises nothing. */
  isFull = false
  /** Answers to reads hold frames of about so much, and so many of them. */
  frameBytes = 4096
  framesPerRead = 4
  /** Called with a verb before it is handled; 'silent' lets the request go unanswered. */
  before: (verb: string) => 'silent' | undefined = () => undefined
  #beginChain: number
  #reply: string | undefined
  readonly #bus: MemoryBus
  readonly #subscriptions: Array<{ unsubscribe(): void }>

  constructor(bus: MemoryBus, zone: string, disk: Disk = EMPTY_DISK) {
    this.zone = zone
    this.#bus = bus
    this.bytes = disk.bytes
    const { term, history, fresh = false, confirmed = !fresh, begin = { position: 0, chain: SEED } } = disk
    const end = begin.position + disk.bytes.length
    const chain = chainOver(disk.bytes, begin.chain)
    this.#beginChain = begin.chain
    const incarnation = `${zone}-1`
    this.state = openAcceptor({
      zone,
      diskId: zone,
      incarnation,
      term,
      history,
      begin: begin.position,
      end,
      chain,
      settled: 0,
      fresh,
    })
    this.state.confirmed = confirmed
    const serve = (verb: string, subject: string, handle: (data: Uint8Array) => Uint8Array) =>
      bus.subscribe(subject, ({ data, respond }) => {
        if (this.before(verb) !== 'silent') respond(handle(data))
      })
    const append = ({ data, reply }: BusMessage) => {
      if (this.before('append') !== 'silent') this.#append(Buffer.from(data), reply)
    }
    this.#subscriptions = [
      serve('vote', SUBJECTS.vote(zone), (data) => this.#vote(data)),
      serve('elected', SUBJECTS.elected(zone), (data) => this.#elected(data)),
      serve('read', SUBJECTS.read(zone), (data) => this.#read(data)),
      serve('duty', SUBJECTS.duty(zone), (data) => this.#duty(data)),
      serve('status', SUBJECTS.status(zone), () => this.#status()),
      bus.subscribe(SUBJECTS.append, append),
      bus.subscribe(SUBJECTS.appendTo(zone), append),
    ]
  }

  /** The process is gone: nobody serves its subjects. */
  stop(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }

  /** Makes what was appended durable and says so. */
  flush(): void {
    flushedTo(this.state, this.state.end)
    this.#acknowledge('ok')
  }

  promise(term: number): void {
    raiseTerm(this.state, term)
  }

  #vote(data: Uint8Array): Uint8Array {
    const request = understood(decodeVote(data))
    const granted = !this.isFull && vote(this.state, request)
    if (!this.isFull) raiseTerm(this.state, request.term)
    return encodeVoteResponse({ ...voteResponse(this.state, granted), silentMs: this.silentMs })
  }

  #elected(data: Uint8Array): Uint8Array {
    const { state, zone } = this
    const message = understood(decodeElected(data))
    this.elections.push(message)
    const decision = elected(state, message)
    if (decision.type !== 'ignore') raiseTerm(state, message.term)
    if (decision.type === 'known') repeat(state, message)
    if (decision.type === 'cut') this.#stand(message, state.begin, this.#beginChain, decision.truncateTo)
    if (decision.type === 'restart') this.#stand(message, decision.start, decision.chain, decision.start)
    const ok = decision.type !== 'ignore' && decision.type !== 'refuse'
    const fault = decision.type === 'refuse' ? decision.problem : undefined
    return encodeElectedResponse({ zone, ok, term: state.term, flushed: state.flushed, chain: state.chain, fault })
  }

  #stand(message: Elected, begin: number, beginChain: number, end: number): void {
    this.bytes = this.bytes.subarray(0, end - begin)
    this.#beginChain = beginChain
    adopt(this.state, message, { begin, end, chain: chainOver(this.bytes, beginChain) })
  }

  #append(frame: Buffer, reply: string | undefined): void {
    const header = readFrameHeader(frame, 0)
    const payload = frame.subarray(FRAME_HEADER_BYTES)
    if (typeof header === 'string' || !checkPayload(header, payload)) throw new Error(`a bad frame came: ${header}`)
    this.frames.push(header)
    this.#reply = reply
    this.#acknowledge(this.#take(header, payload))
  }

  #take(header: FrameHeader, payload: Buffer): AckStatus {
    const { state } = this
    const verdict = append(state, header)
    if (verdict === 'overlap') {
      const known = Math.min(state.end - header.begin, header.length)
      const mine = this.bytes.subarray(header.begin - state.begin, header.begin - state.begin + known)
      if (!mine.equals(payload.subarray(0, known))) return 'failed'
      if (known === header.length) return 'ok'
      const rest = frameOf(payload.subarray(known), header.term, state.end, state.chain)
      return this.#take(readFrameHeader(rest, 0) as FrameHeader, payload.subarray(known))
    }
    if (verdict === 'diverged') return 'failed'
    if (verdict !== 'append') return verdict
    this.bytes = Buffer.concat([this.bytes, payload])
    appended(state, header)
    if (this.flushes) flushedTo(state, state.end)
    return 'ok'
  }

  #acknowledge(status: AckStatus): void {
    if (this.#reply === undefined) return
    const { term, archived } = this.state
    const flushed = isElected(this.state) ? this.state.flushed : 0
    this.#bus.publish(this.#reply, encodeAck({ zone: this.zone, term, flushed, archived, status }))
  }

  #read(data: Uint8Array): Uint8Array {
    const { begin, flushed, end } = this.state
    const { from } = understood(decodeRead(data))
    this.reads.push(from)
    if (from < begin || from >= end) {
      return encodeReadRefused({ zone: this.zone, begin, flushed, problem: `it holds [${begin}, ${end})` })
    }
    const frames: Buffer[] = []
    let chain = chainOver(this.bytes.subarray(0, from - begin), this.#beginChain)
    for (let at = from - begin; at < this.bytes.length && frames.length < this.framesPerRead; ) {
      const stop = entriesEnd(this.bytes, at, this.frameBytes)
      const payload = this.bytes.subarray(at, stop)
      frames.push(frameOf(payload, this.state.term, begin + at, chain))
      chain = chainOver(payload, chain)
      at = stop
    }
    return Buffer.concat(frames)
  }

  #duty(data: Uint8Array): Uint8Array {
    const request = understood(decodeDuty(data))
    this.duties.push(request)
    const { term, archived } = this.state
    return encodeDutyResponse({ zone: this.zone, held: request.zone === this.zone, term, archived })
  }

  #status(): Uint8Array {
    const { zone, term, history, begin, flushed, archived, fresh, confirmed, diskId } = this.state
    const lastTerm = history.at(-1)?.term ?? 0
    const hasDuty = false
    return encodeStatus({
      zone,
      term,
      lastTerm,
      begin,
      flushed,
      archived,
      hasDuty,
      fresh,
      confirmed,
      diskId,
      problem: '',
    })
  }
}

function understood<T extends object>(message: T | WireFault): T {
  if (isWireFault(message)) throw new Error(message.problem)
  return message
}
