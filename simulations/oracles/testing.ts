/**
 * A small cluster for the tests of oracles: a quiet world, some clients, and a few simulated seconds, so that there is a true
 * history which a test can then spoil. Nothing here is part of a run.
 */
import { useScheduler } from '../../runtime/system/run.ts'
import { SimCluster } from '../cluster/sim-cluster.ts'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel } from '../kernel/kernel.ts'
import { KernelScheduler } from '../kernel/scheduler.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { Oracles } from './oracles.ts'

export const EPOCH_MS = Date.UTC(2026, 0, 1)

/** Nothing goes wrong in it. */
export function quietPlan(seed: number): Plan {
  const plan = generatePlan(seed)
  return {
    ...plan,
    zones: 3,
    durability: 'archived',
    workload: { ...plan.workload, clients: 3, readers: 0, keys: 4, thinkMeanMs: 200, writeShare: 0.9 },
    network: {},
    store: { errorShare: 0, lostAnswerShare: 0, truncatedShare: 0 },
    clocks: [],
    faults: [],
  }
}

export function clusterOf(plan: Plan): {
  readonly kernel: Kernel
  readonly cluster: SimCluster
  readonly oracles: Oracles
} {
  const kernel = new Kernel(new SeededDraws(plan.seed), EPOCH_MS)
  const oracles = new Oracles(plan)
  const cluster = new SimCluster(kernel, plan, { report: (_, line) => oracles.reported(line) })
  useScheduler(new KernelScheduler(kernel))
  oracles.begin(cluster)
  return { kernel, cluster, oracles }
}

/** A cluster that has served for `durationMs`, and that has nothing under way any more. */
export async function clusterAfter(plan: Plan, durationMs: number) {
  const world = clusterOf(plan)
  const { kernel, cluster, oracles } = world
  cluster.start()
  await kernel.run(EPOCH_MS + durationMs)
  oracles.healed(cluster)
  await kernel.run(EPOCH_MS + durationMs + 1_000)
  cluster.workload.stop()
  await kernel.run(kernel.nowMs + 10_000, () => cluster.workload.isQuiet)
  return world
}
