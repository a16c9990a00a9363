import { describe, expect, test } from 'vitest'
import { SeededDraws } from './draws.ts'
import { Kernel, NEVER_PAUSED, type Process, WORLD } from './kernel.ts'

const kernelOf = (seed: number) => new Kernel(new SeededDraws(seed), 1_000)
const processOf = (name: string): Process => ({ name, isAlive: true, pausedUntilMs: NEVER_PAUSED })

describe('the clock', () => {
  test('jumps from event to event and stands at the end', async () => {
    const kernel = kernelOf(1)
    const seen: number[] = []
    for (const delay of [30, 10, 20]) kernel.after(WORLD, delay, () => seen.push(kernel.nowMs))
    await kernel.run(5_000)
    expect(seen).toEqual([1_010, 1_020, 1_030])
    expect(kernel.nowMs).toBe(5_000)
  })

  test('the promises of one event are followed before the next', async () => {
    const kernel = kernelOf(1)
    const seen: string[] = []
    kernel.after(WORLD, 1, async () => {
      for (let at = 0; at < 50; at++) await Promise.resolve()
      seen.push('promises')
    })
    kernel.after(WORLD, 1.5, () => seen.push('next'))
    await kernel.run(2_000)
    expect(seen).toEqual(['promises', 'next'])
  })

  test('what spins without letting time pass is noticed', async () => {
    const kernel = kernelOf(1)
    const spin = () => void kernel.after(WORLD, 0, spin)
    spin()
    await expect(kernel.run(2_000)).rejects.toThrow('time stands still')
  })
})

test('events of one moment come in an order of the seed, the same one each time', async () => {
  const orderOf = async (seed: number) => {
    const kernel = kernelOf(seed)
    const seen: number[] = []
    for (let at = 0; at < 8; at++) kernel.after(WORLD, 1, () => seen.push(at))
    await kernel.run(2_000)
    return seen.join('')
  }
  const orders = await Promise.all([1, 2, 3, 4].map(orderOf))
  expect(new Set(orders).size).toBeGreaterThan(1)
  expect(await Promise.all([1, 2, 3, 4].map(orderOf))).toEqual(orders)
})

describe('processes', () => {
  test('nothing of a killed one happens any more', async () => {
    const kernel = kernelOf(1)
    const process = processOf('a')
    let happened = 0
    kernel.after(process, 10, () => happened++)
    kernel.after(process, 30, () => happened++)
    kernel.after(WORLD, 20, () => {
      process.isAlive = false
    })
    await kernel.run(2_000)
    expect(happened).toBe(1)
  })

  test('one that goes on sooner than was said catches up then, oldest first', async () => {
    const kernel = new Kernel(new SeededDraws(1), 0)
    const process = processOf('a')
    process.pausedUntilMs = 20_000
    const seen: string[] = []
    for (const atMs of [300, 100, 200, 5_000])
      kernel.after(process, atMs, () => seen.push(`${atMs} at ${kernel.nowMs}`))
    await kernel.run(1_000)
    process.pausedUntilMs = NEVER_PAUSED
    kernel.resume(process)
    await kernel.run(30_000)
    expect(seen).toEqual(['100 at 1000', '200 at 1000', '300 at 1000', '5000 at 5000'])
  })

  test('a paused one catches up when it goes on', async () => {
    const kernel = kernelOf(1)
    const process = processOf('a')
    process.pausedUntilMs = 1_500
    const seen: Array<[string, number]> = []
    kernel.after(process, 10, () => seen.push(['first', kernel.nowMs]))
    kernel.after(process, 20, () => seen.push(['second', kernel.nowMs]))
    await kernel.run(2_000)
    expect(seen.map(([, at]) => at)).toEqual([1_500, 1_500])
  })
})

describe('draws', () => {
  test('a name has its own stream, whatever else is drawn', () => {
    const [alone, among] = [new SeededDraws(7), new SeededDraws(7)]
    const expected = [alone.uniform('a'), alone.uniform('a'), alone.uniform('a')]
    const got = [1, 2, 3].map(() => {
      among.uniform('b')
      return among.uniform('a')
    })
    expect(got).toEqual(expected)
  })

  test('are uniform, and differ between seeds', () => {
    const draws = new SeededDraws(3)
    const tenths = new Array<number>(10).fill(0)
    for (let at = 0; at < 10_000; at++) tenths[Math.floor(draws.uniform('x') * 10)]!++
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(150)
    expect(new SeededDraws(4).uniform('x')).not.toBe(new SeededDraws(3).uniform('x'))
    // Seeds above 2^32 are seeds of their own.
    expect(new SeededDraws(2 ** 32 + 3).uniform('x')).not.toBe(new SeededDraws(3).uniform('x'))
  })
})
