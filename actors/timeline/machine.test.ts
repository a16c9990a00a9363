import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ComputeId, Position, ProjectId, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { TimelineCommand } from '../../events/timeline.ts'
import { decide } from '../fold.ts'
import { anyTime, checkProperties, scenario } from '../testing.ts'
import { timeline } from './machine.ts'

const zones = ['zone-1', 'zone-2', 'zone-3'] as ZoneId[]
const create: TimelineCommand = {
  type: 'Create',
  at: 1,
  timeline: 'main' as TimelineId,
  project: 'p' as ProjectId,
  zones,
  durability: 'archived',
}
const startTerm = (compute: string): TimelineCommand => ({
  type: 'StartTerm',
  at: 2,
  compute: compute as ComputeId,
  zone: zones[0]!,
})
const place = (term: number, position: number) => ({ term: term as Term, position: position as Position, chain: 7 })

describe('a timeline', () => {
  test('refuses everything before it is created', () => {
    scenario(timeline, undefined).when(startTerm('c1')).expect({ state: 'creating', outcome: 'refused' })
  })

  test('grants terms that only grow, and tells the asker what an attach needs', () => {
    scenario(timeline, undefined)
      .given(create)
      .when(startTerm('c1'))
      .expect({ state: 'active', facts: ['TermStarted'], effects: [{ type: 'reply', event: { term: 1, zones } }] })
      .given({ type: 'RecordSnapshot', at: 3, ...place(1, 500), key: 'index/1' })
      .when(startTerm('c2'))
      .expect({ effects: [{ type: 'reply', event: { type: 'TermGranted', term: 2, snapshot: { position: 500 } } }] })
  })

  test('tells nobody of a term before its fact is folded', () => {
    const created = scenario(timeline, undefined).given(create)
    expect(decide(timeline, created.snapshot, startTerm('c1')).effects).toEqual([])
  })

  test('fences whoever records under an older term', () => {
    scenario(timeline, undefined)
      .given(create, startTerm('c1'), startTerm('c2'))
      .when({ type: 'RecordSnapshot', at: 3, ...place(1, 500), key: 'index/1' })
      .expect({ outcome: 'refused', facts: [], context: { remembered: { snapshot: null } } })
      .when({ type: 'RecordTermBegan', at: 3, ...place(1, 0) })
      .expect({ outcome: 'refused' })
    const refused = scenario(timeline, undefined)
      .given(create, startTerm('c1'), startTerm('c2'))
      .when({ type: 'RecordTermBegan', at: 3, ...place(1, 0) })
    expect(refused.outcome).toMatchObject({ as: 'Fenced' })
  })

  test('never takes a snapshot older than the one it knows', () => {
    scenario(timeline, undefined)
      .given(create, startTerm('c1'), { type: 'RecordSnapshot', at: 3, ...place(1, 500), key: 'a' })
      .when({ type: 'RecordSnapshot', at: 3, ...place(1, 400), key: 'b' })
      .expect({ outcome: 'ignored', context: { remembered: { snapshot: { key: 'a' } } } })
  })

  test('remembers a disk once and refuses zones that are not its own', () => {
    scenario(timeline, undefined)
      .given(create)
      .when({ type: 'RecordSafekeeper', at: 2, zone: zones[1]!, diskId: 'd' })
      .expect({ facts: ['SafekeeperRecorded'], context: { remembered: { disks: { 'zone-2': 'd' } } } })
      .when({ type: 'RecordSafekeeper', at: 2, zone: zones[1]!, diskId: 'd' })
      .expect({ outcome: 'ignored', facts: [] })
      .when({ type: 'RecordSafekeeper', at: 2, zone: 'zone-9' as ZoneId, diskId: 'd' })
      .expect({ outcome: 'refused' })
  })

  test('is deleted in two steps, and goes on deleting under a new host', () => {
    scenario(timeline, undefined)
      .given(create)
      .when({ type: 'Delete', at: 5 })
      .expect({ state: 'deleting', effects: ['deleteObjects'] })
      .when(startTerm('c1'))
      .expect({ outcome: 'refused' })
      .when({ type: 'Delete', at: 6 })
      .expect({ facts: [], effects: ['deleteObjects'] })
      .when({ type: 'Resumed', at: 6 })
      .expect({ effects: ['deleteObjects'] })
      .when({ type: 'ObjectsDeleted', at: 7 })
      .expect({ state: 'deleted' })
  })

  test('is the fold of its facts after any sequence of commands', () => {
    const term = fc.integer({ min: 0, max: 3 }).map((value) => place(value, value * 10))
    const events: fc.Arbitrary<TimelineCommand> = fc.oneof(
      fc.constant(create),
      fc.constantFrom(startTerm('c1'), startTerm('c2')),
      term.map((at) => ({ type: 'RecordTermBegan' as const, at: 3, ...at })),
      term.map((at) => ({ type: 'RecordSnapshot' as const, at: 3, ...at, key: 'k' })),
      fc.constantFrom(...zones).map((zone) => ({ type: 'RecordSafekeeper' as const, at: 3, zone, diskId: 'd' })),
      anyTime.map((at) => ({ type: 'Resumed' as const, at })),
      fc.constantFrom({ type: 'Delete' as const, at: 4 }, { type: 'ObjectsDeleted' as const, at: 4 }),
    )
    expect(checkProperties(timeline, undefined, events)).toEqual(new Set(timeline.states))
  })
})
