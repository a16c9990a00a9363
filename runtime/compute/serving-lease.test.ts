import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { realTimers } from '../system/timers.ts'
import { LEASE_ASK_INTERVAL_MS, LEASE_DURATION_MS, ServingLease } from './serving-lease.ts'
import { ZONES } from './testing.ts'

const TERM = 6
/** The lease is looked at so often, so a lapse is noticed so late. */
const NOTICED_WITHIN_MS = LEASE_ASK_INTERVAL_MS

class Bench {
  nowMs = 50_000
  readonly calls: string[] = []
  readonly asked: string[] = []
  /** How a zone answers; the default is not at all. */
  readonly answers = new Map<string, () => Promise<number>>()
  readonly lease = new ServingLease({
    zones: ZONES,
    term: TERM,
    nowMs: () => this.nowMs,
    electedAtMs: this.nowMs,
    ask: (zone) => {
      this.asked.push(zone)
      return this.answers.get(zone)?.() ?? Promise.reject(new Error('silence'))
    },
    lapsed: () => this.calls.push('lapsed'),
    renewed: () => this.calls.push('renewed'),
    fenced: (term) => this.calls.push(`fenced ${term}`),
    timers: realTimers,
  })

  /** Lets the clock get on, with everything that is due on the way. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.nowMs += 100
      await vi.advanceTimersByTimeAsync(100)
    }
  }
}

let bench: Bench

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
  bench = new Bench()
})
afterEach(() => {
  bench.lease.close()
  vi.useRealTimers()
})

describe('the serving lease', () => {
  test('is held from the election on, and lapses once when no majority has been heard for its length', async () => {
    expect(bench.lease.held).toBe(true)
    await bench.pass(LEASE_DURATION_MS)
    expect(bench.calls).toEqual([])
    await bench.pass(NOTICED_WITHIN_MS)
    expect(bench.calls).toEqual(['lapsed'])
    expect(bench.lease.held).toBe(false)
    await bench.pass(5 * LEASE_DURATION_MS)
    expect(bench.calls).toEqual(['lapsed'])
  })

  test('is held as long as a majority is heard, whoever that is', async () => {
    for (let round = 0; round < 12; round++) {
      bench.lease.heard(ZONES[round % 3]!, bench.nowMs)
      await bench.pass(LEASE_DURATION_MS / 2 - 100)
    }
    expect(bench.calls).toEqual([])
  })

  test('is not held by one zone of three, however loud', async () => {
    for (let round = 0; round < LEASE_DURATION_MS / 100 + 6; round++) {
      bench.lease.heard('zone-1', bench.nowMs)
      await bench.pass(100)
    }
    expect(bench.calls).toEqual(['lapsed'])
  })

  test('is renewed by the answer that makes a majority', async () => {
    await bench.pass(LEASE_DURATION_MS + NOTICED_WITHIN_MS)
    bench.lease.heard('zone-2', bench.nowMs)
    expect(bench.calls).toEqual(['lapsed'])
    bench.lease.heard('zone-2', bench.nowMs)
    expect(bench.lease.held).toBe(false)
    bench.lease.heard('zone-3', bench.nowMs)
    expect(bench.calls).toEqual(['lapsed', 'renewed'])
    expect(bench.lease.held).toBe(true)
    await bench.pass(LEASE_DURATION_MS + NOTICED_WITHIN_MS)
    expect(bench.calls).toEqual(['lapsed', 'renewed', 'lapsed'])
  })

  test('is lost by a process that was held up for longer than it lasts', async () => {
    await bench.pass(LEASE_ASK_INTERVAL_MS)
    // Stopped as a whole, as a paused machine is: another may long have been elected when it wakes.
    bench.nowMs += 10 * LEASE_DURATION_MS
    await vi.advanceTimersByTimeAsync(LEASE_ASK_INTERVAL_MS)
    expect(bench.calls).toEqual(['lapsed'])
  })

  test('counts from when the votes were asked for, however long the log was read since', () => {
    const late = new ServingLease({
      zones: ZONES,
      term: TERM,
      nowMs: () => bench.nowMs,
      electedAtMs: bench.nowMs - LEASE_DURATION_MS - 1,
      ask: () => Promise.reject(new Error('silence')),
      lapsed: () => {},
      renewed: () => {},
      fenced: () => {},
      timers: realTimers,
    })
    expect(late.held).toBe(false)
    for (const zone of ['zone-1', 'zone-3']) late.heard(zone, bench.nowMs)
    expect(late.held).toBe(true)
    late.close()
  })

  test('ends when it is closed', async () => {
    bench.lease.close()
    await bench.pass(2 * LEASE_DURATION_MS)
    expect([bench.calls, bench.asked, vi.getTimerCount()]).toEqual([[], [], 0])
  })

  test('knows only the zones that hold a safekeeper', async () => {
    for (let round = 0; round < LEASE_DURATION_MS / 100 + 6; round++) {
      for (const zone of ['zone-1', 'zone-8', 'zone-9']) bench.lease.heard(zone, bench.nowMs)
      await bench.pass(100)
    }
    expect(bench.calls).toEqual(['lapsed'])
  })
})

describe('a zone that was silent', () => {
  test('is asked, and its answer under our term counts', async () => {
    for (const zone of ['zone-1', 'zone-2']) bench.answers.set(zone, async () => TERM)
    await bench.pass(10 * LEASE_DURATION_MS)
    expect(bench.calls).toEqual([])
    expect(new Set(bench.asked)).toEqual(new Set(ZONES))
  })

  test('is not asked while it is heard anyway', async () => {
    for (let round = 0; round < 20; round++) {
      for (const zone of ['zone-1', 'zone-2']) bench.lease.heard(zone, bench.nowMs)
      await bench.pass(200)
    }
    expect(new Set(bench.asked)).toEqual(new Set(['zone-3']))
  })

  test('does not count if it has not heard of our term', async () => {
    for (const zone of ZONES) bench.answers.set(zone, async () => TERM - 1)
    await bench.pass(LEASE_DURATION_MS + NOTICED_WITHIN_MS)
    expect(bench.calls).toEqual(['lapsed'])
  })

  test('and answers with a higher term ends the reign', async () => {
    bench.answers.set('zone-3', async () => TERM + 2)
    await bench.pass(LEASE_ASK_INTERVAL_MS)
    expect(bench.calls).toEqual([`fenced ${TERM + 2}`])
  })

  test('counts from when it was asked: what it promised afterwards nobody here knows', async () => {
    // Answers that were under way for long say what held when they left, not when they came.
    for (const zone of ZONES) {
      bench.answers.set(zone, () => new Promise((resolve) => setTimeout(() => resolve(TERM), LEASE_DURATION_MS + 100)))
    }
    await bench.pass(4 * LEASE_DURATION_MS)
    expect(bench.calls).toEqual(['lapsed'])
  })
})
