import { describe, expect, test } from 'vitest'
import { checksum } from '../../events/checksum.ts'
import { encode } from '../../events/codec.ts'
import { FRAME_BYTES, RUN_LOG_VERSION, RunLogEncoder } from '../../events/run-log.ts'
import { BadArgument, Damaged, FormatTooNew } from '../errors.ts'
import { memorySource } from './byte-source.ts'
import { scanRecords } from './log-scan.ts'
import { RunLog } from './open-log.ts'
import { reExecute } from './re-execute.ts'
import { openBytes, recordedRun } from './testing.ts'

const bytes = await recordedRun()
const open = (log: Uint8Array) => new RunLog(memorySource(log, 'run.loch'))
const offsetOf = (sequence: number) => openBytes(bytes).log.table.offset[sequence - 1]!
const flipped = (at: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[at] = copy[at]! ^ 0x41
  return copy
}
const errorOf = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}
const kept = (log: RunLog) => Array.from({ length: log.length }, (_, place) => log.event(place).sequence)

test('a whole log has no problem', () => {
  expect(open(bytes).problem).toBeUndefined()
})

test('of a log that was cut anywhere all that is whole can be read', () => {
  const ends: number[] = []
  scanRecords(memorySource(bytes), { record: (_, at, end, offset) => ends.push(offset + end - at), damage() {} })
  for (let length = ends[0]!; length <= bytes.length; length += 7) {
    const log = open(bytes.subarray(0, length))
    const isWhole = ends.includes(length)
    expect(log.problem === undefined, `${length}`).toBe(isWhole)
    if (!isWhole) expect(log.damages[0]).toMatchObject({ problem: 'the log breaks off', end: length })
    const whole = openBytes(bytes).log
    const expected = kept(whole).filter((sequence) => {
      const offset = whole.table.offset[sequence - 1]!
      return ends.find((end) => end > offset)! <= length
    })
    expect(kept(log)).toEqual(expected)
  }
})

test('a changed byte costs one record, wherever it is', () => {
  const first = offsetOf(1)
  for (let at = first; at < bytes.length; at += 5) {
    const log = open(flipped(at))
    expect(log.damages.length, `${at}`).toBe(1)
    expect(log.length, `${at}`).toBeGreaterThanOrEqual(18)
  }
})

test('the error says where, and what to do', () => {
  const at = offsetOf(11)
  const log = open(flipped(at + 60))
  expect(log.problem).toBeInstanceOf(Damaged)
  expect(log.problem).toMatchObject({ value: 'run.loch', remedy: expect.stringContaining('Copy or export') })
  expect(log.problem!.problem).toMatch(new RegExp(`^bytes ${at} to \\d+ cannot be read: they do not match`))
  expect(kept(log)).not.toContain(11)
})

test('a state that was folded over a gap is not certain', () => {
  const at = offsetOf(11)
  const cursor = openBytes(flipped(at + 60))
  cursor.seek('10')
  expect(cursor.stateAt('timeline.main')?.isCertain).toBe(true)
  cursor.seek('17')
  expect(cursor.stateAt('timeline.main')?.isCertain).toBe(false)
  expect(errorOf(() => cursor.seek('11'))).toMatchObject({ problem: expect.stringContaining('is lost') })
})

test('no single lost record makes what today decides differ from what was recorded, nor a state look certain that is not', () => {
  const ends: number[] = []
  const begins: number[] = []
  scanRecords(memorySource(bytes), {
    record: (_bytes, at, end, offset) => {
      begins.push(offset)
      ends.push(offset + end - at)
    },
    damage() {},
  })
  const whole = openBytes(bytes)
  for (const [index, begin] of begins.entries()) {
    const spoilt = flipped(begin + 9)
    const without = Buffer.concat([bytes.subarray(0, begin), bytes.subarray(ends[index])])
    for (const [how, log] of Object.entries({ spoilt, without })) {
      const cursor = openBytes(log)
      expect(reExecute(cursor.log).divergence, `${how} ${index}`).toBeUndefined()
      for (let place = 0; place < cursor.log.length; place++) {
        const { sequence } = cursor.log.event(place)
        for (const actor of cursor.states.actors()) {
          const known = cursor.states.at(place, actor)
          if (!known?.isCertain || actor.startsWith('?')) continue
          const truth = whole.states.at(sequence - 1, actor)
          expect(known.snapshot, `${how} ${index}: ${actor} at ${sequence}`).toEqual(truth?.snapshot)
        }
      }
    }
  }
})

test('a whole state that stands further on, behind what is lost, tells nothing of before', async () => {
  const chunks: Buffer[] = []
  const encoder = new RunLogEncoder({ kind: 'production', startedAt: 0 }, (chunk) => chunks.push(Buffer.from(chunk)))
  const lane = { source: 'timeline.main@zone-1', at: 0 }
  encoder.event({ ...lane, kind: 'began', type: 'began', snapshot: { state: 'first', context: {} } })
  encoder.event({ source: 'world', at: 0, kind: 'note', type: 'x' })
  encoder.event({ ...lane, kind: 'took', type: 'Tick', changes: [[['state'], 'second']] })
  const lost = chunks.at(-1)!
  encoder.snapshot(lane.source, { state: 'second', context: {} })
  encoder.event({ ...lane, kind: 'took', type: 'Tick' })
  lost[FRAME_BYTES + 20] = lost[FRAME_BYTES + 20]! ^ 0x41
  const { states, log } = openBytes(Buffer.concat(chunks))
  expect(log.damages).toHaveLength(1)
  const known = [0, 1, 2].map((place) => states.at(place, 'timeline.main'))
  expect(known.map((one) => one?.snapshot.state)).toEqual(['first', 'first', 'second'])
  expect(known.map((one) => one?.isCertain)).toEqual([true, true, true])
})

test('whole records that are missing are noticed by the sequences', () => {
  const [begin, end] = [offsetOf(11), offsetOf(12)]
  const log = open(Buffer.concat([bytes.subarray(0, begin), bytes.subarray(end)]))
  expect(log.problem?.problem).toBe(`before byte ${begin} event 11 is missing. 18 events can be read`)
})

test('a lost name is shown as such, and no other name moves', () => {
  // The name before the event at which `Wake` was first said.
  const at = bytes.lastIndexOf('Wake', offsetOf(9))
  const log = open(flipped(at))
  expect(log.event(8).type).toMatch(/^\?\d+$/)
  expect(log.event(10).type).toBe('StartTerm')
})

describe('what is no log of ours', () => {
  const header = (version: number) => {
    const body = Buffer.from(encode({ format: 'loch run log', version, kind: 'simulation', startedAt: 0, seed: '17' }))
    const record = Buffer.alloc(FRAME_BYTES + 1 + body.length)
    record.set(body, FRAME_BYTES + 1)
    record.writeUInt32LE(body.length + 1, 0)
    record.writeUInt32LE(checksum(record.subarray(FRAME_BYTES)), 4)
    return record
  }

  test('a newer version is refused by name, with what its header says', () => {
    expect(open(header(RUN_LOG_VERSION)).length).toBe(0)
    const error = errorOf(() => open(header(RUN_LOG_VERSION + 1)))
    expect(error).toBeInstanceOf(FormatTooNew)
    expect(error).toMatchObject({
      problem: expect.stringMatching(/version 2 \(a simulation of 1970.*seed 17.*knows 1/),
    })
  })

  test('nothing, and something else', () => {
    expect(errorOf(() => open(Buffer.alloc(0)))).toMatchObject({ problem: 'the file is empty' })
    expect(errorOf(() => open(Buffer.from('hello')))).toBeInstanceOf(BadArgument)
  })

  test('a log whose header is damaged anywhere is read all the same, and said to be damaged', () => {
    const whole = open(bytes)
    for (const at of [0, 4, 8, 12, 20, 30, 40, 60]) {
      const log = open(flipped(at))
      expect(kept(log), `${at}`).toEqual(kept(whole))
      expect(log.problem, `${at}`).toBeInstanceOf(Damaged)
      expect(log.header).toMatchObject({ kind: 'production', startedAt: whole.event(0).at })
    }
  })
})
