/** A plan that fails, for tests: a Postgres that recovers without its log loses commits whenever it is killed. */
import { generatePlan } from '../../plan/generate.ts'
import type { Plan } from '../../plan/plan.ts'

/** With the room and the disks of most runs. */
const { ringBytes: _ring, snapshotLogBytes: _snapshots, syncMeanMs: _sync, ...SEED } = generatePlan(3)

export const FAILING_PLAN: Plan = {
  ...SEED,
  durationMs: 8_000,
  // In a calm world there are commits to be lost, whatever the timing of its messages.
  network: {},
  store: {},
  workload: { ...SEED.workload, clients: 4, keys: 4, thinkMeanMs: 100, writeShare: 0.9 },
  postgres: { ...SEED.postgres, mistakes: ['skip-redo'] },
  faults: [3_000, 5_000, 7_000].map((atMs) => ({ kind: 'kill-postgres', atMs })),
}

/** Fails only because of its last fault: a Postgres whose checkpoints do not sync data loses it with the power. */
export const FAULTED_PLAN: Plan = {
  ...FAILING_PLAN,
  postgres: { ...SEED.postgres, checkpointIntervalMs: 3_000, mistakes: ['forget-data-fsync'] },
  faults: [...FAILING_PLAN.faults, { kind: 'lose-everything', atMs: 7_500, forMs: 500, disks: false }],
}

/** Loch itself refuses to serve: commits were promised by disks alone, and all of them are lost. Nearly as simple as can be. */
export const LOST_PLAN: Plan = {
  ...FAILING_PLAN,
  durability: 'quorum',
  cachePages: 4_096,
  clocks: SEED.clocks.map(() => ({ skewMs: 0, driftPpm: 0 })),
  workload: { ...FAILING_PLAN.workload, clients: 1, readers: 0, keys: 1, twoKeyShare: 0, thinkMeanMs: 5_000 },
  postgres: { ...SEED.postgres, bufferPages: 64, checkpointIntervalMs: 30_000, rewriteIntervalMs: 0 },
  faults: [
    { kind: 'kill-postgres', atMs: 3_000 },
    { kind: 'lose-everything', atMs: 7_500, forMs: 1, disks: true },
  ],
}
