import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { S3_SETTINGS } from '../world/s3-settings.ts'
import { Digest, partedBetween } from './digest.ts'
import { RUN_EVENT_KINDS, type RunEvent } from './observer.ts'
import { runPlan } from './run.ts'

useChecksum((bytes, before) => crc32(bytes, before))

const EVENT: RunEvent = { atMs: 1.25, kind: 'forwarded', lane: 'zone-1', to: 'zone-2', text: 'a', bytes: 3 }
const CLUSTER = undefined as unknown as SimCluster

function digestOf(...events: readonly RunEvent[]): string {
  const digest = new Digest()
  for (const event of events) digest.observe(event)
  return digest.value
}

describe('a digest', () => {
  test('is the same for the same', () => {
    expect(digestOf(EVENT, EVENT)).toBe(digestOf(EVENT, EVENT))
    expect(digestOf(EVENT)).toMatch(/^[0-9a-f]{16}$/)
  })

  test.each<[string, Partial<RunEvent>]>([
    ['time, be it by a hair', { atMs: 1.2500000000000002 }],
    ['kind', { kind: 'published' }],
    ['lane', { lane: 'zone-3' }],
    ['receiver', { to: 'zone-3' }],
    ['text', { text: 'b' }],
    ['length', { bytes: 4 }],
  ])('depends on the %s', (_, change) => {
    expect(digestOf({ ...EVENT, ...change })).not.toBe(digestOf(EVENT))
  })

  test('depends on the order, on the number, and on where one text ends', () => {
    const other = { ...EVENT, text: 'b' }
    expect(digestOf(EVENT, other)).not.toBe(digestOf(other, EVENT))
    expect(digestOf(EVENT)).not.toBe(digestOf(EVENT, EVENT))
    expect(digestOf({ ...EVENT, lane: 'ab', text: 'c' })).not.toBe(digestOf({ ...EVENT, lane: 'a', text: 'bc' }))
  })

  test('tells in which second two runs parted', () => {
    const marksOf = (times: readonly number[]) => {
      const digest = new Digest()
      for (const atMs of times) digest.stepped(CLUSTER, atMs)
      return digest.marks
    }
    const left = marksOf([100, 1_100, 2_100, 3_100, 4_100])
    expect(left).toHaveLength(4)
    expect(partedBetween(left, marksOf([100, 1_100, 2_100, 3_100, 4_100]))).toBeUndefined()
    expect(partedBetween(left, marksOf([100, 1_100, 2_200, 3_100, 4_100]))).toEqual({ fromMs: 2_000, untilMs: 3_000 })
    expect(partedBetween(left, left.slice(0, 3))).toEqual({ fromMs: 3_000, untilMs: 4_000 })
  })
})

describe('looking on', () => {
  test('changes nothing, and hears of all kinds of things', async () => {
    const killings = [2_000, 3_000, 4_000, 5_000].map(
      (atMs) => ({ kind: 'lose-everything', atMs, forMs: 300, disks: false }) as const,
    )
    const base = { ...generatePlan(4), store: S3_SETTINGS }
    const workload = { ...base.workload, clients: 20, thinkMeanMs: 5, timeoutMs: 1_000 }
    const plan: Plan = { ...base, durationMs: 6_000, workload, faults: killings }
    const kinds = new Set<string>()
    const steps: number[] = []
    const seen = await runPlan(plan, {
      observe: ({ kind }) => void kinds.add(kind),
      stepped: (_, atMs) => void steps.push(atMs),
    })
    expect(seen).toEqual(await runPlan(plan))
    expect(steps.length).toBeGreaterThanOrEqual(seen.steps)
    expect([...kinds].sort()).toEqual([...RUN_EVENT_KINDS].sort())
  })
})
