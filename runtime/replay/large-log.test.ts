/** What bounds a log of a million events, counted in reads and bytes on a smaller one: times would depend on the machine. */
import { expect, test } from 'vitest'
import { RunLogEncoder } from '../../events/run-log.ts'
import { type ByteSource, memorySource } from './byte-source.ts'
import { Cursor } from './cursor.ts'
import { RunLog } from './open-log.ts'
import { RunRecorder, SNAPSHOT_INTERVAL_INPUTS } from './recorder.ts'

const EVENTS = 20_000
const ACTORS = 3

function largeLog(): Buffer {
  const chunks: Uint8Array[] = []
  const recorder = new RunRecorder(
    new RunLogEncoder({ kind: 'simulation', startedAt: 0 }, (bytes) => chunks.push(bytes)),
    () => 0,
  ).of('host')
  const contexts = Array.from({ length: ACTORS }, () => ({ state: 'up', context: { count: 0 } }))
  for (let at = 1; at <= EVENTS; at++) {
    const which = at % ACTORS
    const before = contexts[which]!
    const after = { state: 'up', context: { count: before.context.count + 1 } }
    contexts[which] = after
    const identity = { id: `event-${at}`, causationId: `event-${at - 1}`, correlationId: 'c', type: 'Tick', version: 1 }
    const message = { ...identity, actor: `zone.${which}`, sequence: at, term: 0, at, payload: {} }
    recorder.took({ message, outcome: { kind: 'taken' }, facts: [], effects: [], before, after })
  }
  return Buffer.concat(chunks)
}

function counted(bytes: Uint8Array): { readonly source: ByteSource; readonly reads: { count: number; bytes: number } } {
  const inner = memorySource(bytes)
  const reads = { count: 0, bytes: 0 }
  const read = (offset: number, length: number) => {
    const got = inner.read(offset, length)
    reads.count++
    reads.bytes += got.length
    return got
  }
  return { source: { ...inner, read }, reads }
}

const bytes = largeLog()

test('opening reads the file once, and keeps little of it', () => {
  const { source, reads } = counted(bytes)
  const { table } = new RunLog(source)
  expect(reads.bytes).toBeLessThan(1.1 * bytes.length)
  const columns = Object.values(table).filter((column) => ArrayBuffer.isView(column))
  const lanes = [...table.lanes.values()].map(({ events }) => events.items.byteLength)
  const kept = [...columns.map(({ byteLength }) => byteLength), ...lanes].reduce((sum, size) => sum + size, 0)
  // Capacity doubles, so up to twice what an event needs.
  expect(kept / table.length).toBeLessThan(120)
})

test('a jump to anywhere decodes no more than lies between two whole states', () => {
  const { source, reads } = counted(bytes)
  const cursor = new Cursor(new RunLog(source))
  for (const to of ['last', '1', '15000', 'event-7777', '+12s', '300', '299']) {
    reads.count = 0
    cursor.seek(to)
    for (let actor = 0; actor < ACTORS; actor++) cursor.stateAt(`zone.${actor}`)
    // Two reads for a record; ids and the event itself need a few more.
    expect(reads.count, to).toBeLessThan(2 * ACTORS * (SNAPSHOT_INTERVAL_INPUTS + 2) + 20)
  }
  cursor.seek('event-7777')
  expect(cursor.stateAt('zone.1')?.snapshot.context).toEqual({ count: Math.ceil(7777 / ACTORS) })
})

test('steps back cost no more than steps forth', () => {
  const { source, reads } = counted(bytes)
  const cursor = new Cursor(new RunLog(source))
  cursor.seek('10000')
  cursor.stateAt('zone.1')
  reads.count = 0
  for (let step = 0; step < 200; step++) {
    cursor.step(-1)
    cursor.stateAt('zone.1')
  }
  expect(reads.count).toBeLessThan(2 * (SNAPSHOT_INTERVAL_INPUTS + 4))
})
