import { expect, test } from 'vitest'
import { Clocks, HostClock } from './clock.ts'
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
