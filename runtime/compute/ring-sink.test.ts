import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  chainOver,
  checkPayload,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  type FrameHeader,
  readFrameHeader,
} from '../../events/frame.ts'
import { decodeEntry, entrySize, type LogEntry, WRITE_ENTRY_HEAD_BYTES } from '../../events/log-entry.ts'
import { RingSink } from './ring-sink.ts'
import { RING_BYTES, RING_RESERVE_BYTES, SharedLog } from './shared-log.ts'
import { WRITER } from './testing.ts'

const TERM = 3

interface Sent {
  readonly header: FrameHeader
  readonly payload: Buffer
}

/** A sink whose log begins at `position`; frames that leave it are checked and kept. */
function opened(position = 0) {
  const log = SharedLog.allocate(position, 0xdead_beef)
  const sent: Sent[] = []
  const link = { up: true }
  const sink = new RingSink(log, TERM, WRITER, (parts, bytes) => {
    const frame = Buffer.concat(parts)
    expect(frame.length).toBe(bytes)
    const header = readFrameHeader(frame, 0) as FrameHeader
    const payload = frame.subarray(FRAME_HEADER_BYTES)
    expect(checkPayload(header, payload)).toBe(true)
    if (link.up) sent.push({ header, payload })
    return link.up
  })
  sink.nowMs = 1_234.5
  return { log, sink, sent, link }
}

function entriesIn(bytes: Buffer): LogEntry[] {
  const entries: LogEntry[] = []
  let at = 0
  while (at < bytes.length) {
    const size = entrySize(bytes, at)
    expect(size).toBeGreaterThan(0)
    entries.push(decodeEntry(bytes, at)!)
    at += size
  }
  return entries
}

/** Each frame begins where the one before ends, in bytes and in chain. */
function expectChained(sent: readonly Sent[], position: number, chain: number): void {
  let place = { position, chain }
  for (const { header, payload } of sent) {
    expect([header.begin, header.chainBefore]).toEqual([place.position, place.chain])
    place = { position: header.begin + header.length, chain: chainOver(payload, place.chain) }
    expect(header.chainAfter).toBe(place.chain)
  }
}

const release = (log: SharedLog, position: number) => log.advance(position, position, () => {})

describe('what is appended', () => {
  test('leaves as the entries it was, under the term and its writer', () => {
    const { sink, log, sent } = opened(500)
    log.archived = 321
    const source = Buffer.from('..hello..')
    expect(sink.appendWrite(9, 8_192, source, 2, 5)).toBe(500 + WRITE_ENTRY_HEAD_BYTES + 5)
    const end = sink.append({ type: 'truncated', at: 77, ino: 9, size: 4 })
    expect(sink.end).toBe(end)
    expect(sent).toEqual([])
    sink.send()
    expect(sent.length).toBe(1)
    const { header, payload } = sent[0]!
    expect(header).toMatchObject({ term: TERM, begin: 500, archived: 321, writer: WRITER.toString('latin1'), flags: 0 })
    expect(entriesIn(payload)).toEqual([
      { type: 'write', at: 1_234.5, ino: 9, offset: 8_192, data: Buffer.from('hello') },
      { type: 'truncated', at: 77, ino: 9, size: 4 },
    ])
    expect(log.sent).toBe(end)
    sink.send()
    expect(sent.length).toBe(1)
  })

  test('goes on in the chain of the log before it, and every frame is remembered', () => {
    const { sink, log, sent } = opened(500)
    for (let at = 0; at < 5; at++) {
      sink.appendWrite(1, at, Buffer.alloc(100, at), 0, 100)
      sink.send()
    }
    expectChained(sent, 500, 0xdead_beef)
    for (const { header } of sent) {
      expect(log.placeBefore(header.begin)).toEqual({ position: header.begin, chain: header.chainBefore })
    }
    expect(sink.chain).toBe(sent.at(-1)!.header.chainAfter)
  })

  test('may lie across the end of the ring', () => {
    const { sink, log, sent } = opened(RING_BYTES - 50)
    const data = Buffer.from(Array.from({ length: 300 }, (_, at) => at % 251))
    sink.appendWrite(1, 0, data, 0, data.length)
    sink.send()
    expect(entriesIn(sent[0]!.payload)).toMatchObject([{ type: 'write', data }])
    expectChained(sent, RING_BYTES - 50, 0xdead_beef)
    // Its head too, and an entry that is encoded elsewhere.
    release(log, log.end)
    const { sink: other, sent: otherSent } = opened(RING_BYTES - 3)
    other.append({ type: 'unlinked', at: 5, parent: 1, name: 'pg_wal' })
    other.send()
    expect(entriesIn(otherSent[0]!.payload)).toEqual([{ type: 'unlinked', at: 5, parent: 1, name: 'pg_wal' }])
  })

  test('is cut at entries if it is more than a frame may hold', () => {
    const { sink, sent } = opened(RING_BYTES - 1_000_000)
    const data = Buffer.alloc(100_000)
    for (let at = 0; at < 20; at++) sink.appendWrite(at, 0, data.fill(at), 0, data.length)
    sink.send()
    const perFrame = Math.floor(FRAME_PAYLOAD_BYTES_MAX / (data.length + WRITE_ENTRY_HEAD_BYTES))
    expect(sent.map(({ payload }) => entriesIn(payload).length)).toEqual([perFrame, perFrame, 20 - 2 * perFrame])
    expectChained(sent, RING_BYTES - 1_000_000, 0xdead_beef)
    const inos = sent.flatMap(({ payload }) => entriesIn(payload).map((entry) => (entry as { ino: number }).ino))
    expect(inos).toEqual(Array.from({ length: 20 }, (_, at) => at))
  })

  test('counts as sent without a connection: the main thread sends it again', () => {
    const { sink, log, sent, link } = opened(100)
    link.up = false
    sink.appendWrite(1, 0, Buffer.alloc(10), 0, 10)
    sink.send()
    link.up = true
    sink.appendWrite(1, 0, Buffer.alloc(20), 0, 20)
    sink.send()
    expect(log.sent).toBe(log.end)
    expect(sent.length).toBe(1)
    // The chain knows the frame that did not leave.
    expect(sent[0]!.header.begin).toBe(100 + WRITE_ENTRY_HEAD_BYTES + 10)
    expect(sent[0]!.header.chainBefore).toBe(log.placeBefore(sent[0]!.header.begin)?.chain)
    expect(log.placeBefore(100)).toEqual({ position: 100, chain: 0xdead_beef })
  })

  test('counts as sent before anybody hears that it could not be: who looks then finds it', () => {
    const log = SharedLog.allocate(100, 1)
    const seen: number[] = []
    const sink = new RingSink(log, TERM, WRITER, () => {
      seen.push(log.sent)
      return false
    })
    for (const length of [10, 20]) {
      sink.appendWrite(1, 0, Buffer.alloc(length), 0, length)
      sink.send()
    }
    const first = 100 + WRITE_ENTRY_HEAD_BYTES + 10
    expect(seen).toEqual([first, first + WRITE_ENTRY_HEAD_BYTES + 20])
  })

  test('is the same log however it is cut and wherever in the ring it lies', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 40 })
    const sends = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 })
    fc.assert(
      fc.property(sizes, sends, fc.integer({ min: 0, max: 3 * RING_BYTES }), (lengths, isSent, begin) => {
        const { sink, log, sent } = opened(begin)
        const data = Buffer.alloc(60_000, 0x5a)
        for (const [at, length] of lengths.entries()) {
          sink.appendWrite(at, length, data, 0, length)
          if (isSent[at]) sink.send()
        }
        sink.send()
        expectChained(sent, begin, 0xdead_beef)
        const entries = sent.flatMap(({ payload }) => entriesIn(payload))
        expect(entries.map((entry) => (entry as { offset: number }).offset)).toEqual(lengths)
        expect(log.sent).toBe(log.end)
      }),
      { numRuns: 15 },
    )
  })
})

describe('a quiet log', () => {
  test('sends when asked or when much has gathered', () => {
    const { sink, log, sent } = opened()
    log.quiet = true
    const data = Buffer.alloc(100_000)
    for (let at = 0; at < 2; at++) {
      sink.appendWrite(1, 0, data, 0, data.length)
      sink.sendEagerly()
    }
    expect(sent.length).toBe(0)
    sink.appendWrite(1, 0, data, 0, data.length)
    sink.sendEagerly()
    expect(sent.length).toBe(1)
    sink.append({ type: 'truncated', at: 1, ino: 1, size: 0 })
    sink.sendEagerly()
    expect(sent.length).toBe(1)
    sink.send()
    expect(sent.length).toBe(2)
    log.quiet = false
    sink.append({ type: 'truncated', at: 1, ino: 1, size: 0 })
    sink.sendEagerly()
    expect(sent.length).toBe(3)
  })
})

describe('a full ring', () => {
  /** Fills it until the next operation would not fit. */
  function filled(position: number) {
    const opening = opened(position)
    const data = Buffer.alloc(64 * 1024)
    while (opening.log.ringFree >= RING_RESERVE_BYTES) opening.sink.appendWrite(1, 0, data, 0, data.length)
    return opening
  }

  test('has its writer send, and wait until some of it is released', () => {
    const { sink, log, sent } = filled(12_345)
    expect(log.sent).toBe(12_345)
    let waits = 0
    // Nobody else runs while this thread waits: the third look at the log's failure is within the wait.
    const failure = Object.getOwnPropertyDescriptor(SharedLog.prototype, 'failure')!
    Object.defineProperty(log, 'failure', {
      get: () => {
        if (++waits === 3) release(log, log.end)
        return failure.get!.call(log)
      },
    })
    expect(sink.reserve()).toBe(true)
    expect(waits).toBeGreaterThanOrEqual(3)
    expect(log.sent).toBe(log.end)
    expectChained(sent, 12_345, 0xdead_beef)
    expect(log.ringFree).toBe(RING_BYTES)
  })

  test('makes nobody wait while there is room', () => {
    const { sink, log, sent } = opened()
    sink.appendWrite(1, 0, Buffer.alloc(10), 0, 10)
    expect(sink.reserve()).toBe(true)
    expect(sent.length).toBe(0)
    expect(log.sent).toBe(0)
  })

  test('lets its writer go when the log fails, with that word', () => {
    const { sink, log } = filled(0)
    log.fail(5, () => {})
    expect(sink.reserve()).toBe(false)
  })

  test('takes new bytes only over what was released', () => {
    const { sink, log, sent } = filled(0)
    sink.send()
    const half = sent[Math.floor(sent.length / 2)]!.header.begin
    release(log, half)
    const kept = Buffer.alloc(log.end - half)
    log.copyOut(half, log.end, kept, 0)
    const before = log.end
    expect(sink.reserve()).toBe(true)
    while (log.ringFree >= 70_000) sink.appendWrite(2, 0, Buffer.alloc(64 * 1024, 0xff), 0, 64 * 1024)
    const now = Buffer.alloc(before - half)
    log.copyOut(half, before, now, 0)
    expect(now.equals(kept)).toBe(true)
  })
})
