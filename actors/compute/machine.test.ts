import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ComputeEvent } from '../../events/compute.ts'
import type { ComputeId, EndpointId, Position, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { TermGrant } from '../../events/timeline.ts'
import { BACKOFF_FIRST_MS, backoffMs } from '../backoff.ts'
import { anyTime, checkProperties, scenario } from '../testing.ts'
import { CRASH_WINDOW_MS, CRASHES_MAX, REPORT_INTERVAL_MS, SHUTDOWN_PATIENCE_MS } from './decide.ts'
import { compute } from './machine.ts'

const id = 'main-zone-1' as ComputeId
const term = (value: number) => value as Term
const start = (launch: number, at = 0): ComputeEvent => ({
  type: 'Start',
  at,
  endpoint: 'main' as EndpointId,
  timeline: 'main' as TimelineId,
  zone: 'zone-1' as ZoneId,
  launch,
})
const granted = (value: number): TermGrant => ({
  type: 'TermGranted',
  at: 1,
  term: term(value),
  zones: [],
  durability: 'archived',
  disks: {},
})
const tail = { term: term(0), position: 0 as Position, chain: 0 }
const fenced = (value: number): ComputeEvent => ({ type: 'FenceGranted', at: 2, term: term(value), tail })
const attached = (value: number): ComputeEvent => ({ type: 'Attached', at: 3, term: term(value) })
const ready = (value: number): ComputeEvent => ({ type: 'PostgresReady', at: 4, term: term(value) })
const stopped = (value: number): ComputeEvent => ({ type: 'Stopped', at: 9, term: term(value) })
const exited = (value: number, at: number): ComputeEvent => ({ type: 'PostgresExited', at, term: term(value), code: 2 })
const timer = (name: string, at: number): ComputeEvent => ({ type: 'TimerFired', name, at })
const toServing = [start(1), granted(5), fenced(5), attached(5), ready(5)]

const fresh = () => scenario(compute, id)
const serving = () => fresh().given(...toServing)

describe('a compute on its way to serving', () => {
  test('takes one step per result: term, fence, attach, Postgres', () => {
    fresh()
      .when(start(1))
      .expect({ state: 'electing', effects: [{ type: 'startTerm', compute: id, zone: 'zone-1' }, 'send'] })
      .when(granted(5))
      .expect({ state: 'fencing', effects: [{ type: 'fence', term: 5 }, 'send'] })
      .when(fenced(5))
      .expect({ state: 'attaching', effects: [{ type: 'attach', term: 5, tail }, 'send'] })
      .when(attached(5))
      .expect({ state: 'recovering', effects: [{ type: 'startPostgres', term: 5 }, 'send'] })
      .when(ready(5))
      .expect({
        state: 'serving.active',
        effects: [{ type: 'send', to: 'endpoint.main', event: { term: 5, launch: 1 } }],
      })
  })

  test('tells its endpoint the state it is in, again and again', () => {
    serving()
      .expect({ effects: [{ event: { type: 'ComputeReport', state: 'serving.active', problem: '' } }] })
      .when(timer('report', 4 + REPORT_INTERVAL_MS))
      .expect({ effects: [{ event: { state: 'serving.active' } }] })
      .when(timer('report', 5 + REPORT_INTERVAL_MS))
      .expect({ outcome: 'ignored' })
  })

  test('ignores answers to a former reign', () => {
    fresh()
      .given(start(1), granted(5))
      .when(fenced(4))
      .expect({ state: 'fencing', outcome: 'ignored' })
      .given({ type: 'FenceFailed', at: 2, term: term(5), problem: 'no quorum', higherTerm: term(0) })
      .when(granted(5))
      .expect({ state: 'electing', outcome: 'ignored' })
      .when(granted(6))
      .expect({ state: 'fencing' })
  })

  test('goes on under the latest term that it was granted, though it asked for an earlier one too', () => {
    fresh()
      .given(start(1), granted(5))
      .when(granted(6))
      .expect({ state: 'fencing', effects: [{ type: 'fence', term: 6 }, 'send'] })
      .when(granted(5))
      .expect({ state: 'fencing', outcome: 'ignored' })
      .when(fenced(5))
      .expect({ outcome: 'ignored' })
      .when(fenced(6))
      .expect({ state: 'attaching', effects: [{ type: 'attach', term: 6 }, 'send'] })
  })

  test('tries to fence again under a new term, after a wait', () => {
    fresh()
      .given(start(1), granted(5))
      .when({ type: 'FenceFailed', at: 10, term: term(5), problem: 'no quorum', higherTerm: term(0) })
      .expect({ state: 'electing', effects: ['send'], context: { timers: { retry: 10 + BACKOFF_FIRST_MS } } })
      .when(timer('retry', 10 + BACKOFF_FIRST_MS - 1))
      .expect({ outcome: 'ignored' })
      .when(timer('retry', 10 + BACKOFF_FIRST_MS))
      .expect({ effects: ['startTerm'] })
  })

  test('is fenced, and does not compete, when a higher term has been elected', () => {
    fresh()
      .given(start(1), granted(5))
      .when({ type: 'FenceFailed', at: 10, term: term(5), problem: 'outvoted', higherTerm: term(6) })
      .expect({ state: 'fenced', effects: [{ type: 'shutDown', mode: 'immediate' }, 'send'] })
  })

  test('attaches again under a new term only: what the failed attempt may have appended is written once', () => {
    const failed = (retryable: boolean): ComputeEvent => ({
      type: 'AttachFailed',
      at: 5,
      term: term(5),
      problem: 'store',
      retryable,
    })
    fresh()
      .given(start(1), granted(5), fenced(5))
      .when(failed(true))
      .expect({ state: 'electing', effects: ['send'] })
      .when(timer('retry', 5 + BACKOFF_FIRST_MS))
      .expect({ effects: [{ type: 'startTerm' }] })
    fresh()
      .given(start(1), granted(5), fenced(5))
      .when(failed(false))
      .expect({ state: 'failed', effects: ['shutDown', 'send'] })
  })

  test('waits longer from failed attach to failed attach, though every election succeeds', () => {
    const round = (value: number, at: number): ComputeEvent[] => [
      timer('retry', at - 1),
      granted(value),
      fenced(value),
      { type: 'AttachFailed', at, term: term(value), problem: 'store', retryable: true },
    ]
    const waits = (failures: number) => ({ context: { timers: { retry: 30_000 * failures + backoffMs(failures) } } })
    const retried = fresh().given(start(1), ...round(5, 30_000).slice(1))
    retried
      .expect(waits(1))
      .given(...round(6, 60_000))
      .expect(waits(2))
      .given(...round(7, 90_000))
      .expect(waits(3))
    expect(backoffMs(3)).toBeGreaterThan(backoffMs(1))
  })
})

describe('a serving compute', () => {
  test('stops everything at once when an append of its term is rejected', () => {
    serving()
      .when({ type: 'AppendRejected', at: 6, term: term(4), problem: 'old' })
      .expect({ state: 'serving.active', outcome: 'ignored' })
      .when({ type: 'AppendRejected', at: 6, term: term(5), problem: 'term 6 exists' })
      .expect({ state: 'fenced', effects: [{ type: 'shutDown', mode: 'immediate' }, { event: { state: 'fenced' } }] })
  })

  test('recovers a crashed Postgres under the same term', () => {
    serving()
      .when(exited(5, 6))
      .expect({ state: 'recovering', effects: [{ type: 'startPostgres', term: 5 }, 'send'] })
      .when(ready(5))
      .expect({ state: 'serving.active', context: { problem: '' } })
  })

  test('fails after five crashes within a minute, but not if they are spread', () => {
    const quick = serving()
    for (let crash = 1; crash < CRASHES_MAX; crash++) quick.when(exited(5, 10 + crash)).expect({ state: 'recovering' })
    quick.when(exited(5, 20)).expect({ state: 'failed', effects: ['shutDown', 'send'] })
    const slow = serving()
    for (let crash = 1; crash < 20; crash++)
      slow.when(exited(5, crash * CRASH_WINDOW_MS)).expect({ state: 'recovering' })
  })

  test('closes clients while its lease is lapsed and reports it', () => {
    serving()
      .when({ type: 'LeaseLapsed', at: 6, term: term(5) })
      .expect({ state: 'serving.active', effects: ['closeClients', 'send'], context: { leaseHeld: false } })
      .when({ type: 'LeaseRenewed', at: 7, term: term(5) })
      .expect({ effects: ['openClients', { event: { problem: '' } }] })
  })

  test('is idle without clients', () => {
    serving()
      .when({ type: 'ClientsIdle', at: 6, term: term(5) })
      .expect({ state: 'serving.idle' })
      .when({ type: 'ClientsActive', at: 7, term: term(5) })
      .expect({ state: 'serving.active' })
  })

  test('stops cleanly, and is cut short if that takes too long', () => {
    serving()
      .when({ type: 'Stop', at: 10, launch: 1 })
      .expect({ state: 'suspending', effects: [{ type: 'shutDown', mode: 'fast' }, 'send'] })
      .when(timer('shutdown', 10 + SHUTDOWN_PATIENCE_MS))
      .expect({ effects: [{ type: 'shutDown', mode: 'immediate' }] })
      .when(stopped(5))
      .expect({ state: 'stopped', context: { running: false, timers: {} } })
  })

  test('answers a repeated Start with a report, and a later launch by stopping first', () => {
    serving()
      .when(start(1))
      .expect({ state: 'serving.active', effects: ['send'] })
      .when(start(2))
      .expect({ state: 'suspending', effects: ['shutDown', { event: { launch: 2, state: 'suspending' } }] })
      .when({ type: 'Stop', at: 8, launch: 1 })
      .expect({ outcome: 'ignored' })
      .when(stopped(5))
      .expect({ state: 'electing', effects: ['startTerm', { event: { launch: 2 } }] })
  })
})

test('a fenced compute starts afresh for a later launch, once its remains are gone', () => {
  serving()
    .given({ type: 'AppendRejected', at: 6, term: term(5), problem: 'x' })
    .when(start(2))
    .expect({ state: 'suspending', effects: [{ event: { launch: 2, state: 'suspending' } }] })
    .when(stopped(5))
    .expect({ state: 'electing', effects: ['startTerm', 'send'] })
  serving()
    .given({ type: 'AppendRejected', at: 6, term: term(5), problem: 'x' }, stopped(5))
    .when(start(2))
    .expect({ state: 'electing' })
})

test('a compute stays in its states whatever it hears', () => {
  const anyTerm = fc.constantFrom(5, 5, 6, 4).map(term)
  const events: fc.Arbitrary<ComputeEvent> = fc.oneof(
    { arbitrary: fc.constantFrom(...[start(1), granted(1), fenced(1), attached(1), ready(1)]), weight: 3 },
    fc.integer({ min: 1, max: 4 }).map((launch) => start(launch)),
    fc.integer({ min: 1, max: 4 }).map((launch) => ({ type: 'Stop' as const, at: 1, launch })),
    anyTerm.map(granted),
    anyTerm.map(fenced),
    anyTerm.map(attached),
    anyTerm.map(ready),
    anyTerm.map(stopped),
    fc.tuple(anyTerm, anyTime).map(([value, at]) => exited(value, at)),
    fc.boolean().map((retryable) => ({ type: 'TermRefused' as const, at: 1, problem: 'p', retryable })),
    fc.tuple(anyTerm, fc.boolean()).map(([value, retryable]) => {
      return { type: 'AttachFailed' as const, at: 1, term: value, problem: 'p', retryable }
    }),
    fc.tuple(anyTerm, anyTerm).map(([value, higherTerm]) => {
      return { type: 'FenceFailed' as const, at: 1, term: value, problem: 'p', higherTerm }
    }),
    anyTerm.map((value) => ({ type: 'AppendRejected' as const, at: 1, term: value, problem: 'p' })),
    fc
      .tuple(fc.constantFrom('LeaseLapsed', 'LeaseRenewed', 'ClientsActive', 'ClientsIdle'), anyTerm)
      .map(([type, value]) => ({ type, at: 1, term: value })),
    fc.tuple(fc.constantFrom('retry', 'report', 'shutdown', 'other'), anyTime).map(([name, at]) => timer(name, at)),
  )
  const visited = checkProperties(compute, id, events, [[], toServing.slice(0, 3), toServing])
  for (const state of ['following', 'promoting'] as const) expect(visited).not.toContain(state)
  expect(visited.size).toBe(compute.states.length - 2)
})
