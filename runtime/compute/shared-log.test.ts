import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FRAME_MARKS, RING_BYTES, RING_RESERVE_BYTES, SharedLog, SYNC_SLOTS } from './shared-log.ts'

const EIO = 5

/** A log and the fsyncs answered so far, by their request id. */
function opened(position = 0) {
  const log = SharedLog.allocate(position, 7)
  const answered: number[] = []
  const answer = (low: number, high: number) => answered.push(high * 0x1_0000_0000 + low)
  return { log, answered, answer }
}

describe('an fsync', () => {
  test('waits until its position is durable, and not longer', () => {
    const { log, answered, answer } = opened(100)
    expect(log.enqueueSync(1, 0, 150)).toBe(true)
    expect(log.waitingSyncs).toBe(1)
    log.advance(149, 149, answer)
    expect(answered).toEqual([])
    log.advance(150, 150, answer)
    expect(answered).toEqual([1])
    log.advance(200, 200, answer)
    expect(answered).toEqual([1])
    expect(log.waitingSyncs).toBe(0)
  })

  test('that is durable already is its caller to answer', () => {
    const { log, answered, answer } = opened()
    log.advance(150, 150, answer)
    expect(log.enqueueSync(1, 0, 150)).toBe(false)
    expect(log.waitingSyncs).toBe(0)
    log.advance(151, 151, answer)
    expect(answered).toEqual([])
  })

  test('keeps all 64 bits of its request id', () => {
    const { log, answered, answer } = opened()
    log.enqueueSync(0xffff_fffe, 0x8000_0001, 1)
    log.advance(1, 1, answer)
    expect(answered).toEqual([0x8000_0001 * 0x1_0000_0000 + 0xffff_fffe])
  })

  test('gets its answer whatever the order in which others are durable', () => {
    const { log, answered, answer } = opened()
    for (const position of [30, 10, 20]) log.enqueueSync(position, 0, position)
    log.advance(20, 0, answer)
    expect(answered.sort()).toEqual([10, 20])
    log.advance(30, 0, answer)
    expect(answered).toEqual([10, 20, 30])
  })

  test('is answered by exactly one side when it becomes durable while it is registered', () => {
    const { log, answered, answer } = opened()
    // The durable position grows between the first look and the last: what the main thread does then is done here.
    atLook(log, 'durable', 2, () => log.advance(10, 10, answer))
    const waits = log.enqueueSync(1, 0, 10)
    expect({ waits, answered }).toEqual({ waits: true, answered: [1] })
    expect(log.waitingSyncs).toBe(0)
  })

  test('is answered by its caller if the main thread looked just before it was registered', () => {
    const { log, answered, answer } = opened()
    const waits = atLook(
      log,
      'waitingSlots',
      1,
      () => log.advance(10, 10, answer),
      () => log.enqueueSync(1, 0, 10),
    )
    expect({ waits, answered }).toEqual({ waits: false, answered: [] })
    expect(log.waitingSyncs).toBe(0)
    log.advance(20, 20, answer)
    expect(answered).toEqual([])
  })

  test('that is registered while others are answered hides none that is due', () => {
    const { log, answered, answer } = opened()
    for (const position of [1, 2, 30]) log.enqueueSync(position, 0, position)
    log.advance(2, 2, answer)
    log.enqueueSync(40, 0, 40)
    // The worker fills two slots before the one of the fsync that is due, while the main thread is on its way to it.
    let filled = false
    log.advance(40, 40, (low, high) => {
      answer(low, high)
      if (filled) return
      filled = true
      log.enqueueSync(50, 0, 50)
      log.enqueueSync(60, 0, 60)
    })
    expect([...answered].sort((left, right) => left - right)).toEqual([1, 2, 30, 40])
  })

  test('finds room for as many as there are slots, and waits itself if there is none', () => {
    const { log, answered, answer } = opened()
    for (let unique = 1; unique <= SYNC_SLOTS; unique++) expect(log.enqueueSync(unique, 0, unique)).toBe(true)
    expect(log.waitingSyncs).toBe(SYNC_SLOTS)
    // Nobody else runs while this thread waits, so its second look is where the other one gets on.
    atLook(log, 'durable', 3, () => log.advance(SYNC_SLOTS + 1, 0, answer))
    expect(log.enqueueSync(9_999, 0, SYNC_SLOTS + 1)).toBe(false)
    expect(answered.length).toBe(SYNC_SLOTS)
    expect(log.waitingSyncs).toBe(0)
  })

  test('is answered exactly once, by whichever side, in every order of registering and advancing', () => {
    const step = fc.oneof(
      fc.record({ sync: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ durable: fc.integer({ min: 1, max: 12 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { log, answered, answer } = opened()
        const mine: number[] = []
        const positions = new Map<number, number>()
        for (const [unique, what] of steps.entries()) {
          if ('durable' in what) log.advance(log.durable + what.durable, 0, answer)
          else {
            positions.set(unique, what.sync)
            if (!log.enqueueSync(unique, 0, what.sync)) mine.push(unique)
          }
          const due = [...positions].filter(([, position]) => position <= log.durable).map(([id]) => id)
          expect([...answered, ...mine].sort((left, right) => left - right)).toEqual(due)
        }
      }),
      { numRuns: 20 },
    )
  })
})

describe('a failed log', () => {
  test('answers every fsync that waits, and lets none wait after that', () => {
    const { log, answered, answer } = opened()
    for (const position of [10, 20, 30]) log.enqueueSync(position, 0, position)
    log.fail(EIO, answer)
    expect(answered).toEqual([10, 20, 30])
    expect(log.failure).toBe(EIO)
    expect(log.enqueueSync(40, 0, 40)).toBe(false)
    log.fail(9, answer)
    expect(log.failure).toBe(EIO)
    expect(answered).toEqual([10, 20, 30])
  })

  test('answers an fsync that is registered while it fails exactly once', () => {
    const { log, answered, answer } = opened()
    atLook(log, 'failure', 2, () => log.fail(EIO, answer))
    expect({ waits: log.enqueueSync(1, 0, 10), answered }).toEqual({ waits: true, answered: [1] })
    const late = opened()
    const fail = () => late.log.fail(EIO, late.answer)
    const waits = atLook(late.log, 'waitingSlots', 1, fail, () => late.log.enqueueSync(1, 0, 10))
    expect({ waits, answered: late.answered }).toEqual({ waits: false, answered: [] })
  })

  test('lets nobody wait for room', () => {
    const { log, answer } = opened()
    log.end = RING_BYTES
    log.fail(EIO, answer)
    log.awaitRing(RING_RESERVE_BYTES)
  })
})

describe('the ring', () => {
  test('has room again for what was released', () => {
    const { log, answer } = opened(1_000)
    log.end = 1_000 + RING_BYTES
    expect(log.ringFree).toBe(0)
    log.advance(3_000, 2_500, answer)
    expect(log.ringFree).toBe(1_500)
    log.awaitRing(1_500)
    atLook(log, 'failure', 3, () => log.advance(3_000, 3_000, answer))
    log.awaitRing(2_000)
    expect(log.ringFree).toBe(2_000)
  })

  test('gives back what was put into it, also across its end', () => {
    const { log } = opened(0)
    const pattern = Buffer.from(Array.from({ length: 200 }, (_, at) => at))
    const begin = RING_BYTES - 77
    pattern.copy(log.ring, begin, 0, 77)
    pattern.copy(log.ring, 0, 77)
    const target = Buffer.alloc(210)
    log.copyOut(begin, begin + 200, target, 10)
    expect(target.subarray(10)).toEqual(pattern)
    log.copyOut(begin + 3 * RING_BYTES, begin + 3 * RING_BYTES + 77, target, 0)
    expect(target.subarray(0, 77)).toEqual(pattern.subarray(0, 77))
  })

  test('holds what cannot be overwritten by the next operation', () => {
    const { log, answer } = opened(500)
    log.end = 500 + 100
    expect([499, 500, 600, 601].map((position) => log.holds(position))).toEqual([false, true, true, false])
    log.end = 500 + 2 * RING_BYTES
    log.advance(log.end, log.end, answer)
    const oldest = log.end - RING_BYTES + RING_RESERVE_BYTES
    expect([oldest - 1, oldest].map((position) => log.holds(position))).toEqual([false, true])
  })

  test('holds all that was not released, though the next operation has to wait for room', () => {
    const { log, answer } = opened(500)
    log.end = 4_000
    log.advance(3_000, 3_000, answer)
    log.end = 3_000 + RING_BYTES
    expect([2_999, 3_000, log.end].map((position) => log.holds(position))).toEqual([false, true, true])
  })

  test('may be released up to where a frame begins, or up to all that was sent', () => {
    const { log } = opened(100)
    log.markFrame(100, 7)
    log.markFrame(150, 8)
    log.end = 230
    log.sent = 200
    expect([100, 149, 150, 199, 200].map((position) => log.releasable(position))).toEqual([100, 100, 150, 150, 200])
  })
})

describe('the chain before a position', () => {
  test('is known from where the log or the nearest frame began', () => {
    const { log } = opened(100)
    expect(log.placeBefore(130)).toEqual({ position: 100, chain: 7 })
    log.markFrame(150, 0xffff_fff0)
    log.markFrame(180, 3)
    const places = [100, 149, 150, 179, 180, 9_999].map((position) => log.placeBefore(position))
    const [base, first, second] = [
      { position: 100, chain: 7 },
      { position: 150, chain: 0xffff_fff0 },
      { position: 180, chain: 3 },
    ]
    expect(places).toEqual([base, base, first, first, second, second])
    expect(log.placeBefore(99)).toBeUndefined()
  })

  test('is forgotten for the oldest frames only', () => {
    const { log } = opened(0)
    const count = FRAME_MARKS * 2 + 10
    for (let at = 1; at <= count; at++) log.markFrame(at * 10, at)
    const oldest = count - FRAME_MARKS + 2
    for (let at = oldest; at <= count; at += 997) {
      expect(log.placeBefore(at * 10 + 9)).toEqual({ position: at * 10, chain: at })
    }
    expect(log.placeBefore(count * 10)).toEqual({ position: count * 10, chain: count })
    for (const position of [(oldest - 1) * 10 - 1, 5, 0]) expect(log.placeBefore(position)).toBeUndefined()
  })
})

test('the memory is all there is: another thread sees the same log', () => {
  const { log } = opened(40)
  const other = new SharedLog(log.memory)
  other.end = 90
  other.sent = 80
  other.markFrame(60, 5)
  log.quiet = true
  log.socket = 17
  log.archived = 30
  expect([log.end, log.sent, log.placeBefore(60)?.chain, log.baseChain]).toEqual([90, 80, 5, 7])
  expect([other.base, other.quiet, other.socket, other.archived]).toEqual([40, true, 17, 30])
})

test('one wake is asked for until the worker has begun to look', () => {
  const { log } = opened()
  expect([log.requestWake(), log.requestWake()]).toEqual([true, false])
  log.clearWake()
  expect(log.requestWake()).toBe(true)
})

test('the socket is free again after a write that threw', () => {
  const { log } = opened()
  const broken = () => {
    throw new Error('broken')
  }
  expect(() => log.withSocket(broken)).toThrow('broken')
  let wrote = false
  log.withSocket(() => {
    wrote = true
  })
  expect(wrote).toBe(true)
})

type Look = 'durable' | 'failure' | 'waitingSlots'

/**
 * Runs `other`, which the other thread would do, just before the `nth` time that the log looks at `what`; waitingSlots is
 * the moment before a slot is filled.
 */
function atLook<T>(log: SharedLog, what: Look, nth: number, other: () => void, work?: () => T): T | undefined {
  let looks = 0
  const due = () => {
    if (++looks === nth) other()
  }
  if (what === 'waitingSlots') {
    const slots = log as unknown as { claimFreeSlot: () => number }
    const claim = slots.claimFreeSlot.bind(log)
    slots.claimFreeSlot = () => {
      due()
      return claim()
    }
  } else {
    const { get } = Object.getOwnPropertyDescriptor(SharedLog.prototype, what)!
    const look = () => {
      due()
      return get!.call(log)
    }
    Object.defineProperty(log, what, { configurable: true, get: look })
  }
  return work?.()
}
