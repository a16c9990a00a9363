/**
 * Endpoint, timeline and computes hosted together, with performers that answer as a healthy world would: what no test of a
 * single actor can show is that their messages fit.
 */
import * as Effect from 'effect/Effect'
import { expect, test, vi } from 'vitest'
import { compute } from '../../actors/compute/machine.ts'
import { endpoint } from '../../actors/endpoint/machine.ts'
import { timeline } from '../../actors/timeline/machine.ts'
import type { ComputeEvent } from '../../events/compute.ts'
import type { ComputeId, EndpointId, Position, ProjectId, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { TermGrant } from '../../events/timeline.ts'
import { TestWorld } from './testing.ts'

const zones = ['zone-1', 'zone-2', 'zone-3'] as ZoneId[]
const at = 0

async function cluster() {
  const world = new TestWorld()
  const leader = world.system('leader')
  const main = await Effect.runPromise(leader.host(timeline, 'main', undefined, () => {}))
  const project = 'p' as ProjectId
  await main.ask({ type: 'Create', at, timeline: 'main' as TimelineId, project, zones, durability: 'archived' })

  const hostCompute = (id: ComputeId, zone: ZoneId) =>
    Effect.runPromise(
      world.system(zone).host(compute, id, id, async (effect, { tell }): Promise<ComputeEvent | undefined> => {
        switch (effect.type) {
          case 'startTerm': {
            const { type, at, payload } = await main.ask({ ...effect, type: 'StartTerm', at: 0 })
            return { ...payload, type, at } as TermGrant
          }
          case 'fence':
            return {
              type: 'FenceGranted',
              at,
              term: effect.term,
              tail: { term: 0 as Term, position: 0 as Position, chain: 0 },
            }
          case 'attach':
            return { type: 'Attached', at, term: effect.term }
          case 'startPostgres':
            tell({ type: 'PostgresReady', at, term: effect.term })
            return
          case 'shutDown':
            return { type: 'Stopped', at, term: effect.term }
          case 'closeClients':
          case 'openClients':
            return
        }
      }),
    )
  const computes = new Map<string, Awaited<ReturnType<typeof hostCompute>>>()
  const address = await Effect.runPromise(
    leader.host(endpoint, 'main', undefined, async (effect, { send }) => {
      if (!computes.has(effect.compute)) computes.set(effect.compute, await hostCompute(effect.compute, effect.zone))
      const { compute: id, ...order } = effect
      send(`compute.${id}`, { ...order, type: 'Start', at })
    }),
  )
  await address.ask({ type: 'Create', at, endpoint: 'main' as EndpointId, project, timeline: 'main' as TimelineId })
  for (const zone of zones) await address.ask({ type: 'ZoneUp', at, zone })
  return { main, address, computes }
}

const reaches = (actor: { readonly snapshot: { readonly state: string } }, state: string) =>
  vi.waitFor(() => expect(actor.snapshot.state).toBe(state), { timeout: 20_000 })

test('a woken endpoint serves, fails over to another zone under a higher term, and suspends', async () => {
  const { main, address, computes } = await cluster()
  await address.ask({ type: 'Wake', at })
  await reaches(address, 'available')
  expect(address.snapshot.context.remembered).toMatchObject({ term: 1, primary: { zone: 'zone-1', launch: 1 } })

  await address.ask({ type: 'ZoneDown', at, zone: zones[0]! })
  await reaches(address, 'available')
  expect(address.snapshot.context.remembered).toMatchObject({ term: 2, primary: { zone: 'zone-2', launch: 2 } })
  expect(main.inspect().term).toBe(2)
  await reaches(computes.get('main-zone-1')!, 'stopped')

  await address.ask({ type: 'Suspend', at })
  await reaches(computes.get('main-zone-2')!, 'stopped')
  expect(address.snapshot.state).toBe('suspended')
})

test('a restart runs a new launch of the same compute under a new term', async () => {
  const { address, computes } = await cluster()
  await address.ask({ type: 'Wake', at })
  await reaches(address, 'available')
  await address.ask({ type: 'Restart', at })
  await reaches(address, 'available')
  expect(address.snapshot.context.remembered).toMatchObject({ term: 2, primary: { zone: 'zone-1', launch: 2 } })
  expect(computes.size).toBe(1)
})

test('a compute whose append is rejected is replaced', async () => {
  const { address, computes } = await cluster()
  await address.ask({ type: 'Wake', at })
  await reaches(address, 'available')
  await computes.get('main-zone-1')!.ask({ type: 'AppendRejected', at, term: 1 as Term, problem: 'term 2 exists' })
  await vi.waitFor(() => expect(address.snapshot.context.remembered.primary?.launch).toBe(2), { timeout: 20_000 })
  await reaches(address, 'available')
  expect(address.snapshot.context.remembered.primary?.zone).toBe('zone-2')
})
