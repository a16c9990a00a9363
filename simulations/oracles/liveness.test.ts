import { afterEach, expect, test } from 'vitest'
import { useScheduler } from '../../runtime/system/run.ts'
import { KeyLocks } from '../postgres/key-locks.ts'
import { describeActor, whoWaits } from '../run/who-waits.ts'
import { audit, awaitService, RECOVERY_MS_MAX } from './liveness.ts'
import { clusterOf, EPOCH_MS, quietPlan } from './testing.ts'

afterEach(() => useScheduler(undefined))

test('a cluster in which too few zones are up is said to serve nobody, and who waits', async () => {
  const { cluster, kernel } = clusterOf(quietPlan(1))
  cluster.workload.start()
  cluster.zones[0]!.start()
  await expect(awaitService(cluster, 3)).rejects.toThrow(
    /^no service within 120000 ms .*zone-1 up, safekeeper .*zone-2 down.*; nobody has ever served$/,
  )
  expect(kernel.nowMs).toBe(EPOCH_MS + RECOVERY_MS_MAX)
  await expect(audit(cluster, kernel.nowMs + 1_000)).rejects.toThrow(/the last look at all registers was not answered/)
})

test('each actor is said to wait for its deadlines and its queue, and to take somebody for the leader', async () => {
  const { cluster, kernel } = clusterOf(quietPlan(1))
  cluster.start()
  await awaitService(cluster, 3)
  expect(whoWaits(cluster)).toMatch(/zone\.zone-1 \w+ \(term 0, leader zone-\d, waits for [a-z]\S* in \d+\.\d s/)
  expect(whoWaits(cluster)).toMatch(/safekeeper archiving \([^)]*, has the archive duty\)/)
  expect(whoWaits(cluster)).toMatch(/; the last server serves, \d+ sessions under way/)
  const actor = { actor: 'compute.a', state: 'electing', term: 3, sequence: 0, remembered: undefined }
  const timers = { retry: kernel.nowMs + 1_500, lease: kernel.nowMs - 200 }
  const atWork = { queued: 2, handling: 'VoteGranted', running: ['elect', 'askDisks'] }
  const waiting = { ...actor, ...atWork, timers, summary: { problem: 'no quorum' } }
  expect(describeActor(waiting, kernel.nowMs)).toBe(
    'compute.a electing (term 3, handles VoteGranted, performs elect, askDisks, 2 events wait, waits for retry in 1.5 s, lease 0.2 s ago: no quorum)',
  )
  const idle = { queued: 0, handling: undefined, running: [] }
  expect(describeActor({ ...waiting, ...idle, timers: {}, summary: {} }, kernel.nowMs)).toBe(
    'compute.a electing (term 3, waits for messages only)',
  )
})

test('a row that a session holds is named, with those who wait for it', () => {
  const locks = new KeyLocks()
  for (const key of [3, 3, 5]) locks.acquire(key)
  expect(locks.held).toEqual([
    [3, 1],
    [5, 0],
  ])
})

test('a cluster that serves is found to', async () => {
  const { cluster, kernel } = clusterOf(quietPlan(1))
  cluster.start()
  const deadline = await awaitService(cluster, 3)
  expect(deadline).toBe(EPOCH_MS + RECOVERY_MS_MAX)
  await audit(cluster, deadline)
  expect(kernel.nowMs).toBeLessThan(EPOCH_MS + 10_000)
})
