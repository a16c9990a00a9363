/** Bytes on their way: asked for once, and what came late for a page that moved is no damage. */
import { expect, test } from 'vitest'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Driver, filled } from '../volume/testing.ts'
import { WANTS_BYTES, type Wanted } from '../volume/types.ts'
import type { FromVolume } from './volume-messages.ts'
import { WantedBytes } from './wanted-bytes.ts'

/** A volume that serves a file of one page, which lies in object storage only. */
function evicted() {
  const before = Driver.serving()
  before.makeDirectories('base', 'base/5')
  before.write(before.make('base/5/1'), 0, filled(1))
  before.sealAll()
  const driver = Driver.folded(before.objects, before.log.entries)
  driver.log.end = before.log.end
  driver.serve()
  const ino = driver.ino('base/5/1')
  const target = new Uint8Array(PAGE_BYTES)
  const read = () => driver.volume.read(ino, 0, PAGE_BYTES, target, 0)
  expect(read()).toBe(WANTS_BYTES)
  const sent: FromVolume[] = []
  const bytes = new WantedBytes(driver.volume, (message) => sent.push(message))
  return { driver, ino, target, read, sent, bytes, wanted: driver.volume.wanted[0] as Wanted }
}

test('asks once for what several wait for, and tells all of them', () => {
  const { driver, read, target, sent, bytes, wanted } = evicted()
  const told: boolean[] = []
  bytes.request((arrived) => told.push(arrived))
  bytes.request((arrived) => told.push(arrived))
  expect(sent).toEqual([{ kind: 'fetch', wanted }])
  bytes.arrived(wanted, driver.objects.read(wanted))
  expect(told).toEqual([true, true])
  expect(read()).toBe(PAGE_BYTES)
  expect(target[0]).toBe(1)
})

test('a page that moved while its old bytes were fetched is not damaged', () => {
  const { driver, ino, read, target, sent, bytes, wanted } = evicted()
  const told: boolean[] = []
  bytes.request((arrived) => told.push(arrived))
  const old = driver.objects.read(wanted)
  // Rewritten whole, sealed, and pushed out of the cache again: it lies elsewhere now.
  driver.write(ino, 0, filled(2))
  driver.sealAll()
  pushOut(driver)
  bytes.arrived(wanted, old)
  expect(told).toEqual([true])
  expect(sent.filter(({ kind }) => kind === 'damaged')).toEqual([])
  expect(read()).toBe(WANTS_BYTES)
  driver.objects.deliver(driver.volume)
  expect(read()).toBe(PAGE_BYTES)
  expect(target[0]).toBe(2)
})

test('bytes that are not those that were stored are damage, and the reader hears of it', () => {
  const { sent, bytes, wanted } = evicted()
  const told: boolean[] = []
  bytes.request((arrived) => told.push(arrived))
  bytes.arrived(wanted, filled(9))
  expect(told).toEqual([false])
  expect(sent.at(-1)).toEqual({ kind: 'damaged', wanted })
})

test('bytes that will not come are no damage, but the reader does not get them', () => {
  const { sent, bytes, wanted } = evicted()
  const told: boolean[] = []
  bytes.request((arrived) => told.push(arrived))
  bytes.arrived(wanted, undefined)
  expect(told).toEqual([false])
  expect(sent).toHaveLength(1)
})

/** Reads enough of another file that nothing else stays in the cache. */
function pushOut(driver: Driver): void {
  const other = driver.make('base/5/2')
  const pages = driver.pages.slotCount
  for (let block = 0; block < 2 * pages; block++) {
    driver.write(other, block * PAGE_BYTES, filled(3))
    if (block % 64 === 63) driver.sealAll()
  }
}
