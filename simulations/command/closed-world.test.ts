/** Nothing in a run reads the real clock, real chance, or anything else of the world; and the trap that shows it bites. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { generatePlan } from '../plan/generate.ts'
import type { RunObserver } from '../run/observer.ts'
import { runPlan } from '../run/run.ts'
import { type ClosedWorld, closeTheWorld } from './testing/closed-world.ts'

useChecksum((bytes, before) => crc32(bytes, before))
const planOf = (seed: number) => ({ ...generatePlan(seed), durationMs: 8_000 })

/** Ends the trap before vitest needs the world again. */
async function shutOut(seed: number, observer?: RunObserver) {
  const plan = planOf(seed)
  const world = closeTheWorld()
  try {
    return { outcome: await runPlan(plan, observer), touched: world.touched }
  } finally {
    world.open()
  }
}

function within<A>(look: (world: ClosedWorld) => A): A {
  const world = closeTheWorld()
  try {
    return look(world)
  } finally {
    world.open()
  }
}

describe('a run', () => {
  test.each([2, 4, 8])('reads nothing of the world (seed %d)', async (seed) => {
    const { outcome, touched } = await shutOut(seed)
    expect(touched).toEqual([])
    expect(outcome).toMatchObject({ violation: undefined })
    expect(outcome.commits).toBeGreaterThan(0)
  })

  test.each<[string, () => unknown]>([
    ['Date.now', () => Date.now()],
    ['new Date', () => new Date()],
    ['Math.random', () => Math.random()],
    ['performance.now', () => performance.now()],
    ['setTimeout', () => clearTimeout(setTimeout(() => {}, 0))],
    ['setInterval', () => clearInterval(setInterval(() => {}, 1))],
    ['getRandomValues', () => crypto.getRandomValues(new Uint8Array(1))],
    ['randomUUID', () => crypto.randomUUID()],
    ['crypto.randomUUID', () => randomUUID()],
    ['fs.readFileSync', () => readFileSync('/proc/uptime')],
    ['hrtime', () => process.hrtime()],
  ])('cannot use %s unseen', async (name, use) => {
    const seen = within(({ touched }) => {
      expect(use).toThrow(`${name} in a run`)
      return touched
    })
    expect(seen).toHaveLength(1)
    expect(use).not.toThrow()
  })

  test('that uses the clock somewhere within is found out', async () => {
    let isFirst = true
    const observe = () => {
      if (!isFirst) return
      isFirst = false
      Date.now()
    }
    const { outcome, touched } = await shutOut(4, { observe })
    expect(touched).toHaveLength(1)
    expect(touched[0]).toContain('Date.now in a run')
    expect(outcome.steps).toBeGreaterThan(0)
  })

  test('may make dates of given moments', () => {
    expect(within(() => new Date(0).toISOString())).toBe('1970-01-01T00:00:00.000Z')
  })
})
