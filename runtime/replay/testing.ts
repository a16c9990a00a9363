/**
 * Run logs for tests: a small run of real actors of the project, whose every input is recorded as production records it, with
 * clock, ids and messages that are the same each time. Nothing here is used by Loch itself.
 */
import { compute } from '../../actors/compute/machine.ts'
import { endpoint } from '../../actors/endpoint/machine.ts'
import { timeline } from '../../actors/timeline/machine.ts'
import { zone } from '../../actors/zone/machine.ts'
import type { ComputeEvent } from '../../events/compute.ts'
import type { EndpointEvent } from '../../events/endpoint.ts'
import { ComputeId, EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { type RunEvent, RunLogEncoder } from '../../events/run-log.ts'
import type { TimelineEvent } from '../../events/timeline.ts'
import type { ZoneEvent } from '../../events/zone.ts'
import { run } from '../system/run.ts'
import { TestWorld } from '../system/testing.ts'
import { System } from '../system.ts'
import { memorySource } from './byte-source.ts'
import { Cursor } from './cursor.ts'
import { RunLog } from './open-log.ts'
import { RunRecorder } from './recorder.ts'

export const STARTED_AT = Date.UTC(2026, 0, 31, 12)

const ids = {
  zone: ZoneId.make('zone-1'),
  timeline: TimelineId.make('main'),
  endpoint: EndpointId.make('main'),
  project: ProjectId.make('main'),
  compute: ComputeId.make('main-zone-1'),
}

/** Creates a project's actors, grants two terms, refuses something, and starts a compute. */
export async function recordedRun(): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  const world = new TestWorld()
  world.nowMs = STARTED_AT
  const encoder = new RunLogEncoder({ kind: 'simulation', startedAt: STARTED_AT, seed: '17' }, (bytes) =>
    chunks.push(bytes),
  )
  const recorder = new RunRecorder(encoder, () => world.nowMs)
  const system = new System({ ...world.ports('zone-1'), recorder: recorder.of('zone-1') })
  await play(world, system, recorder)
  await system.stop()
  return Buffer.concat(chunks)
}

async function play(world: TestWorld, system: System, recorder: RunRecorder): Promise<void> {
  const zoneActor = await run(
    system.host(zone, ids.zone, { id: ids.zone, zones: [ids.zone], incarnation: 1 }, () => {}),
  )
  const timelineActor = await run(system.host(timeline, ids.timeline, undefined, () => {}))
  const endpointActor = await run(system.host(endpoint, ids.endpoint, undefined, () => {}))
  const computeActor = await run(
    system.host(compute, ids.compute, ids.compute, (effect, scope) => {
      if (effect.type !== 'startTerm') return
      const wish: TimelineEvent = { type: 'StartTerm', at: 0, compute: ids.compute, zone: ids.zone }
      scope.send('timeline.main', wish)
    }),
  )
  const say = async <E>(actor: { tell: (event: E) => void }, event: E) => {
    world.advance(10)
    actor.tell(event)
    for (const one of [zoneActor, timelineActor, endpointActor, computeActor]) await one.settled()
  }
  await say<ZoneEvent>(zoneActor, { type: 'Tick', at: 0 })
  await say<TimelineEvent>(timelineActor, {
    type: 'Create',
    at: 0,
    timeline: ids.timeline,
    project: ids.project,
    zones: [ids.zone],
    durability: 'archived',
  })
  await say<EndpointEvent>(endpointActor, { type: 'Create', at: 0, ...pick(ids) })
  await say<EndpointEvent>(endpointActor, { type: 'Resumed', at: 0, zonesUp: [ids.zone] })
  await say<EndpointEvent>(endpointActor, { type: 'Wake', at: 0 })
  recorder.note('timeline.main', 'progress', { durablePosition: 4096 })
  await say<TimelineEvent>(timelineActor, { type: 'StartTerm', at: 0, compute: ids.compute, zone: ids.zone })
  recorder.fault('partition', { between: ['zone-1', 'zone-2'] })
  recorder.message('zone-1', 'zone-2', 'loch.main.append', Buffer.from('secret user data'))
  await say<ComputeEvent>(computeActor, { type: 'Start', at: 0, ...pick(ids), zone: ids.zone, launch: 1 })
  await say<TimelineEvent>(timelineActor, { type: 'Delete', at: 0 })
  await say<TimelineEvent>(timelineActor, { type: 'StartTerm', at: 0, compute: ids.compute, zone: ids.zone })
  recorder.note('client-1', 'verdict', { isLinearizable: true })
}

function pick({ endpoint: name, project, timeline: branch }: typeof ids) {
  return { endpoint: name, project, timeline: branch }
}

export function openBytes(bytes: Uint8Array): Cursor {
  return new Cursor(new RunLog(memorySource(bytes)))
}

/** The same log, with its events changed as a run by other code would have them. */
export function rewritten(bytes: Uint8Array, change: (event: RunEvent) => RunEvent): Buffer {
  const { log } = openBytes(bytes)
  const chunks: Uint8Array[] = []
  const encoder = new RunLogEncoder(log.header, (chunk) => chunks.push(chunk))
  for (let place = 0; place < log.length; place++) encoder.event(change(log.event(place)))
  return Buffer.concat(chunks)
}
