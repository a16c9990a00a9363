/** A plan that fails, for tests: a Postgres that recovers without its log loses commits whenever it is killed. */
import { generatePlan } from '../../plan/generate.ts'
import type { Plan } from '../../plan/plan.ts'

const SEED = generatePlan(3)

export const FAILING_PLAN: Plan = {
  ...SEED,
  durationMs: 8_000,
  workload: { ...SEED.workload, clients: 4, keys: 4, thinkMeanMs: 100, writeShare: 0.9 },
  postgres: { ...SEED.postgres, mistakes: ['skip-redo'] },
  faults: [3_000, 5_000, 7_000].map((atMs) => ({ kind: 'kill-postgres', atMs })),
}
