import { afterEach, expect, test } from 'vitest'
import { useScheduler } from '../../runtime/system/run.ts'
import { audit, awaitService, RECOVERY_MS_MAX } from './liveness.ts'
import { clusterOf, EPOCH_MS, quietPlan } from './testing.ts'

afterEach(() => useScheduler(undefined))

test('a cluster in which too few zones are up is said to serve nobody, and who waits', async () => {
  const { cluster, kernel } = clusterOf(quietPlan(1))
  cluster.workload.start()
  cluster.zones[0]!.start()
  await expect(awaitService(cluster, 3)).rejects.toThrow(
    /no service within 120000 ms .*zone-1 up, safekeeper .*zone-2 down/,
  )
  expect(kernel.nowMs).toBe(EPOCH_MS + RECOVERY_MS_MAX)
  await expect(audit(cluster, kernel.nowMs + 1_000)).rejects.toThrow(/the last look at all registers was not answered/)
})

test('a cluster that serves is found to', async () => {
  const { cluster, kernel } = clusterOf(quietPlan(1))
  cluster.start()
  const deadline = await awaitService(cluster, 3)
  expect(deadline).toBe(EPOCH_MS + RECOVERY_MS_MAX)
  await audit(cluster, deadline)
  expect(kernel.nowMs).toBeLessThan(EPOCH_MS + 10_000)
})
