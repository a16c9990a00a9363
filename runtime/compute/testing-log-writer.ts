/** A log writer on a bench, for its tests: what it sends, says and answers is kept, and its clock is the test's. Fake timers are the caller's. */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { expect, vi } from 'vitest'
import { createProposer, type Durability } from '../../actors/compute/proposer.ts'
import { checkPayload, FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import { type AckStatus, encodeAck } from '../../events/safekeeper-wire.ts'
import { KernelDevice } from '../fuse/device.ts'
import { LateReplies } from '../fuse/late-replies.ts'
import { realTimers } from '../system/timers.ts'
import { LogWriter } from './log-writer.ts'
import { RingSink } from './ring-sink.ts'
import { SharedLog } from './shared-log.ts'
import { WRITER, ZONES } from './testing.ts'

export const TERM = 4
export const START = 1_000
export const CHAIN = 0xfeed_f00d

export interface Frame {
  readonly zone: string
  readonly header: FrameHeader
}

export class Bench {
  readonly log = SharedLog.allocate(START, CHAIN)
  readonly frames: Frame[] = []
  readonly calls: string[] = []
  readonly noted: number[] = []
  readonly sink: RingSink
  readonly writer: LogWriter
  nowMs = 10_000
  isLeased = true
  /** Where the worker's frames went. */
  readonly out: Frame[] = []
  #deliver: (data: Uint8Array) => void = () => {}
  readonly #directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loch-log-writer-'))
  readonly #device = fs.openSync(path.join(this.#directory, 'device'), 'w+')

  constructor(durability: Durability) {
    const { log } = this
    this.sink = new RingSink(log, TERM, WRITER, (parts) => {
      this.out.push({ zone: 'worker', header: checked(Buffer.concat(parts)) })
      return true
    })
    const proposer = createProposer(TERM, START, durability, ZONES, START, 'zone-2', this.nowMs)
    this.writer = new LogWriter(log, proposer, answersOn(this.#device), 'acks', WRITER, {
      subscribe: (subject, handler) => {
        this.calls.push(`subscribe ${subject}`)
        this.#deliver = handler
        return { unsubscribe: () => this.calls.push(`unsubscribe ${subject}`) }
      },
      publish: (frame) => this.frames.push({ zone: 'all', header: checked(frame) }),
      publishTo: (zone, frame) => this.frames.push({ zone, header: checked(frame) }),
      moveDuty: (zone) => this.calls.push(`duty ${zone}`),
      reelect: (zone, flushed) => this.calls.push(`reelect ${zone} ${flushed}`),
      isLeased: () => this.isLeased,
      heard: (zone, atMs) => this.calls.push(`heard ${zone} ${atMs}`),
      fenced: (term) => this.calls.push(`fenced ${term}`),
      report: (line) => this.calls.push(`report ${line}`),
      noteDurable: (position) => this.noted.push(position),
      nowMs: () => this.nowMs,
      timers: realTimers,
    })
    this.calls.length = 0
  }

  ack(zone: string, flushed: number, { archived = 0, term = TERM, status = 'ok' as AckStatus } = {}): void {
    this.#deliver(encodeAck({ zone, term, flushed, archived, status }))
  }

  raw(data: Uint8Array): void {
    this.#deliver(data)
  }

  /** Frames of `entries` entries of `size` bytes, sent one by one; returns where they end. */
  append(frames: number, entries = 1, size = 132): number {
    const data = Buffer.alloc(size - 32)
    for (let frame = 0; frame < frames; frame++) {
      for (let entry = 0; entry < entries; entry++) {
        this.sink.appendWrite(frame, entry, data.fill(frame + entry), 0, data.length)
      }
      this.sink.send()
    }
    return this.log.end
  }

  /** Lets the clock and the ticker get on. */
  pass(ms: number): void {
    this.nowMs += ms
    vi.advanceTimersByTime(ms)
  }

  /** What was written to the device: request id and errno of each reply. */
  get replies(): ReadonlyArray<readonly [unique: number, error: number]> {
    const bytes = Buffer.alloc(fs.fstatSync(this.#device).size)
    fs.readSync(this.#device, bytes, 0, bytes.length, 0)
    return Array.from({ length: bytes.length / 16 }, (_, at) => {
      expect(bytes.readUInt32LE(at * 16)).toBe(16)
      return [Number(bytes.readBigUInt64LE(at * 16 + 8)), bytes.readInt32LE(at * 16 + 4)] as const
    })
  }

  close(): void {
    this.writer.close()
    fs.closeSync(this.#device)
    fs.rmSync(this.#directory, { recursive: true })
  }
}

function checked(frame: Uint8Array): FrameHeader {
  const bytes = Buffer.from(frame)
  const header = readFrameHeader(bytes, 0) as FrameHeader
  expect(checkPayload(header, bytes.subarray(FRAME_HEADER_BYTES))).toBe(true)
  expect(header).toMatchObject({ term: TERM, writer: WRITER.toString('latin1') })
  return header
}

export const answersOn = (descriptor: number) => new LateReplies(new KernelDevice(descriptor))
