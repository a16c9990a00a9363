import * as Effect from 'effect/Effect'
import { expect, test, vi } from 'vitest'
import { compute } from '../../actors/compute/machine.ts'
import type { ComputeId, EndpointId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { TestWorld } from './testing.ts'

const at = 0
const id = 'main-1' as ComputeId
const names = { endpoint: 'main' as EndpointId, timeline: 'main' as TimelineId, zone: 'zone-1' as ZoneId }

test('a deadline that fires is due, though the clock has been set back since it was armed', async () => {
  const world = new TestWorld()
  const startTerm = vi.fn(() => ({ type: 'TermRefused', at, problem: 'nobody is there', retryable: true }) as const)
  const actor = await Effect.runPromise(
    world.system().host(compute, id, id, (effect) => (effect.type === 'startTerm' ? startTerm() : undefined)),
  )
  actor.tell({ ...names, type: 'Start', at, launch: 1 })
  await expect.poll(() => startTerm.mock.calls.length).toBe(1)
  await actor.settled()
  world.nowMs -= 3_600_000
  world.fireAll()
  await expect.poll(() => startTerm.mock.calls.length).toBe(2)
})
