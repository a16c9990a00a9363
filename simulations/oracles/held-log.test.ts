import { beforeEach, describe, expect, test } from 'vitest'
import { DiskFailed } from '../../runtime/errors.ts'
import { openDisk } from '../../runtime/safekeeper/disk-open.ts'
import { Keeper } from '../../runtime/safekeeper/keeper.ts'
import { RECORD_OVERHEAD_BYTES } from '../../runtime/safekeeper/log-record.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import { append, DIRECTORY, SMALL } from '../../runtime/safekeeper/testing-disk.ts'
import { SimDisk } from '../world/sim-disk.ts'
import { kernelOf, processOf } from '../world/testing.ts'
import { HeldLog } from './held-log.ts'

let disk: SimDisk
let held: HeldLog
let writer: FrameWriter

/** As a safekeeper's process does when it starts. */
function open(): Keeper {
  const files = disk.files(processOf('zone-1'))
  const opened = openDisk(files, DIRECTORY, TIMELINE, () => 'disk-1', SMALL)
  return new Keeper(files, DIRECTORY, 'zone-1', 'zone-1-1', opened)
}

beforeEach(() => {
  disk = new SimDisk(kernelOf(1), { evictShare: 0 })
  held = new HeldLog(disk, DIRECTORY)
  writer = new FrameWriter(TIMELINE, 1)
})

describe('a log that would survive', () => {
  test('is what was flushed, over several files, and what is said of its terms', () => {
    const keeper = open()
    for (let count = 0; count < 10; count++) append(keeper, writer, 'x'.repeat(300))
    expect(held.look().end).toBeLessThan(3_000)
    keeper.flush()
    expect(held.look()).toMatchObject({ begin: 0, end: 3_000 })
    expect(held.hasRemains()).toBe(false)
    expect(held.chainAt(3_000)).toBe(writer.chain)
    keeper.promise(7)
    expect(held.look().control?.term).toBe(7)
  })

  test('is shorter after a cut, inside of a frame as well', () => {
    const keeper = open()
    for (let count = 0; count < 4; count++) append(keeper, writer, 'x'.repeat(300))
    keeper.flush()
    const chain = held.chainAt(held.look().end - 50)
    keeper.cut(1_150)
    expect(held.look().end).toBe(1_150)
    expect(held.chainAt(1_150)).toBe(chain)
    expect(held.chainAt(1_151)).toBeUndefined()
  })

  test('is not what a sync that failed left out', () => {
    const keeper = open()
    append(keeper, writer, 'x'.repeat(300))
    keeper.flush()
    append(keeper, writer, 'y'.repeat(300))
    disk.failNextSync()
    expect(() => keeper.flush()).toThrow(DiskFailed)
    expect(held.look().end).toBe(300)
  })

  test('does not count a frame whose record has a bad head, for whoever opens it does not', () => {
    const keeper = open()
    for (let count = 0; count < 2; count++) append(keeper, writer, 'x'.repeat(100))
    keeper.flush()
    expect(held.look().end).toBe(200)
    const [, file] = [...disk.certainNames].find(([name]) => name.endsWith('.log'))!
    const second = RECORD_OVERHEAD_BYTES + 100
    file.write(Buffer.alloc(2), second)
    file.sync()
    expect(held.look().end).toBe(100)
    expect(open().log.end).toBe(100)
  })

  test('does not go on behind a byte that is bad, and says what lies there', () => {
    const keeper = open()
    append(keeper, writer, 'x'.repeat(300))
    keeper.flush()
    const [, file] = [...disk.certainNames].find(([name]) => name.endsWith('.log'))!
    file.write(Buffer.from('remains'), 400)
    file.sync()
    expect(held.look()).toMatchObject({ end: 300 })
    expect(held.hasRemains()).toBe(true)
    file.write(Buffer.from('bad'), 200)
    file.sync()
    expect(held.look().end).toBe(0)
  })
})

test('a sync that fails while a disk is opened is not forgotten at the next opening', () => {
  append(open(), writer, 'x'.repeat(300))
  // The process was killed before it flushed.
  disk.failNextSync()
  expect(open).toThrow(DiskFailed)
  const keeper = open()
  expect(held.look().end).toBe(keeper.log.flushed)
})
