import { expect, test } from 'vitest'
import { steadyClock } from './steady-clock.ts'

const HOUR_MS = 3_600_000

/** A host's clocks, which show fractions as real ones do: the time of day cuts them off. */
function host() {
  let passedMs = 12.75
  let setMs = 1_700_000_000_000
  const nowMs = () => Math.floor(passedMs + setMs)
  const clock = steadyClock({ nowMs, monotonicMs: () => passedMs })
  const begunMs = clock()
  const pass = (ms: number) => {
    passedMs += ms
  }
  const set = (ms: number) => {
    setMs += ms
  }
  return { nowMs, clock, pass, set, since: () => clock() - begunMs }
}

test('is the clock of the host while nobody sets that', () => {
  const { nowMs, clock, pass } = host()
  for (let count = 0; count < 1_000; count++) {
    pass(0.7)
    expect(clock()).toBe(nowMs())
  }
})

test('goes on as fast as time passes after the clock was set back, though it is read often', () => {
  const { pass, set, since } = host()
  set(-HOUR_MS)
  for (let count = 0; count < 1_000; count++) {
    pass(0.5)
    since()
  }
  expect(since()).toBe(500)
  set(-HOUR_MS)
  pass(500)
  expect(since()).toBe(1_000)
})

test('is the clock of the host again once that has caught up, or was set right', () => {
  const { nowMs, clock, pass, set, since } = host()
  set(-HOUR_MS)
  pass(1_000)
  expect(since()).toBe(1_000)
  set(HOUR_MS)
  expect(since()).toBe(1_000)
  set(-HOUR_MS)
  set(2 * HOUR_MS)
  expect(clock()).toBe(nowMs())
  expect(since()).toBe(HOUR_MS + 1_000)
})

test('follows a clock that is set forward, as after a sleep', () => {
  const { set, since } = host()
  set(8 * HOUR_MS)
  expect(since()).toBe(8 * HOUR_MS)
})
