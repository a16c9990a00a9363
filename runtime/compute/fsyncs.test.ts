/** When an fsync is answered, given what its file holds and what was written before Postgres last died. */
import { beforeEach, expect, test } from 'vitest'
import { type Driver, filled } from '../volume/testing.ts'
import { Fsyncs } from './fsyncs.ts'
import { SharedLog } from './shared-log.ts'
import { SealBench } from './testing-seals.ts'

let bench: SealBench
let driver: Driver
let log: SharedLog
let fsyncs: Fsyncs
let answers: string[]

beforeEach(() => {
  bench = new SealBench(1024)
  driver = bench.driver
  answers = []
  log = SharedLog.allocate(0, 0)
  const send = () => {
    log.end = driver.log.end
  }
  send()
  fsyncs = new Fsyncs(driver.volume, bench.sealer, { send }, log, {
    replyEmpty: (unique) => answers.push(`${unique} ok`),
    replyError: (unique, _, errno) => answers.push(`${unique} error ${errno}`),
  })
  becomeDurable()
})

function fsync(unique: number, path: string): void {
  if (!fsyncs.sync(unique, 0, driver.ino(path))) answers.push(`${unique} ok`)
}

/** All that was sent is acknowledged. */
function becomeDurable(upTo = driver.log.end): void {
  log.advance(upTo, upTo, (unique) => answers.push(`${unique} ok`))
}

const writePage = (path: string) => driver.write(driver.ino(path), 0, filled(1))

test('an fsync of a logged file waits for the log alone', () => {
  writePage('small')
  fsync(1, 'small')
  expect([answers, bench.flying]).toEqual([[], []])
  becomeDurable()
  expect(answers).toEqual(['1 ok'])
})

test('an fsync of dirty pages waits for their segment, and for the entry that names it', () => {
  writePage('base/5/1')
  fsync(1, 'base/5/1')
  becomeDurable()
  expect(answers).toEqual([])
  bench.finish(true)
  expect(answers).toEqual([])
  becomeDurable()
  expect(answers).toEqual(['1 ok'])
})

test('after a guard no fsync succeeds before what was dirty then is durable, not even of a file that is clean', () => {
  writePage('base/5/1')
  fsyncs.guard()
  fsync(1, 'small')
  becomeDurable()
  expect(answers).toEqual([])
  bench.finish(false)
  expect(answers).toEqual([])
  bench.finish(true)
  fsync(2, 'small')
  expect(answers).toEqual([])
  becomeDurable()
  expect(answers.sort()).toEqual(['1 ok', '2 ok'])
  fsync(3, 'small')
  expect(answers).toHaveLength(3)
})

test('after a guard an fsync waits for log that was written before and by nobody synced', () => {
  driver.make('other')
  fsyncs.guard()
  fsync(1, 'small')
  expect(answers).toEqual([])
  becomeDurable()
  expect(answers).toEqual(['1 ok'])
})

test('and so does one that came while the guard waited, though of what was dirty nothing is left', () => {
  writePage('base/5/1')
  driver.make('other')
  fsyncs.guard()
  fsync(1, 'small')
  driver.truncate(driver.ino('base/5/1'), 0)
  bench.finish(false)
  expect(answers).toEqual([])
  becomeDurable()
  expect(answers).toEqual(['1 ok'])
})

test('once the log has failed every fsync gets its error', () => {
  writePage('small')
  fsync(1, 'small')
  log.fail(5, (unique) => answers.push(`${unique} error 5`))
  fsync(2, 'small')
  expect(answers).toEqual(['1 error 5', '2 error 5'])
})
