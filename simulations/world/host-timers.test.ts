import { describe, expect, test } from 'vitest'
import { HostClock } from './clock.ts'
import { HostTimers, type Lateness, PUNCTUAL, TIMER_LATE_MS_MAX } from './host-timers.ts'
import { kernelOf, pass, processOf } from './testing.ts'

function hostOf(driftPpm = 0, lateness: () => Lateness = () => PUNCTUAL) {
  const kernel = kernelOf(1)
  const clock = new HostClock(kernel, { skewMs: 0, driftPpm })
  const beginMs = kernel.nowMs
  const timers = new HostTimers(kernel, processOf('zone-1'), clock, lateness)
  const fired: number[] = []
  const arm = (ms: number) => timers.after(ms, () => fired.push(kernel.nowMs - beginMs))
  const drift = (ppm: number) => {
    clock.drift(ppm)
    timers.follow(clock.timerRate)
  }
  return { kernel, clock, timers, fired, arm, drift }
}

describe('timers of a host', () => {
  test('go by the truth while nothing befalls the clock, whatever it is off by from the beginning', async () => {
    const { kernel, fired, arm } = hostOf(100)
    arm(1_000)
    await pass(kernel, 2_000)
    expect(fired).toEqual([1_000])
  })

  test.each([
    [100_000, 10_000 / 1.1],
    [-100_000, 10_000 / 0.9],
  ])('go at its rate when it drifts by %i ppm', async (ppm, expected) => {
    const { kernel, clock, fired, arm, drift } = hostOf()
    drift(ppm)
    const beginMs = clock.monotonicMs()
    arm(10_000)
    await pass(kernel, expected)
    expect(fired).toHaveLength(1)
    expect(fired[0]).toBeCloseTo(expected, 6)
    expect(clock.monotonicMs() - beginMs).toBeCloseTo(10_000, 6)
  })

  test('that are armed go at each new rate, and as ever once the clock is steady', async () => {
    const { kernel, clock, timers, fired, arm, drift } = hostOf()
    arm(3_000)
    await pass(kernel, 1_000)
    drift(100_000)
    await pass(kernel, 1_000)
    clock.steady()
    timers.follow(clock.timerRate)
    await pass(kernel, 3_000)
    expect(fired).toHaveLength(1)
    expect(fired[0]).toBeCloseTo(2_900, 6)
  })

  test('do not fire once they are cancelled, at no rate', async () => {
    const { kernel, fired, arm, drift } = hostOf()
    const cancel = arm(1_000)
    cancel()
    drift(100_000)
    await pass(kernel, 5_000)
    expect(fired).toEqual([])
  })

  test('of a loaded host are late, within a bound, and never early by more than a millisecond', async () => {
    let lateness = { meanMs: 100, untilMs: Number.POSITIVE_INFINITY }
    const { kernel, fired, arm } = hostOf(0, () => lateness)
    for (let count = 0; count < 200; count++) arm(1_000)
    await pass(kernel, 5_000)
    expect(fired).toHaveLength(200)
    expect(Math.min(...fired)).toBeGreaterThan(999)
    expect(Math.max(...fired)).toBeLessThanOrEqual(1_000 + TIMER_LATE_MS_MAX)
    expect(fired.reduce((sum, at) => sum + at, 0) / 200).toBeGreaterThan(1_050)
    lateness = { meanMs: 100, untilMs: kernel.nowMs }
    arm(1_000)
    await pass(kernel, 1_000)
    expect(fired.at(-1)).toBe(6_000)
  })

  test('draw nothing while there is no load', async () => {
    const { kernel, arm } = hostOf()
    const before = kernelOf(1).draws.uniform('timers.late.zone-1')
    arm(1_000)
    await pass(kernel, 2_000)
    expect(kernel.draws.uniform('timers.late.zone-1')).toBe(before)
  })
})
