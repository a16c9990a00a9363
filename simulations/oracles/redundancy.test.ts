import { beforeEach, expect, test } from 'vitest'
import { openDisk } from '../../runtime/safekeeper/disk-open.ts'
import { Keeper } from '../../runtime/safekeeper/keeper.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import { append, DIRECTORY, SMALL } from '../../runtime/safekeeper/testing-disk.ts'
import { rot } from '../faults/rot.ts'
import { SeededDraws } from '../kernel/draws.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { SimDisk } from '../world/sim-disk.ts'
import { kernelOf, processOf } from '../world/testing.ts'
import { ArchiveIndex } from './archive-index.ts'
import { CommittedLog } from './committed-log.ts'
import { Promises } from './promises.ts'
import { awaitCopies, COPIES_MS_MAX } from './redundancy.ts'

let kernel: Kernel
let disk: SimDisk
let keeper: Keeper
let writer: FrameWriter

beforeEach(() => {
  kernel = kernelOf(1)
  disk = new SimDisk(kernel, { evictShare: 0 })
  keeper = open()
  writer = new FrameWriter(TIMELINE, 1)
})

function open(): Keeper {
  const files = disk.files(processOf('zone-1'))
  const opened = openDisk(files, DIRECTORY, TIMELINE, () => 'disk-1', SMALL)
  return new Keeper(files, DIRECTORY, 'zone-1', 'zone-1-1', opened)
}

function oracle() {
  const violated = (words: string) => expect.unreachable(words)
  const log = new CommittedLog({ nowMs: () => 0, violated })
  const archive = new ArchiveIndex(TIMELINE)
  const promises = new Promises({ directory: DIRECTORY, log, archive, violated })
  promises.opened('zone-1', disk)
  const history = [{ term: 1, begin: 0 }]
  const chain = new FrameWriter(TIMELINE, 1).chain
  log.opened({ term: 1, compute: 'a', history, lastTerm: 0, position: 0, chain, fromSnapshot: false })
  append(keeper, writer, 'x'.repeat(300))
  log.durable(1, 300, writer.chain)
  return { promises, log, archive }
}

test('a copy that comes in time is waited for', async () => {
  const ports = oracle()
  kernel.after(processOf('zone-1'), COPIES_MS_MAX / 2, () => keeper.log.flush())
  await awaitCopies({ kernel }, ports)
})

test('a copy that never comes is missed', async () => {
  const ports = oracle()
  await expect(awaitCopies({ kernel }, ports)).rejects.toMatchObject({
    words: expect.stringMatching(/^redundancy: .* zone-1 do not hold the log up to 300$/),
  })
})

test('a bit that flips is one of those that had been flushed, so that the disk is known for damaged', () => {
  for (let count = 0; count < 6; count++) {
    append(keeper, writer, 'x'.repeat(100))
    keeper.flush()
  }
  keeper.remember({ term: 1, hadDisk: true })
  expect(open().state.fresh).toBe(true)
  disk.crash()
  rot(disk, DIRECTORY, new SeededDraws(3))
  expect(disk.flips).toBe(1)
  const files = disk.files(processOf('zone-1'))
  expect(openDisk(files, DIRECTORY, TIMELINE, () => 'disk-1', SMALL).damage).toContain('is damaged from position')
})
