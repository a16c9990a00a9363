import * as Effect from 'effect/Effect'
import { expect, test, vi } from 'vitest'
import { compute } from '../../actors/compute/machine.ts'
import { endpoint } from '../../actors/endpoint/machine.ts'
import type { ComputeId, EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { System } from '../system.ts'
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

test('a deadline counted from the time of a host whose clock is ahead comes after as long a while', async () => {
  const world = new TestWorld()
  const ahead = { ...world.ports('ahead'), clock: { nowMs: () => world.nowMs + 3_600_000 } }
  const started = vi.fn(() => undefined)
  const { endpoint: name, timeline, zone } = names
  const create = { type: 'Create', at, project: 'p' as ProjectId, endpoint: name, timeline } as const
  const host = (system: System) => Effect.runPromise(system.host(endpoint, name, undefined, started))
  const other = await host(new System(ahead))
  await other.ask(create)
  other.tell({ type: 'Resumed', at, zonesUp: [zone] })
  await other.ask({ type: 'Enable', at })
  const own = await host(world.system())
  own.tell({ type: 'Resumed', at, zonesUp: [zone] })
  await own.settled()
  other.tell({ type: 'ZoneDown', at, zone })
  await other.settled()
  // Before it says no, it learns of the loss.
  await own.ask(create)
  expect(own.inspect().state).toBe('failingOver')
  await other.stop()
  started.mockClear()
  world.advance(1_000)
  await own.settled()
  expect(started).toHaveBeenCalledOnce()
})
