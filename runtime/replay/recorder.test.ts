import { expect, test } from 'vitest'
import { timeline } from '../../actors/timeline/machine.ts'
import { checksum } from '../../events/checksum.ts'
import { ComputeId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { RunLogEncoder } from '../../events/run-log.ts'
import { SafekeeperService } from '../safekeeper/safekeeper.ts'
import { MemoryDisk, SafekeeperWorld } from '../safekeeper/testing.ts'
import { run } from '../system/run.ts'
import { TestWorld } from '../system/testing.ts'
import { System } from '../system.ts'
import { reExecute } from './re-execute.ts'
import { RunRecorder } from './recorder.ts'
import { openBytes } from './testing.ts'

function recording(nowMs: () => number = () => 1_000) {
  const chunks: Uint8Array[] = []
  const encoder = new RunLogEncoder({ kind: 'simulation', startedAt: 0 }, (bytes) => chunks.push(bytes))
  const recorder = new RunRecorder(encoder, nowMs)
  const open = () => openBytes(Buffer.concat(chunks))
  return { recorder, encoder, open }
}

test('what a host learns of another is recorded, and can be decided again', async () => {
  const world = new TestWorld()
  const { recorder, open } = recording()
  const zones = [ZoneId.make('zone-1')]
  const host = (name: string) => {
    const system = new System({ ...world.ports(name), recorder: recorder.of(name) })
    return run(system.host(timeline, 'main', undefined, () => {}))
  }
  const startTerm = { type: 'StartTerm', at: 0, compute: ComputeId.make('c'), zone: zones[0]! } as const
  const first = await host('a')
  const project = ProjectId.make('p')
  await first.ask({ type: 'Create', at: 0, timeline: TimelineId.make('main'), project, zones, durability: 'archived' })
  const second = await host('b')
  for (const actor of [first, second, second, first]) await actor.ask(startTerm)
  const cursor = open()
  const folded = Array.from({ length: cursor.log.length }, (_, place) => cursor.log.event(place)).filter(
    ({ kind }) => kind === 'folded',
  )
  expect(folded.map(({ source, type }) => [source, type])).toEqual([
    ['timeline.main@b', 'TermStarted'],
    ['timeline.main@a', 'TermStarted'],
    ['timeline.main@a', 'TermStarted'],
  ])
  expect(reExecute(cursor.log)).toMatchObject({ skipped: 0, divergence: undefined })
  // Without a host, the one that did something last.
  cursor.until('host = b and type = StartTerm', 1)
  expect(cursor.stateAt('timeline.main')?.source).toBe('timeline.main@b')
  cursor.seek('last')
  expect(cursor.stateAt('timeline.main')?.source).toBe('timeline.main@a')
  expect(cursor.stateAt('timeline.main@a')?.snapshot).toEqual({ state: 'active', context: first.snapshot.context })
  expect(cursor.stateAt('timeline.main@b')?.snapshot).toEqual({ state: 'active', context: second.snapshot.context })
})

test('the life of a safekeeper is recorded', async () => {
  const world = new SafekeeperWorld()
  const { recorder, open } = recording()
  const ports = { ...world.ports('zone-1', new MemoryDisk()), recorder: recorder.of('zone-1') }
  const service = await SafekeeperService.open(ports)
  service.stop()
  const { log } = open()
  expect(log.event(0)).toMatchObject({ kind: 'began', source: 'safekeeper.main@zone-1' })
  expect(log.event(1)).toMatchObject({ kind: 'took', type: 'Opened', at: 1_000 })
  expect(reExecute(log)).toMatchObject({ skipped: 0, divergence: undefined })
})

test('a change that nobody recorded is seen, and the whole state is recorded anew', () => {
  const { recorder, open } = recording()
  const host = recorder.of('a')
  const identity = { id: 'x', causationId: 'x', correlationId: 'x', type: 'Tick', version: 1, at: 1, payload: {} }
  const message = { ...identity, actor: 'zone.zone-1', sequence: 1, term: 0 }
  const tick = (from: number) => {
    const [before, after] = [from, from + 1].map((count) => ({ state: 'up', context: { count } }))
    host.took({ message, outcome: { kind: 'taken' }, facts: [], effects: [], before: before!, after: after! })
  }
  for (const from of [0, 7]) tick(from)
  const cursor = open()
  cursor.seek('last')
  expect(cursor.stateAt('zone.zone-1')?.snapshot.context).toEqual({ count: 8 })
  const kinds = [...cursor.shown(-1)].map((place) => cursor.log.event(place).kind)
  expect(kinds).toEqual(['took', 'began', 'took', 'began'])
})

test('causes that go in a circle end', () => {
  const { open, encoder } = recording()
  for (const [id, causationId] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    encoder.event({ kind: 'note', at: 1, source: 's', type: 't', id, causationId })
  }
  const cursor = open()
  expect(cursor.effectsOf(0, 10)).toEqual([{ place: 1, depth: 1 }])
  expect(cursor.why(0)).toEqual({ places: [1, 0], missing: 'a' })
})

test('what a host notes is had as a field of whoever it is about', () => {
  const { recorder, open } = recording()
  const [first, second] = [recorder.of('zone-1'), recorder.of('zone-2')]
  first.noted('timeline.main', 'progress', { durablePosition: 10, term: 1 })
  second.noted('timeline.main', 'progress', { durablePosition: 20, term: 2 })
  const cursor = open()
  const value = cursor.value('timeline.main.durablePosition', '--print')
  expect([...cursor.shown()].map(value)).toEqual([10, 20])
})

test('bytes in a payload are noted by length and checksum', () => {
  const { recorder, open } = recording()
  const data = Buffer.from('secret user data')
  recorder.note('client-1', 'wrote', { key: 'a', values: [data], plain: [1] })
  const { log } = open()
  const summary = { length: data.length, checksum: checksum(data) }
  expect(log.event(0).payload).toEqual({ key: 'a', values: [summary], plain: [1] })
})
