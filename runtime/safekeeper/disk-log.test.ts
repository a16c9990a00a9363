import { describe, expect, test } from 'vitest'
import { chainOver, chainSeed, FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../../events/frame.ts'
import { Damaged, DiskFailed } from '../errors.ts'
import { noteFailedSync } from './disk-open.ts'
import { RECORD_OVERHEAD_BYTES } from './log-record.ts'
import { FrameWriter, MemoryDisk, TIMELINE } from './testing.ts'
import { append, content, DIRECTORY, FIRST, LARGE, type Opened, open, SMALL } from './testing-disk.ts'

/** A disk with `payloads` appended, each flushed, and all closed. */
function filled(payloads: readonly string[], limits = LARGE): MemoryDisk {
  const disk = new MemoryDisk()
  const { keeper } = open(disk, limits)
  const writer = new FrameWriter(TIMELINE, 1)
  for (const payload of payloads) {
    append(keeper, writer, payload)
    keeper.log.flush()
  }
  keeper.log.close()
  return disk
}

describe('a log on disk', () => {
  test('is empty on a new disk, which is fresh', () => {
    const { keeper, damage } = open(new MemoryDisk())
    expect(keeper.log).toMatchObject({ begin: { position: 0 }, end: 0, chain: chainSeed(TIMELINE), flushed: 0 })
    expect(keeper.state).toMatchObject({ fresh: true, term: 0, diskId: 'disk-1' })
    expect(damage).toBeUndefined()
  })

  test('is there again, across files, with its chain', () => {
    const payloads = Array.from({ length: 40 }, (_, at) => `payload ${at} `.repeat(9))
    const { keeper, findings } = open(filled(payloads, SMALL), SMALL)
    expect(content(keeper)).toBe(payloads.join(''))
    expect(keeper.log.chain).toBe(chainOver(Buffer.from(payloads.join('')), chainSeed(TIMELINE)))
    expect(findings).toEqual([])
    const writer = new FrameWriter(TIMELINE, 2, keeper.log.end, keeper.log.chain)
    append(keeper, writer, 'more')
    expect(content(keeper)).toBe(`${payloads.join('')}more`)
  })

  test('one sync covers all appends before it, and none is done for nothing', () => {
    const disk = filled(['first'])
    const { keeper } = open(disk)
    const writer = new FrameWriter(TIMELINE, 1, keeper.log.end, keeper.log.chain)
    const before = disk.syncs
    for (let count = 0; count < 50; count++) append(keeper, writer, 'x')
    expect(disk.syncs).toBe(before)
    expect(keeper.log.flushed).toBe(5)
    keeper.log.flush()
    keeper.log.flush()
    expect(disk.syncs).toBe(before + 1)
    expect(keeper.log.flushed).toBe(55)
  })

  test('a term that was found on a disk without a log survives a power failure', () => {
    const disk = new MemoryDisk()
    const { keeper } = open(disk)
    // Killed after the rename.
    const { syncDirectory } = disk
    disk.syncDirectory = () => {
      throw new Error('killed')
    }
    expect(() => keeper.promise(7)).toThrow('killed')
    disk.syncDirectory = syncDirectory
    disk.kill()
    expect(open(disk).keeper.state.term).toBe(7)
    disk.powerFailure()
    expect(open(disk).keeper.state.term).toBe(7)
  })

  test('prepares room with zeros, which are not taken for a torn end', () => {
    const disk = filled(['first'])
    const { keeper } = open(disk)
    expect(keeper.log.wantsRoom).toBe(true)
    keeper.log.prepare()
    expect(keeper.log.wantsRoom).toBe(false)
    const size = disk.readWhole(FIRST)!.length
    append(keeper, new FrameWriter(TIMELINE, 1, 5, keeper.log.chain), 'second')
    keeper.log.flush()
    expect(disk.readWhole(FIRST)!.length).toBe(size)
    disk.powerFailure()
    const again = open(disk)
    expect(content(again.keeper)).toBe('firstsecond')
    expect(again.findings).toEqual([])
  })
})

describe('a torn end', () => {
  const whole = filled(['one', 'two', 'three'])
  const bytes = whole.readWhole(FIRST)!
  const lastRecord = RECORD_OVERHEAD_BYTES + 'three'.length

  function reopened(content: Uint8Array): { readonly disk: MemoryDisk; readonly opened: Opened } {
    const disk = new MemoryDisk()
    for (const name of ['control', 'synced'])
      disk.place(`${DIRECTORY}/${name}`, whole.readWhole(`${DIRECTORY}/${name}`)!)
    disk.place(FIRST, content)
    return { disk, opened: open(disk) }
  }

  test('is cut at every byte of the last frame, also before prepared zeros', () => {
    for (let kept = 0; kept < lastRecord; kept++) {
      const torn = bytes.subarray(0, bytes.length - lastRecord + kept)
      for (const found of [torn, Buffer.concat([torn, Buffer.alloc(2_000)])]) {
        const { disk, opened } = reopened(found)
        expect(content(opened.keeper)).toBe('onetwo')
        expect(opened.damage).toBeUndefined()
        expect(opened.findings).toHaveLength(kept > 0 ? 1 : 0)
        expect(opened.keeper.state.fresh).toBe(true)
        // What follows is appended where the good part ends, and the cut is not found again.
        append(opened.keeper, new FrameWriter(TIMELINE, 1, 6, opened.keeper.log.chain), 'four')
        opened.keeper.log.flush()
        disk.powerFailure()
        const again = open(disk)
        expect(content(again.keeper)).toBe('onetwofour')
        expect(again.findings).toEqual([])
      }
    }
  })

  test('may have holes: frames after one that was never flushed count for nothing', () => {
    const disk = filled(['one'])
    const { keeper } = open(disk)
    const writer = new FrameWriter(TIMELINE, 1, 3, keeper.log.chain)
    append(keeper, writer, 'a'.repeat(2_000))
    append(keeper, writer, 'b'.repeat(2_000))
    // Of two frames that were not flushed the disk kept the second.
    disk.powerFailure((sector) => sector >= 5)
    const again = open(disk)
    expect(content(again.keeper)).toBe('one')
    expect(again.damage).toBeUndefined()
    expect(again.findings[0]).toContain('unfinished end')
  })
})

describe('damage', () => {
  test('of any byte of a flushed frame makes the disk fresh, and keeps what is good and what is bad', () => {
    const payloads = ['one', 'two', 'three', 'four']
    const middle = RECORD_OVERHEAD_BYTES + 3
    for (let at = middle; at < middle + RECORD_OVERHEAD_BYTES + 3; at++) {
      const disk = filled(payloads)
      trust(disk)
      const bytes = disk.readWhole(FIRST)!
      bytes[at]! ^= 0x10
      disk.place(FIRST, bytes)
      const { keeper, damage, findings } = open(disk)
      expect(damage).toContain('damaged from position 3 on')
      expect(findings.join()).toContain('damaged-0000000000000000.log')
      expect(content(keeper)).toBe('one')
      expect(keeper.state.fresh).toBe(true)
      expect(disk.readWhole(`${DIRECTORY}/damaged-0000000000000000.log`)).toEqual(bytes)
      // It is said once; the disk stays fresh until it has caught up.
      keeper.log.close()
      disk.powerFailure()
      const again = open(disk)
      expect(again.damage).toBeUndefined()
      expect(again.keeper.state.fresh).toBe(true)
    }
  })

  test('in a file that is not the last is never taken for a torn end', () => {
    const payloads = Array.from({ length: 30 }, (_, at) => `payload ${at} `.repeat(9))
    const disk = filled(payloads, SMALL)
    trust(disk)
    const bytes = disk.readWhole(FIRST)!
    disk.place(FIRST, bytes.subarray(0, bytes.length - 1))
    const { keeper, damage } = open(disk, SMALL)
    expect(damage).toContain(FIRST)
    expect(payloads.join('').startsWith(content(keeper))).toBe(true)
    expect(disk.paths().filter((path) => path.includes('damaged-')).length).toBeGreaterThan(3)
  })

  test('a missing file is damage', () => {
    const disk = filled(
      Array.from({ length: 30 }, (_, at) => `payload ${at} `.repeat(9)),
      SMALL,
    )
    const second = disk.paths().filter((path) => path.endsWith('.log'))[1]!
    disk.remove(second)
    const { keeper, damage } = open(disk, SMALL)
    expect(damage).toBeDefined()
    expect(`${DIRECTORY}/${String(keeper.log.end).padStart(16, '0')}.log`).toBe(second)
  })

  test('of the control file leaves nothing that is believed', () => {
    const disk = filled(['one', 'two'])
    const control = disk.readWhole(`${DIRECTORY}/control`)!
    control[control.length - 1]! ^= 1
    disk.place(`${DIRECTORY}/control`, control)
    const { keeper, damage } = open(disk)
    expect(damage).toContain('its checksum differs')
    expect(keeper.state).toMatchObject({ fresh: true, end: 0, term: 0 })
    expect(disk.paths()).toContain(`${DIRECTORY}/damaged-control`)
  })

  test('is found by whoever reads a frame that went bad since', () => {
    const disk = filled(['one', 'two'])
    const { keeper } = open(disk)
    const bytes = disk.readWhole(FIRST)!
    const file = disk.open(FIRST, false)
    disk.write(file, [Uint8Array.of(bytes[RECORD_OVERHEAD_BYTES]! ^ 1)], RECORD_OVERHEAD_BYTES)
    expect(() => keeper.log.readFrame(0, Buffer.alloc(100), 0)).toThrow(Damaged)
  })
})

describe('a disk that fails', () => {
  test('full: the append is refused, what was there stays, and it goes on once there is room', () => {
    const disk = filled(['one'])
    const { keeper } = open(disk)
    disk.fails = { write: 'ENOSPC' }
    const writer = new FrameWriter(TIMELINE, 1, 3, keeper.log.chain)
    const frame = writer.frame('two')
    const header = readFrameHeader(frame, 0) as FrameHeader
    expect(() => keeper.log.append(header, frame)).toThrow(DiskFailed)
    expect(keeper.log).toMatchObject({ end: 3, flushed: 3, failure: undefined })
    disk.fails = {}
    keeper.log.append(header, frame)
    keeper.log.flush()
    disk.powerFailure()
    expect(content(open(disk).keeper)).toBe('onetwo')
  })

  test('a failed sync is final, even if a later one would succeed', () => {
    const disk = filled(['one'])
    const { keeper } = open(disk)
    append(keeper, new FrameWriter(TIMELINE, 1, 3, keeper.log.chain), 'two')
    disk.fails = { sync: 'EIO' }
    expect(() => keeper.log.flush()).toThrow(DiskFailed)
    disk.fails = {}
    expect(() => keeper.log.flush()).toThrow(DiskFailed)
    expect(() => append(keeper, new FrameWriter(TIMELINE, 1, 6), 'three')).toThrow(DiskFailed)
    expect(keeper.log.flushed).toBe(3)
  })

  test('a frame whose write failed, though it is there, is not part of the log of the next term', () => {
    const refused = (disk: MemoryDisk, keeper: Opened['keeper'], begin: number) => {
      const { write } = disk
      disk.write = (...writing) => {
        MemoryDisk.prototype.write.apply(disk, writing)
        throw new DiskFailed({ component: 'disk', value: '', problem: 'EIO', remedy: '' })
      }
      expect(() => append(keeper, new FrameWriter(TIMELINE, 1, begin, keeper.log.chain), 'refused')).toThrow(DiskFailed)
      disk.write = write
    }
    const payloads = ['x'.repeat(SMALL.segmentBytes), 'one']
    for (const count of [0, 1, 2]) {
      const text = payloads.slice(0, count).join('')
      const disk = filled(payloads.slice(0, count), SMALL)
      const { keeper } = open(disk, SMALL)
      refused(disk, keeper, text.length)
      // An election that finds nothing to cut.
      keeper.cut(text.length)
      disk.kill()
      expect(content(open(disk, SMALL).keeper)).toBe(text)
      disk.powerFailure()
      const again = open(disk, SMALL).keeper
      expect(content(again)).toBe(text)
      append(again, new FrameWriter(TIMELINE, 2, text.length, again.log.chain), 'two')
      again.log.flush()
      expect(content(open(disk, SMALL).keeper)).toBe(`${text}two`)
    }
  })

  test('a failed sync is noted on a disk that cannot be read either', () => {
    const disk = filled(['one'])
    const { keeper } = open(disk)
    append(keeper, new FrameWriter(TIMELINE, 1, 3, keeper.log.chain), 'two')
    disk.fails = { sync: 'EIO' }
    expect(() => keeper.log.flush()).toThrow(DiskFailed)
    const { readWhole } = disk
    disk.readWhole = (path) => {
      throw new DiskFailed({ component: 'disk', value: path, problem: 'EIO while reading', remedy: '' })
    }
    expect(noteFailedSync(disk, DIRECTORY)).toBe('')
    disk.readWhole = readWhole
    disk.fails = {}
    disk.kill()
    expect(open(disk).findings.join()).toContain('written again')
  })

  test('after a failed sync the last file is written again before it is believed', () => {
    const disk = filled(['one'])
    const { keeper } = open(disk)
    append(keeper, new FrameWriter(TIMELINE, 1, 3, keeper.log.chain), 'two')
    disk.fails = { sync: 'EIO' }
    expect(() => keeper.log.flush()).toThrow(DiskFailed)
    expect(noteFailedSync(disk, DIRECTORY)).toBe('')
    expect(noteFailedSync(disk, DIRECTORY)).toBe('')
    disk.fails = {}
    disk.kill()
    const again = open(disk)
    expect(again.findings.join()).toContain('written again')
    expect(content(again.keeper)).toBe('onetwo')
    disk.powerFailure()
    expect(content(open(disk).keeper)).toBe('onetwo')
  })
})

describe('cutting', () => {
  const payloads = Array.from({ length: 30 }, (_, at) => `payload ${at} `.repeat(9))
  const all = payloads.join('')

  test('to every position leaves exactly what was before it, durably', () => {
    for (let position = 0; position <= all.length; position += 37) {
      const disk = filled(payloads, SMALL)
      const { keeper } = open(disk, SMALL)
      keeper.cut(position)
      expect(content(keeper)).toBe(all.slice(0, position))
      disk.powerFailure()
      const again = open(disk, SMALL)
      expect(content(again.keeper)).toBe(all.slice(0, position))
      expect(again.keeper.log.chain).toBe(chainOver(Buffer.from(all.slice(0, position)), chainSeed(TIMELINE)))
      expect(again.findings).toEqual([])
    }
  })

  test('trims whole files below what is settled, but keeps the newest', () => {
    const disk = filled(payloads, SMALL)
    const { keeper } = open(disk, SMALL)
    expect(keeper.log.trim(500)).toBe(false)
    expect(keeper.log.trim(all.length)).toBe(true)
    const { position } = keeper.log.begin
    expect(position).toBeGreaterThan(0)
    expect(all.length - position).toBeGreaterThan(1_500)
    disk.powerFailure()
    const again = open(disk, SMALL)
    expect(content(again.keeper)).toBe(all.slice(position))
    expect(again.keeper.log.begin).toEqual(keeper.log.begin)
  })

  test('a trimmed log that is cut to its beginning still knows where that is', () => {
    const disk = filled(payloads, SMALL)
    const { keeper } = open(disk, SMALL)
    keeper.log.trim(all.length)
    const { begin } = keeper.log
    keeper.cut(begin.position)
    disk.powerFailure()
    const again = open(disk, SMALL).keeper
    expect(again.log).toMatchObject({ begin, end: begin.position, chain: begin.chain })
  })

  test('restarts elsewhere', () => {
    const disk = filled(payloads, SMALL)
    const { keeper } = open(disk, SMALL)
    keeper.restart(70_000, 12345)
    append(keeper, new FrameWriter(TIMELINE, 2, 70_000, 12345), 'new')
    keeper.log.flush()
    disk.powerFailure()
    const again = open(disk, SMALL).keeper
    expect(again.log.begin).toEqual({ position: 70_000, chain: 12345 })
    expect(content(again)).toBe('new')
  })
})

/** Makes the disk one that has caught up, so that becoming fresh can be seen. */
function trust(disk: MemoryDisk): void {
  const { keeper } = open(disk, SMALL)
  keeper.state.fresh = false
  keeper.save()
  keeper.log.close()
}

test('a frame is on disk as it was received', () => {
  const disk = new MemoryDisk()
  const { keeper } = open(disk)
  const frame = new FrameWriter(TIMELINE, 7).frame('payload')
  keeper.log.append(readFrameHeader(frame, 0) as FrameHeader, frame)
  const bytes = disk.readWhole(FIRST)!
  expect(bytes.subarray(RECORD_OVERHEAD_BYTES - FRAME_HEADER_BYTES)).toEqual(frame)
})
