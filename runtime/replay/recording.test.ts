import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decide } from '../../actors/fold.ts'
import { zone } from '../../actors/zone/machine.ts'
import { wrap } from '../../events/envelope.ts'
import { ZoneId } from '../../events/identifiers.ts'
import { memorySource } from './byte-source.ts'
import { RunLog } from './open-log.ts'
import { reExecute } from './re-execute.ts'
import { SNAPSHOT_INTERVAL_INPUTS } from './recorder.ts'
import { Recording, type RecordingOptions, SEGMENT_AGE_MS_MAX, SEGMENT_SPAN_MS_MAX } from './recording.ts'

let directory: string
let reported: string[]
let nowMs: number
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-recording-'))
  reported = []
  nowMs = Date.now()
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const zoneId = ZoneId.make('zone-1')
const open = (options: Partial<RecordingOptions> = {}) =>
  new Recording({ directory, host: 'zone-1', nowMs: () => nowMs, report: (line) => reported.push(line), ...options })

/** A zone that hears `count` ticks. */
function tick(recording: Recording, count: number, from = zone.begin({ id: zoneId, zones: [zoneId], incarnation: 1 })) {
  let before = from
  for (let sequence = 1; sequence <= count; sequence++) {
    nowMs += 10
    const event = { type: 'Tick', at: nowMs } as const
    const { snapshot: after, outcome, effects } = decide(zone, before, event)
    const message = wrap(event, { id: `tick-${nowMs}`, actor: 'zone.zone-1', sequence, term: 0 })
    recording.recorder.took({ message, outcome, facts: [], effects, before, after })
    before = after
  }
  return before
}

const segments = () => readdirSync(directory).sort()
const logOf = (name: string) => new RunLog(memorySource(readFileSync(join(directory, name))))

describe('a recording', () => {
  test('is a run log that can be decided again, though nobody said that the actor is hosted', async () => {
    const recording = open()
    tick(recording, 600)
    await recording.close()
    expect(segments()).toHaveLength(1)
    const log = logOf(segments()[0]!)
    expect(log.header).toMatchObject({ kind: 'production' })
    expect(log.event(0)).toMatchObject({ kind: 'began', source: 'zone.zone-1@zone-1' })
    expect(reExecute(log)).toEqual({ executed: 600, skipped: 0, divergence: undefined })
    const [lane] = [...log.table.lanes.values()]
    expect(lane!.baseCounts.length).toBe(1 + Math.floor(599 / SNAPSHOT_INTERVAL_INPUTS))
  })

  test('keeps what is noted beside what actors hear, in each segment', async () => {
    const recording = open({ segmentBytesMax: 120 })
    for (const durablePosition of [1, 2]) recording.recorder.noted('timeline.main', 'progress', { durablePosition })
    await recording.close()
    const kept = segments().map((name) => logOf(name).event(0))
    expect(kept).toMatchObject([1, 2].map((durablePosition) => ({ kind: 'note', payload: { durablePosition } })))
  })

  test('keeps so many segments at most, each readable alone', async () => {
    const recording = open({ segmentBytesMax: 20_000, segmentsMax: 3 })
    let state = tick(recording, 1)
    for (let round = 0; round < 10; round++) {
      state = tick(recording, 50, state)
      await recording.close()
    }
    expect(segments()).toHaveLength(3)
    for (const name of segments()) {
      const { executed, skipped, divergence } = reExecute(logOf(name))
      expect({ skipped, divergence }).toEqual({ skipped: 0, divergence: undefined })
      expect(executed).toBeGreaterThan(10)
    }
  })

  test('forgets what is old', async () => {
    const old = join(directory, 'run-000000000000001.loch')
    writeFileSync(old, '')
    const time = (nowMs - SEGMENT_AGE_MS_MAX - 1_000) / 1_000
    utimesSync(old, time, time)
    const recording = open()
    tick(recording, 1)
    await recording.close()
    expect(segments()).not.toContain('run-000000000000001.loch')
    expect(segments()).toHaveLength(1)
  })

  test('by a clock that is behind that of former segments is kept, and read after them', async () => {
    const later = Array.from({ length: 3 }, (_, at) => `run-${String(nowMs + 60_000 + at).padStart(15, '0')}.loch`)
    for (const name of later) writeFileSync(join(directory, name), '')
    const recording = open({ segmentsMax: 3 })
    const state = tick(recording, 5)
    await recording.close()
    tick(recording, 5, state)
    await recording.close()
    expect(segments().slice(0, -1)).toEqual(later.slice(1))
    const log = logOf(segments().at(-1)!)
    expect(log.header.startedAt).toBeLessThan(nowMs)
    expect(reExecute(log)).toEqual({ executed: 10, skipped: 0, divergence: undefined })
  })

  test('of a quiet process goes on in another segment in time, so that the old can be forgotten', async () => {
    const recording = open()
    let state = tick(recording, 1)
    nowMs += SEGMENT_SPAN_MS_MAX / 2
    state = tick(recording, 1, state)
    await recording.close()
    expect(segments()).toHaveLength(1)
    nowMs += SEGMENT_SPAN_MS_MAX / 2
    tick(recording, 1, state)
    await recording.close()
    expect(segments()).toHaveLength(2)
    expect(reExecute(logOf(segments()[1]!))).toMatchObject({ executed: 1, skipped: 0 })
  })

  test('of a disk that fails ends with one report, and disturbs nobody', async () => {
    const recording = open()
    rmSync(directory, { recursive: true })
    const state = tick(recording, 1)
    await recording.close()
    mkdirSync(directory)
    tick(recording, 5, state)
    await recording.close()
    expect(reported).toEqual([expect.stringContaining('nothing more is recorded')])
    expect(segments()).toEqual([])
  })

  test('without its directory is off', async () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    const recording = open({ directory: join(file, 'recordings') })
    tick(recording, 1)
    await recording.close()
    expect(reported).toHaveLength(1)
  })
})
