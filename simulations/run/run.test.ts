/** Whole runs, a few of them: that they commit something, that nothing is violated, and that a plan is all there is to a run. */
import { crc32 } from 'node:zlib'
import { beforeAll, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { runPlan } from './run.ts'

beforeAll(() => useChecksum((bytes, before) => crc32(bytes, before)))

const SEEDS_MAX = 40
const calm = (seed: number): Plan => ({ ...generatePlan(seed), faults: [], store: {}, network: {} })

test('without faults one compute serves from beginning to end', async () => {
  const outcome = await runPlan(calm(1))
  expect(outcome).toMatchObject({ violation: undefined, servings: 1 })
  expect(outcome.commits).toBeGreaterThan(10)
})

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: nothing acknowledged is lost, and service comes back',
  async (seed) => {
    const { violation, reports } = await runPlan(generatePlan(seed))
    expect(violation, reports.slice(-40).join('\n')).toBeUndefined()
  },
  60_000,
)

test('two runs of one plan are the same run', async () => {
  const [first, second] = [await runPlan(generatePlan(11)), await runPlan(generatePlan(11))]
  expect(second).toEqual(first)
  expect((await runPlan(generatePlan(12))).lastDraw).not.toBe(first.lastDraw)
}, 60_000)

test('a Postgres that acknowledges before its fsync is found out', async () => {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const plan = generatePlan(seed)
    const faulty: Plan = { ...plan, postgres: { ...plan.postgres, mistakes: ['acknowledge-before-fsync'] } }
    if ((await runPlan(faulty)).violation !== undefined) return
  }
  expect.fail(`not within ${SEEDS_MAX} seeds`)
}, 120_000)
