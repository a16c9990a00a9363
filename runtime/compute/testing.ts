/**
 * A small world for tests of a compute's way to the log: a bus inside this process, safekeepers that keep the real
 * acceptor's promises on a disk made of one buffer, and an object store in memory; the fake NATS
 * server is in testing-nats.ts. Everything stands still unless the test or a message moves it. Never used by Loch.
 */
import * as Effect from 'effect/Effect'
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
import {
  chainOver,
  chainSeed,
  checkPayload,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrameHeader,
  writeFrameHeader,
} from '../../events/frame.ts'
import type { Term, ZoneId } from '../../events/identifiers.ts'
import { encodeEntry, entrySize } from '../../events/log-entry.ts'
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
  subjects,
  type TermHistory,
  type WireFault,
} from '../../events/safekeeper-wire.ts'
import type { IndexSnapshot, TermGrant } from '../../events/timeline.ts'
import type { BusMessage, BusShape, RequestOptions } from '../bus/bus.ts'
import { NoAnswer } from '../errors.ts'
import { logKey } from '../log/keys.ts'
import { MemoryStore } from '../log/testing.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import { realTimers } from '../system/timers.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'

export const PROJECT = 'p'
export const TIMELINE = 'main'
export const ZONES = ['zone-1', 'zone-2', 'zone-3'] as const
export const WRITER = Buffer.from('0123456789abcdef', 'latin1')
export const SEED = chainSeed(TIMELINE)
export const SUBJECTS = subjects(PROJECT, TIMELINE)

/** `count` entries of `size` bytes each, told apart by `mark`. */
export function entriesOf(count: number, size: number, mark = 0): Buffer {
  const data = (at: number) => Buffer.alloc(size - 32, (mark * 31 + at) % 251)
  return Buffer.concat(
    Array.from({ length: count }, (_, at) =>
      encodeEntry({ type: 'write', at: mark, ino: mark, offset: at, data: data(at) }),
    ),
  )
}

/** A frame around `payload`. */
export function frameOf(payload: Uint8Array, term: number, begin: number, chainBefore: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  frame.set(payload, FRAME_HEADER_BYTES)
  const { length } = payload
  const chainAfter = chainOver(payload, chainBefore)
  writeFrameHeader(frame, 0, { term, begin, length, chainBefore, chainAfter, flags: 0, archived: 0 }, WRITER)
  return frame
}

/** Lets everything that has been set in motion come to rest; no clock is involved. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

type Handler = (message: BusMessage) => void

/** Delivers in order, in microtasks. */
export class MemoryBus implements BusShape {
  readonly url = 'memory:'
  /** Sees every message first; what it returns is delivered, undefined is lost. */
  intercept: (subject: string, data: Uint8Array) => Uint8Array | undefined = (_, data) => data
  readonly #handlers = new Map<string, Set<Handler>>()
  #inboxes = 0

  /** Subjects that somebody listens to. */
  get subscribed(): readonly string[] {
    return [...this.#handlers.keys()]
  }

  publish(subject: string, data: Uint8Array, options: { readonly reply?: string | undefined } = {}): void {
    const seen = this.intercept(subject, Uint8Array.from(data))
    if (seen === undefined) return
    const { reply } = options
    const respond = (answer: Uint8Array) => {
      if (reply !== undefined) this.publish(reply, answer)
    }
    queueMicrotask(() => {
      for (const handler of [...(this.#handlers.get(subject) ?? [])]) handler({ subject, data: seen, reply, respond })
    })
  }

  subscribe(subject: string, handler: Handler) {
    const handlers = this.#handlers.get(subject) ?? new Set()
    this.#handlers.set(subject, handlers.add(handler))
    const unsubscribe = () => {
      handlers.delete(handler)
      if (handlers.size === 0 && this.#handlers.get(subject) === handlers) this.#handlers.delete(subject)
    }
    return { subject, unsubscribe }
  }

  request(subject: string, data: Uint8Array, { timeoutMs }: RequestOptions): Effect.Effect<BusMessage, NoAnswer> {
    return Effect.callback((resume) => {
      const fail = (problem: string) =>
        resume(Effect.fail(new NoAnswer({ component: 'bus', value: subject, problem, remedy: 'Start it.' })))
      if (!this.#handlers.has(subject)) return fail('nobody serves this subject')
      const reply = `_INBOX.${++this.#inboxes}`
      const { unsubscribe } = this.subscribe(reply, (message) => end(() => resume(Effect.succeed(message))))
      const timer = setTimeout(() => end(() => fail(`no answer came within ${timeoutMs} ms`)), timeoutMs)
      const end = (how: () => void) => {
        clearTimeout(timer)
        unsubscribe()
        how()
      }
      this.publish(subject, data, { reply })
    })
  }

  flush = () => Effect.void
  status = () => 'connected' as const
  onStatus = () => () => {}
}

/** What a safekeeper's disk held when it was opened. */
export interface Disk {
  readonly term: number
  readonly history: TermHistory
  readonly bytes: Buffer
  readonly fresh?: boolean
}

const EMPTY_DISK: Disk = { term: 0, history: [], bytes: Buffer.alloc(0) }

export class FakeSafekeeper {
  readonly zone: string
  readonly state: Acceptor
  /** The log from `state.begin` on. */
  bytes: Buffer
  readonly elections: Elected[] = []
  readonly duties: DutyRequest[] = []
  readonly frames: FrameHeader[] = []
  readonly reads: number[] = []
  /** While false, what is appended is not flushed: see `flush`. */
  flushes = true
  /** Answers to reads hold frames of about so much, and so many of them. */
  frameBytes = 4096
  framesPerRead = 4
  /** Called with a verb before it is handled; 'silent' lets the request go unanswered. */
  before: (verb: string) => 'silent' | undefined = () => undefined
  #beginChain = SEED
  #reply: string | undefined
  readonly #bus: MemoryBus
  readonly #subscriptions: Array<{ unsubscribe(): void }>

  constructor(bus: MemoryBus, zone: string, disk: Disk = EMPTY_DISK) {
    this.zone = zone
    this.#bus = bus
    this.bytes = disk.bytes
    const { term, history, fresh = false } = disk
    const end = disk.bytes.length
    const chain = chainOver(disk.bytes, SEED)
    const incarnation = `${zone}-1`
    this.state = openAcceptor({
      zone,
      diskId: zone,
      incarnation,
      term,
      history,
      begin: 0,
      end,
      chain,
      settled: 0,
      fresh,
    })
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
    const granted = vote(this.state, request)
    raiseTerm(this.state, request.term)
    return encodeVoteResponse(voteResponse(this.state, granted))
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
    const { zone, term, history, begin, flushed, archived, fresh, diskId } = this.state
    const lastTerm = history.at(-1)?.term ?? 0
    const hasDuty = false
    return encodeStatus({ zone, term, lastTerm, begin, flushed, archived, hasDuty, fresh, diskId, problem: '' })
  }
}

function understood<T extends object>(message: T | WireFault): T {
  if (isWireFault(message)) throw new Error(message.problem)
  return message
}

/** Where the entries from `at` on end that together have at most `bytesMax`, one at least. */
function entriesEnd(bytes: Buffer, at: number, bytesMax: number): number {
  let end = at
  while (end < bytes.length) {
    const next = end + entrySize(bytes, end)
    if (end > at && next - at > bytesMax) break
    end = next
  }
  return end
}

/** One timeline with a safekeeper in each of three zones, seen by a compute in zone-1. */
export class ReignWorld {
  readonly bus = new MemoryBus()
  readonly store = new MemoryStore()
  readonly reported: string[] = []
  ids = 0
  nowMs = 1_000

  /** One safekeeper per disk; the others do not exist yet. */
  open(...disks: ReadonlyArray<Disk | undefined>): readonly FakeSafekeeper[] {
    return ZONES.slice(0, disks.length).map((zone, at) => new FakeSafekeeper(this.bus, zone, disks[at]))
  }

  get ports(): ReignPorts {
    return {
      bus: this.bus,
      lane: this.bus,
      store: this.store as unknown as ObjectStoreShape,
      project: PROJECT,
      timeline: TIMELINE,
      zones: ZONES,
      zone: 'zone-1',
      compute: 'main-1',
      writer: WRITER,
      nowMs: () => this.nowMs,
      timers: realTimers,
      newId: () => String(++this.ids),
      report: (line) => this.reported.push(line),
    }
  }

  grant(term: number, durability: TermGrant['durability'] = 'archived', snapshot?: IndexSnapshot): TermGrant {
    const zones = ZONES as unknown as readonly ZoneId[]
    const grant = { type: 'TermGranted', at: this.nowMs, term: term as Term, zones, durability } as const
    return snapshot === undefined ? grant : { ...grant, snapshot }
  }

  /** The reign of `term` over the log `bytes`, written by `history`, which `holders` have whole. */
  reign(term: number, bytes: Buffer, history: TermHistory, holders: readonly string[]): Reign {
    const place = { position: bytes.length, chain: chainOver(bytes, SEED) }
    return {
      term,
      grant: this.grant(term),
      tail: { source: holders[0] ?? 'archive', lastTerm: history.at(-1)?.term ?? 0, ...place, history },
      history: [...history, { term, begin: bytes.length }],
      base: { term: 0, position: 0, chain: SEED },
      archived: { position: 0, chain: SEED },
      dutyZone: 'zone-2',
      holders,
    }
  }

  /** Puts log under its name into the object store, in objects of `bytesMax`. */
  archive(bytes: Buffer, term: number, begin: number, chainBefore: number, bytesMax = bytes.length): void {
    let chain = chainBefore
    for (let at = 0; at < bytes.length; ) {
      const end = entriesEnd(bytes, at, bytesMax)
      const payload = bytes.subarray(at, end)
      this.store.objects.set(logKey(TIMELINE, term, begin + at), frameOf(payload, term, begin + at, chain))
      chain = chainOver(payload, chain)
      at = end
    }
  }
}

export { NatsPeer, NatsServer, type Published } from './testing-nats.ts'
