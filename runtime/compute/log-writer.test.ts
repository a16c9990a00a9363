import * as fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createProposer, DUTY_TIMEOUT_MS, type Durability, RESEND_AFTER_MS } from '../../actors/compute/proposer.ts'
import { encodeAck } from '../../events/safekeeper-wire.ts'
import { realTimers } from '../system/timers.ts'
import { ARCHIVE_LAG_BYTES_MAX, EIO, LogWriter, PROGRESS_NOTE_INTERVAL_MS } from './log-writer.ts'
import { RING_BYTES, RING_RESERVE_BYTES } from './shared-log.ts'
import { WRITER, ZONES } from './testing.ts'
import { answersOn, Bench, CHAIN, START, TERM } from './testing-log-writer.ts'

const benches: Bench[] = []

function bench(durability: Durability = 'archived'): Bench {
  const made = new Bench(durability)
  benches.push(made)
  return made
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
  return () => vi.useRealTimers()
})

afterEach(() => {
  for (const made of benches.splice(0)) made.close()
})

describe('under archived durability', () => {
  test('an fsync waits for a majority and for the archive, whichever comes last', () => {
    const b = bench()
    const end = b.append(1)
    b.log.enqueueSync(1, 0, end)
    b.ack('zone-1', end)
    b.ack('zone-2', end)
    expect(b.replies).toEqual([])
    b.ack('zone-2', end, { archived: end - 1 })
    expect(b.replies).toEqual([])
    b.ack('zone-2', end, { archived: end })
    expect(b.replies).toEqual([[1, 0]])

    const next = b.append(1)
    b.log.enqueueSync(2, 7, next)
    b.ack('zone-2', next, { archived: next })
    expect(b.replies.length).toBe(1)
    b.ack('zone-3', next)
    expect(b.replies.slice(1)).toEqual([[7 * 0x1_0000_0000 + 2, 0]])
    expect(b.log.durable).toBe(next)
  })

  test('nothing of the term before counts by itself', () => {
    const b = bench()
    for (const zone of ZONES) b.ack(zone, START - 1, { archived: START - 1 })
    expect(b.writer.proposer.durable).toBe(0)
    expect(b.log.durable).toBe(START)
  })

  test('what is durable is released at once, and the archived position is told on', () => {
    const b = bench()
    const end = b.append(3)
    const archived = end - 132
    for (const zone of ZONES) b.ack(zone, end, { archived })
    expect([b.log.durable, b.log.released, b.log.archived]).toEqual([archived, archived, archived])
    b.append(1)
    expect(b.out.at(-1)!.header.archived).toBe(archived)
  })

  test('a frame that is durable in part is kept, or nothing behind it could be sent again', () => {
    const b = bench()
    const end = b.append(1, 3)
    for (const zone of ZONES) b.ack(zone, end, { archived: START + 132 })
    expect([b.log.durable, b.log.released]).toEqual([START + 132, START])
    for (const zone of ZONES) b.ack(zone, end, { archived: end })
    expect(b.log.released).toBe(end)
  })
})

describe('without a lease', () => {
  test('nobody is told of what became durable: a disk that was counted may be lost, and a successor have begun', async () => {
    const b = bench()
    const end = b.append(1)
    b.log.enqueueSync(1, 0, end)
    b.ack('zone-1', end)
    b.isLeased = false
    b.ack('zone-2', end, { archived: end })
    b.pass(1_000)
    expect(b.replies).toEqual([])
    expect(b.log.durable).toBe(START)
    b.isLeased = true
    b.pass(100)
    expect(b.replies).toEqual([[1, 0]])
    expect(await b.writer.whenDurable(end)).toBe(true)
  })
})

describe('under quorum durability', () => {
  test('an fsync waits for a majority only', () => {
    const b = bench('quorum')
    const end = b.append(1)
    b.log.enqueueSync(1, 0, end)
    b.ack('zone-1', end)
    expect(b.replies).toEqual([])
    b.ack('zone-3', end)
    expect(b.replies).toEqual([[1, 0]])
    expect([b.log.durable, b.log.archived]).toEqual([end, START])
  })

  test('the ring is released no further than the archive may lag behind', () => {
    const b = bench('quorum')
    const end = START + ARCHIVE_LAG_BYTES_MAX + 5_000
    b.log.end = end
    b.ack('zone-1', end)
    b.ack('zone-3', end)
    expect([b.log.durable, b.log.released]).toEqual([end, START + ARCHIVE_LAG_BYTES_MAX])
    b.ack('zone-2', 0, { archived: START + 3_000 })
    expect(b.log.released).toBe(START + ARCHIVE_LAG_BYTES_MAX + 3_000)
    b.ack('zone-2', 0, { archived: end })
    expect([b.log.released, b.log.archived]).toEqual([end, end])
  })
})

describe('acknowledgements', () => {
  test('may be late, doubled, of strangers or nonsense', () => {
    const b = bench('quorum')
    const end = b.append(2)
    b.ack('zone-1', end)
    b.ack('zone-1', end)
    b.ack('zone-9', end)
    b.raw(Buffer.from('nonsense'))
    b.raw(new Uint8Array(0))
    expect(b.log.durable).toBe(START)
    b.ack('zone-2', end - 132)
    b.ack('zone-2', START)
    expect(b.log.durable).toBe(end - 132)
    expect(b.log.released).toBe(end - 132)
  })

  test('tell that their sender was under our term since the log stood where they go beyond, not since they came', () => {
    const b = bench()
    const before = b.append(1)
    b.pass(600)
    const since = b.nowMs
    const after = b.append(1)
    b.ack('zone-1', before)
    b.ack('zone-2', 0, { term: TERM - 1 })
    b.nowMs += 6_000
    b.ack('zone-3', after)
    const heard = b.calls.filter((call) => call.startsWith('heard'))
    expect(heard).toHaveLength(1)
    expect(heard[0]).toMatch(/^heard zone-3 /)
    expect(Number(heard[0]!.split(' ')[2])).toBeLessThanOrEqual(since)
    expect(b.calls).toContain('reelect zone-2 0')
  })

  test('of a safekeeper that missed the election have it told again, whatever it says', () => {
    const b = bench()
    b.ack('zone-1', 0, { status: 'not-elected' })
    b.ack('zone-2', 700, { term: TERM - 1, status: 'not-elected' })
    b.ack('zone-3', 0, { term: TERM - 2, status: 'fenced' })
    const reelected = b.calls.filter((call) => call.startsWith('reelect'))
    expect(reelected).toEqual(['reelect zone-1 0', 'reelect zone-2 700', 'reelect zone-3 0'])
    expect(b.log.failure).toBe(0)
  })

  test('of a safekeeper that cannot append are reported', () => {
    const b = bench()
    b.ack('zone-1', 1_100, { status: 'failed' })
    expect(b.calls).toContain('report safekeeper zone-1 cannot append at 1100')
  })
})

describe('an acknowledgement with a higher term', () => {
  test('fails the log for good: everybody who waits, and everybody to come', async () => {
    const b = bench('quorum')
    const end = b.append(2)
    b.log.enqueueSync(1, 0, end - 132)
    b.log.enqueueSync(2, 0, end)
    const durable = b.writer.whenDurable(end)
    b.ack('zone-3', 0, { term: TERM + 1, status: 'fenced' })
    expect(b.replies).toEqual([
      [1, -EIO],
      [2, -EIO],
    ])
    expect(await durable).toBe(false)
    expect(await b.writer.whenDurable(START)).toBe(false)
    expect(b.log.enqueueSync(3, 0, end)).toBe(false)
    expect(b.log.failure).toBe(EIO)
    b.ack('zone-1', end)
    b.ack('zone-2', end)
    expect([b.log.durable, b.replies.length]).toEqual([START, 2])
  })

  test('is told once', () => {
    const b = bench()
    for (const term of [TERM + 1, TERM + 2, TERM + 1]) b.ack('zone-3', 0, { term, status: 'fenced' })
    expect(b.calls).toEqual([`fenced ${TERM + 1}`])
  })

  test('counts also if it comes with an ok', () => {
    const b = bench()
    b.ack('zone-3', START, { term: TERM + 1 })
    expect(b.calls).toEqual([`fenced ${TERM + 1}`])
  })
})

describe('a ring that is full of what nobody has', () => {
  /** Nothing of it arrives, until the worker has to wait for room. */
  function fill(b: Bench): number {
    while (b.log.ringFree >= RING_RESERVE_BYTES) b.append(1, 1, 64 * 1024)
    b.frames.length = 0
    b.pass(RESEND_AFTER_MS)
    return b.log.end
  }

  function takeIn(b: Bench, from: number, end: number): void {
    expect(b.calls.filter((call) => call.startsWith('reelect'))).toEqual([])
    for (const zone of ZONES) {
      const sent = b.frames.filter((frame) => frame.zone === zone).map(({ header }) => header)
      expect(sent[0]!.begin).toBe(from)
      expect(sent.at(-1)).toMatchObject({ chainAfter: b.sink.chain })
      expect(sent.reduce((bytes, { length }) => bytes + length, from)).toBe(end)
      b.ack(zone, end, { archived: end })
    }
    expect([b.log.durable, b.log.ringFree]).toEqual([end, RING_BYTES])
  }

  test('is sent again when the safekeepers are back', () => {
    const b = bench()
    const known = b.append(2)
    for (const zone of ZONES) b.ack(zone, known, { archived: known })
    takeIn(b, known, fill(b))
  })

  test('is sent again also from within a frame', () => {
    const b = bench()
    b.append(1, 3)
    const known = START + 132
    for (const zone of ZONES) b.ack(zone, known, { archived: known })
    takeIn(b, known, fill(b))
  })

  test('is sent again from where the term began', () => {
    const b = bench()
    takeIn(b, START, fill(b))
  })
})

describe('a safekeeper that stands still', () => {
  test('is sent from the ring what it lacks, in a chain that joins on', () => {
    const b = bench()
    const end = b.append(4)
    b.ack('zone-1', end)
    b.ack('zone-2', START + 132)
    b.ack('zone-3', START)
    b.pass(RESEND_AFTER_MS)
    expect(b.frames.map(({ zone }) => zone)).toEqual(['zone-2', 'zone-3'])
    const [second, third] = b.frames.map(({ header }) => header)
    expect(second).toMatchObject({
      begin: START + 132,
      length: 3 * 132,
      chainBefore: b.log.placeBefore(START + 132)?.chain,
    })
    expect(third).toMatchObject({ begin: START, length: 4 * 132, chainBefore: CHAIN, chainAfter: b.sink.chain })
    expect(second!.chainAfter).toBe(b.sink.chain)
    expect(b.calls.filter((call) => call.startsWith('reelect'))).toEqual([])
  })

  test('is sent it again only after it had its time', () => {
    const b = bench()
    const end = b.append(1)
    b.ack('zone-1', end)
    b.ack('zone-2', end)
    b.ack('zone-3', START)
    b.pass(RESEND_AFTER_MS)
    b.pass(RESEND_AFTER_MS - 50)
    expect(b.frames.length).toBe(1)
    b.pass(50)
    expect(b.frames.length).toBe(2)
    b.ack('zone-3', end)
    b.pass(10 * RESEND_AFTER_MS)
    expect(b.frames.length).toBe(2)
  })

  test('and has never been heard is sent the term from its start: the first frame may be all there is', () => {
    const b = bench()
    const end = b.append(1)
    b.pass(RESEND_AFTER_MS)
    expect(b.frames).toMatchObject(ZONES.map((zone) => ({ zone, header: { begin: START, length: end - START } })))
    expect(b.calls).toEqual([])
  })

  test('that says what it misses is sent that at once', () => {
    const b = bench()
    b.append(3)
    b.ack('zone-3', START + 132, { status: 'gap' })
    expect(b.frames).toMatchObject([{ zone: 'zone-3', header: { begin: START + 132, length: 2 * 132 } }])
  })

  test('gets much in frames of whole entries that are no larger than they may be', () => {
    const b = bench()
    const size = 100_032
    const end = b.append(10, 2, size)
    b.ack('zone-3', START, { status: 'gap' })
    let place = { begin: START, chainBefore: CHAIN }
    for (const { header } of b.frames) {
      expect(header).toMatchObject(place)
      expect(header.length % size).toBe(0)
      expect(header.length).toBeLessThanOrEqual(768 * 1024)
      place = { begin: header.begin + header.length, chainBefore: header.chainAfter }
    }
    expect(place).toEqual({ begin: end, chainBefore: b.sink.chain })
    expect(b.frames.length).toBeGreaterThan(2)
  })

  test('can go on from wherever a frame that was sent again ends', () => {
    const b = bench()
    const end = b.append(10, 3, 100_032)
    b.ack('zone-3', START, { status: 'gap' })
    const [first] = b.frames.splice(0)
    // Only the first of them arrived; it may hold one and a half of the frames that were sent at first.
    const flushed = first!.header.begin + first!.header.length
    b.ack('zone-3', flushed, { status: 'gap' })
    expect(b.frames[0]).toMatchObject({
      zone: 'zone-3',
      header: { begin: flushed, chainBefore: first!.header.chainAfter },
    })
    expect(b.frames.at(-1)!.header).toMatchObject({ chainAfter: b.sink.chain })
    expect(b.calls.filter((call) => call.startsWith('reelect'))).toEqual([])
    expect(flushed).toBeLessThan(end)
  })

  test('must hear of the election again if the ring no longer holds what it lacks', () => {
    const b = bench('quorum')
    const data = Buffer.alloc(64 * 1024)
    while (b.log.end < START + RING_BYTES + RING_RESERVE_BYTES) {
      b.sink.appendWrite(1, 0, data, 0, data.length)
      b.sink.send()
      for (const zone of ['zone-1', 'zone-2']) b.ack(zone, b.log.end)
    }
    b.calls.length = 0
    b.pass(RESEND_AFTER_MS)
    expect(b.calls).toEqual([expect.stringMatching(/^reelect zone-3 /)])
    expect(b.frames).toEqual([])
    b.ack('zone-3', START, { status: 'gap' })
    expect(b.calls).toContain(`reelect zone-3 ${START}`)
    expect(b.frames).toEqual([])
    // What it still holds it sends.
    const last = b.out.at(-3)!.header
    b.ack('zone-3', last.begin, { status: 'gap' })
    expect(b.frames[0]).toMatchObject({ zone: 'zone-3', header: { begin: last.begin, chainBefore: last.chainBefore } })
  })

  test('must hear of the election again if no log is known to begin where its ends', () => {
    const b = bench()
    b.append(1)
    b.ack('zone-3', START - 200, { status: 'gap' })
    expect(b.calls).toContain(`reelect zone-3 ${START - 200}`)
    expect(b.frames).toEqual([])
  })
})

test('frames without a connection go out over the bus, to all', () => {
  const b = bench()
  const end = b.append(3)
  b.writer.sendUnsent(START + 132)
  expect(b.frames).toMatchObject([{ zone: 'all', header: { begin: START + 132, length: end - START - 132 } }])
})

test('archive duty moves when the archive stands still though a majority has more', () => {
  const b = bench()
  const end = b.append(1)
  for (const zone of ZONES) b.ack(zone, end)
  b.calls.length = 0
  b.pass(DUTY_TIMEOUT_MS - 100)
  expect(b.calls).toEqual([])
  b.pass(100)
  expect(b.calls).toMatchObject([expect.stringContaining('duty to zone-3'), 'duty zone-3'])
  expect(b.writer.proposer.dutyZone).toBe('zone-3')
  b.ack('zone-3', end, { archived: end })
  b.calls.length = 0
  b.pass(3 * DUTY_TIMEOUT_MS)
  expect(b.calls).toEqual([])
})

test('who waits for a position hears when it is durable', async () => {
  const b = bench('quorum')
  const end = b.append(2)
  expect(await b.writer.whenDurable(START)).toBe(true)
  const order: string[] = []
  const waits = [
    b.writer.whenDurable(end).then((ok) => order.push(`all ${ok}`)),
    b.writer.whenDurable(end - 132).then((ok) => order.push(`first ${ok}`)),
  ]
  for (const zone of ['zone-1', 'zone-2']) b.ack(zone, end - 132)
  await waits[1]
  expect(order).toEqual(['first true'])
  for (const zone of ['zone-1', 'zone-2']) b.ack(zone, end)
  await waits[0]
  expect(order).toEqual(['first true', 'all true'])
})

test('who waits for a position in the archive hears when it is there, and durable', async () => {
  for (const [durability, last] of [
    ['quorum', 'archived'],
    ['archived', 'durable'],
  ] as const) {
    const b = bench(durability)
    const end = b.append(1)
    let isReached = false
    const waiting = b.writer.whenArchived(end).then((ok) => {
      isReached = ok
    })
    b.ack('zone-1', end, last === 'durable' ? { archived: end } : {})
    if (last === 'archived') b.ack('zone-2', end)
    await Promise.resolve()
    expect(isReached).toBe(false)
    b.ack('zone-2', end, { archived: end })
    await waiting
    expect(isReached).toBe(true)
  }
})

test('closing ends it: who waits gets EIO, nothing is sent or heard any more', async () => {
  const b = bench()
  const end = b.append(1)
  b.log.enqueueSync(1, 0, end)
  const durable = b.writer.whenDurable(end)
  b.writer.close()
  expect(b.calls).toEqual(['unsubscribe acks'])
  expect(b.replies).toEqual([[1, -EIO]])
  expect(await durable).toBe(false)
  b.pass(10_000)
  expect(b.frames).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test('how far the log is durable is noted seldom, never where it moves, and once more in the end', () => {
  const b = bench('quorum')
  const move = () => {
    const end = b.append(1)
    for (const zone of ZONES) b.ack(zone, end)
    expect(b.log.durable).toBe(end)
    return end
  }
  b.pass(100)
  expect(b.noted).toEqual([START])
  const seen = Array.from({ length: 4 }, () => {
    const end = move()
    b.pass(50)
    return end
  })
  expect(b.noted).toEqual([START])
  b.pass(PROGRESS_NOTE_INTERVAL_MS)
  expect(b.noted).toEqual([START, seen.at(-1)])
  b.pass(10 * PROGRESS_NOTE_INTERVAL_MS)
  const last = move()
  expect(b.noted).toHaveLength(2)
  b.writer.close()
  b.writer.fail()
  expect(b.noted).toEqual([START, seen.at(-1), last])
})

test('an fsync that the kernel has given up is no news; any other failure to reply is reported', () => {
  const b = bench('quorum')
  const full = fs.openSync('/dev/full', 'w')
  const proposer = createProposer(TERM, START, 'quorum', ZONES, START, 'zone-2', 0)
  const reported: string[] = []
  let deliver: (data: Uint8Array) => void = () => {}
  const nothing = () => {}
  const writer = new LogWriter(b.log, proposer, answersOn(full), 'acks', WRITER, {
    subscribe: (_, handler) => {
      deliver = handler
      return { unsubscribe: nothing }
    },
    publish: nothing,
    isLeased: () => true,
    publishTo: nothing,
    moveDuty: nothing,
    reelect: nothing,
    heard: nothing,
    fenced: nothing,
    report: (line) => reported.push(line),
    noteDurable: nothing,
    nowMs: () => 0,
    timers: realTimers,
  })
  b.log.enqueueSync(1, 0, START + 10)
  for (const zone of ZONES) deliver(encodeAck({ zone, term: TERM, flushed: START + 10, archived: 0, status: 'ok' }))
  expect(reported).toEqual([expect.stringContaining('ENOSPC')])
  writer.close()
  fs.closeSync(full)
})
