import * as Effect from 'effect/Effect'
import { expect, test, vi } from 'vitest'
import { StoreUnavailable } from '../errors.ts'
import { realTimers } from '../system/timers.ts'
import type { System } from '../system.ts'
import { Leadership } from './leadership.ts'

type Parts = ConstructorParameters<typeof Leadership>[1]

test('a leader that cannot host says once why, and goes on trying', async () => {
  const complaint = { component: 'journal', value: 'timelines/main', problem: 'a problem', remedy: 'A remedy.' }
  const error = new StoreUnavailable(complaint)
  const host = vi.fn(() => Effect.fail(error))
  const system = { host, release: async () => {} } as unknown as System
  const config = { timeline: 'main', endpoint: 'main', project: 'main', zones: [], durability: 'archived' }
  const failed = vi.fn()
  const leadership = new Leadership(
    system,
    { config, timers: realTimers, report: () => {} } as unknown as Parts,
    failed,
  )
  leadership.begin(() => {
    throw new Error('nothing is hosted')
  })
  await vi.waitFor(() => expect(host.mock.calls.length).toBeGreaterThan(1), { timeout: 20_000 })
  await leadership.end()
  expect(failed.mock.calls).toEqual([[error]])
})
