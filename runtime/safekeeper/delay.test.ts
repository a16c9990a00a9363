import { expect, test } from 'vitest'
import { Delay } from './delay.ts'

const LIMITS = { ms: 5, bytesMax: 100 }

/** A delay over a clock that is moved by hand. */
function bench() {
  const timers: Array<() => void> = []
  let wakes = 0
  const after = (_: number, fire: () => void) => {
    timers.push(fire)
    return () => {
      const at = timers.indexOf(fire)
      if (at >= 0) timers.splice(at, 1)
    }
  }
  const delay = new Delay(after, LIMITS, () => wakes++)
  const pass = () => {
    for (const fire of timers.splice(0)) fire()
  }
  return { delay, timers, pass, wakes: () => wakes }
}

test('work waits once, is then asked for again, and waits no more', () => {
  const { delay, timers, pass, wakes } = bench()
  expect([delay.waits(true, 1), delay.waits(true, 2)]).toEqual([true, true])
  expect(timers).toHaveLength(1)
  pass()
  expect(wakes()).toBe(1)
  expect(delay.waits(true, 2)).toBe(false)
  expect(delay.waits(true, 1)).toBe(true)
})

test('work that is not allowed to wait, or has become much, is done at once and forgets the time', () => {
  const { delay, timers } = bench()
  expect(delay.waits(false, 1)).toBe(false)
  expect(delay.waits(true, 1)).toBe(true)
  expect(delay.waits(true, LIMITS.bytesMax + 1)).toBe(false)
  expect(timers).toHaveLength(0)
  expect(delay.waits(true, 1)).toBe(true)
  expect(delay.waits(false, 1)).toBe(false)
  expect(timers).toHaveLength(0)
})
