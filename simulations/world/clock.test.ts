import { expect, test } from 'vitest'
import { LEASE_MS_MAX } from '../../runtime/compute/predecessors.ts'
import { LEASE_ASK_INTERVAL_MS, LEASE_DURATION_MS } from '../../runtime/compute/serving-lease.ts'
import { Clocks, DRIFT_PPM_MAX, HostClock } from './clock.ts'
import { TIMER_LATE_MS_MAX } from './host-timers.ts'
import { MemoryPages } from './memory-pages.ts'
import { kernelOf, pass, processOf } from './testing.ts'

test('a clock is off, drifts and jumps, and its monotonic face does not jump', async () => {
  const kernel = kernelOf(1)
  const clock = new HostClock(kernel, { skewMs: 500, driftPpm: 1_000 })
  const beginMs = kernel.nowMs
  const monotonicMs = clock.monotonicMs()
  expect(clock.nowMs()).toBe(beginMs + 500)
  await pass(kernel, 10_000)
  expect(clock.nowMs()).toBe(beginMs + 500 + 10_010)
  clock.jump(-3_000)
  expect(clock.nowMs()).toBe(beginMs - 2_500 + 10_010)
  clock.drift(0)
  await pass(kernel, 1_000)
  expect(clock.nowMs()).toBe(beginMs - 2_500 + 11_010)
  expect(clock.monotonicMs() - monotonicMs).toBeCloseTo(11_010, 6)
})

test('a clock that was off in its rate from the beginning is so again once it is steady', async () => {
  const kernel = kernelOf(1)
  const clock = new HostClock(kernel, { skewMs: 0, driftPpm: 1_000 })
  const beginMs = kernel.nowMs
  expect(clock.timerRate).toBe(1)
  clock.drift(-20_000)
  expect(clock.timerRate).toBe(0.98)
  await pass(kernel, 1_000)
  expect(clock.nowMs()).toBe(beginMs + 980)
  clock.steady()
  expect(clock.timerRate).toBe(1)
  await pass(kernel, 1_000)
  expect(clock.nowMs()).toBe(beginMs + 980 + 1_001)
})

/** As serving-lease.ts and predecessors.ts count: the holder is slow, and those that wait for its end are fast. */
test('a lease is over for all clocks that are off by no more than what is promised, with timers as late as that', () => {
  const rate = DRIFT_PPM_MAX / 1e6
  const heldMs = (LEASE_DURATION_MS + LEASE_ASK_INTERVAL_MS) / (1 - rate) + TIMER_LATE_MS_MAX
  expect(LEASE_MS_MAX / (1 + rate)).toBeGreaterThan(heldMs)
})

test('a host keeps its clock, whoever runs on it', () => {
  const clocks = new Clocks(kernelOf(1), (name) => ({ skewMs: name === 'zone-1' ? 9 : 0, driftPpm: 0 }))
  const clock = clocks.clockOf(processOf('zone-1'))
  expect(clocks.clockOf(processOf('zone-1'))).toBe(clock)
  expect(clock.nowMs()).toBe(clocks.clockOf(processOf('zone-2')).nowMs() + 9)
})

test('pages are zeros until they are written', () => {
  const pages = new MemoryPages(1_000_000)
  const target = new Uint8Array(8).fill(7)
  pages.read(999_999, target, 2, 100, 4)
  expect([...target]).toEqual([7, 7, 0, 0, 0, 0, 7, 7])
  pages.write(999_999, Uint8Array.of(1, 2, 3, 4), 1, 101, 2)
  pages.read(999_999, target, 0, 100, 4)
  expect([...target.subarray(0, 4)]).toEqual([0, 2, 3, 0])
  expect(() => pages.write(1_000_000, target, 0, 0, 1)).toThrow('slot')
})
