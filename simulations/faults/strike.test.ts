import { expect, test } from 'vitest'
import { SimCluster } from '../cluster/sim-cluster.ts'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel, WORLD } from '../kernel/kernel.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Fault } from './fault.ts'
import { strike } from './strike.ts'

/** A cluster that nobody has started: what is looked at is what faults do to its hosts. */
function world() {
  const kernel = new Kernel(new SeededDraws(1), 0)
  const cluster = new SimCluster(kernel, generatePlan(1), { report: () => {} })
  const at = (fault: Fault) => void kernel.after(WORLD, fault.atMs, () => strike(cluster, fault))
  return { kernel, cluster, at, pass: (untilMs: number) => kernel.run(untilMs) }
}

test('a zone is down until the last of the faults that overlap has ended', async () => {
  const { cluster, at, pass } = world()
  at({ kind: 'kill-zone', atMs: 100, zone: 0, forMs: 1_000 })
  at({ kind: 'lose-power', atMs: 200, zone: 0, forMs: 100 })
  await pass(800)
  expect(cluster.zones[0]!.isUp).toBe(false)
  await pass(1_200)
  expect(cluster.zones[0]!.isUp).toBe(true)
})

test('a disk is full until the last of the faults that overlap has ended', async () => {
  const { cluster, at, pass } = world()
  const { disk } = cluster.zones[1]!
  at({ kind: 'full-disk', atMs: 100, zone: 1, forMs: 100 })
  at({ kind: 'full-disk', atMs: 150, zone: 1, forMs: 500 })
  await pass(300)
  expect(disk.isFull).toBe(true)
  await pass(700)
  expect(disk.isFull).toBe(false)
})

test('a disk that came in place of a full one is not full', async () => {
  const { cluster, at, pass } = world()
  at({ kind: 'full-disk', atMs: 100, zone: 1, forMs: 500 })
  at({ kind: 'lose-disk', atMs: 150, zone: 1, forMs: 10 })
  await pass(300)
  expect(cluster.zones[1]!.disk.isFull).toBe(false)
})
