/** When an fsync that waits for seals is answered: never before what it found dirty stands in a stored segment. */
import { beforeEach, expect, test } from 'vitest'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Driver, filled } from '../volume/testing.ts'
import type { Sealer } from './sealer.ts'
import { SealBench } from './testing-seals.ts'

let bench: SealBench
let driver: Driver
let sealer: Sealer
let flying: SealBench['flying']
let answered: number[]

beforeEach(() => {
  bench = new SealBench(8192)
  ;({ driver, sealer, flying } = bench)
  answered = []
})

const table = (): number => driver.ino('base/5/1')

function write(block: number, byte: number): void {
  driver.write(table(), block * PAGE_BYTES, filled(byte))
}

/** An fsync, which is answered with the position that it must wait for. */
function fsync(): void {
  sealer.sync((position) => answered.push(position))
}

const finish = (ok: boolean, at = 0): void => bench.finish(ok, at)

/** What a crash at the position that the last fsync was given would leave of a block. */
function survived(block: number): number | undefined {
  const entries = driver.log.entries.filter(({ end }) => end <= answered.at(-1)!)
  const after = Driver.folded(driver.objects, entries)
  return after.read(after.ino('base/5/1'), block * PAGE_BYTES, PAGE_BYTES)[0]
}

test('an fsync waits until its pages are stored', () => {
  write(0, 1)
  fsync()
  expect(answered).toEqual([])
  finish(true)
  expect(answered).toEqual([driver.log.end])
  expect(survived(0)).toBe(1)
})

test('an fsync of what is clean already does not wait', () => {
  fsync()
  expect(answered).toHaveLength(1)
  expect(flying).toEqual([])
})

test('a segment that could not be stored does not answer the fsync that waits for it', () => {
  write(0, 1)
  fsync()
  finish(false)
  expect(answered).toEqual([])
  finish(false)
  expect(answered).toEqual([])
  finish(true)
  expect(answered).toEqual([driver.log.end])
  expect(survived(0)).toBe(1)
})

test('neither does it when another segment is stored meanwhile', () => {
  write(0, 1)
  fsync()
  write(1, 2)
  fsync()
  finish(false, 0)
  finish(true, 0)
  expect(answered).toEqual([])
  finish(true)
  expect(answered).toHaveLength(2)
  expect([survived(0), survived(1)]).toEqual([1, 2])
})

test('nor when the page was written again and captured anew', () => {
  write(0, 1)
  fsync()
  write(0, 2)
  fsync()
  finish(false, 0)
  expect(answered).toEqual([])
  finish(true)
  expect(answered).toHaveLength(2)
  expect(survived(0)).toBe(2)
})

test('an fsync of more than may fly at once waits for all of it, failures included', () => {
  const pages = 6 * 512
  for (let block = 0; block < pages; block++) write(block, 1 + (block % 250))
  fsync()
  expect(flying).toHaveLength(4)
  for (let failed = 0; failed < 4; failed++) finish(false)
  while (flying.length > 0) {
    expect(answered).toEqual([])
    finish(true)
  }
  expect(answered).toHaveLength(1)
  for (const block of [0, 511, 512, pages - 1]) expect(survived(block)).toBe(1 + (block % 250))
})

test('who waits for logged pages too gets them stored even if the first try failed', () => {
  driver.write(driver.ino('small'), 0, filled(7))
  expect(driver.volume.dirtyPageCount).toBe(0)
  sealer.syncAll((position) => answered.push(position))
  expect(flying).toHaveLength(1)
  finish(false)
  expect(answered).toEqual([])
  expect(flying).toHaveLength(1)
  finish(true)
  expect(answered).toEqual([driver.log.end])
})

/** Dirties more than one seal takes, so that something always waits to be captured. */
function dirtyMore(round: number): void {
  for (let block = 0; block < 600; block++) write(block, 1 + (round % 250))
}

test('an fsync does not wait for what is written after it, however much', () => {
  for (let block = 0; block < 3000; block++) write(block, 1)
  fsync()
  for (let round = 1; answered.length === 0; round++) {
    dirtyMore(round)
    finish(true)
    expect(round).toBeLessThanOrEqual(6)
  }
  expect([survived(700), survived(2999)]).toEqual([1, 1])
})

test('nor does who waits for logged pages, which get their share of each segment', () => {
  for (let block = 0; block < 3000; block++) write(block, 1)
  driver.write(driver.ino('small'), 0, filled(7))
  sealer.syncAll((position) => answered.push(position))
  for (let round = 1; answered.length === 0; round++) {
    dirtyMore(round)
    finish(true)
    expect(round).toBeLessThanOrEqual(8)
  }
})

test('one page rewritten while its seal flies is captured anew for the next fsync only', () => {
  write(0, 1)
  fsync()
  write(0, 2)
  fsync()
  finish(true)
  expect(answered).toHaveLength(1)
  expect(survived(0)).toBe(1)
  finish(true)
  expect(answered).toHaveLength(2)
  expect(survived(0)).toBe(2)
})

test('who is answered may ask again at once', () => {
  write(0, 1)
  const order: string[] = []
  sealer.sync(() => {
    order.push('first')
    write(1, 2)
    sealer.sync(() => order.push('again'))
  })
  sealer.sync(() => order.push('second'))
  finish(true)
  expect(order).toEqual(['first', 'second'])
  finish(true)
  expect(order).toEqual(['first', 'second', 'again'])
})
