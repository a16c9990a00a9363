import { expect, test } from 'vitest'
import { DiskFailed } from '../../runtime/errors.ts'
import { noteFailedSync, openDisk } from '../../runtime/safekeeper/disk-open.ts'
import { Keeper } from '../../runtime/safekeeper/keeper.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import { append, content, DIRECTORY, SMALL } from '../../runtime/safekeeper/testing-disk.ts'
import type { Kernel, Process } from '../kernel/kernel.ts'
import { SimDisk } from './sim-disk.ts'
import { kernelOf, processOf } from './testing.ts'

const OPERATIONS = ['append', 'append', 'append', 'flush', 'prepare', 'cut', 'kill', 'crash', 'fail', 'full'] as const

/** A safekeeper's log on a simulated disk, and what must be in it. */
class LogOnDisk {
  readonly kernel: Kernel
  readonly disk: SimDisk
  #process: Process = processOf('zone-1')
  #keeper: Keeper
  /** All that was appended; what is flushed of it may not be lost. */
  #bytes = ''
  #flushed = 0
  #letters = 0
  failedSyncs = 0
  lost = 0

  constructor(seed: number) {
    this.kernel = kernelOf(seed)
    this.disk = new SimDisk(this.kernel)
    this.#keeper = this.#open()
  }

  step(): void {
    const operation = this.kernel.draws.pick('test.operation', OPERATIONS)
    try {
      this.#do(operation)
      this.#flushed = Math.max(this.#flushed, this.#keeper.log.flushed)
    } catch (error) {
      if (!(error instanceof DiskFailed)) throw error
      this.#giveUp()
    }
    this.disk.isFull = false
    this.disk.syncsToFail = 0
  }

  #do(operation: (typeof OPERATIONS)[number]): void {
    const { log } = this.#keeper
    switch (operation) {
      case 'fail':
      case 'full':
        if (operation === 'fail') this.disk.failNextSync()
        else this.disk.isFull = true
        this.#append()
        log.flush()
        return
      case 'append':
        this.#append()
        return
      case 'flush':
        log.flush()
        return
      case 'prepare':
        log.prepare()
        return
      case 'cut': {
        log.flush()
        const position = this.kernel.draws.between('test.cut', 0, log.end)
        this.#flushed = Math.min(this.#flushed, position)
        this.#keeper.cut(position)
        this.#bytes = this.#bytes.slice(0, position)
        return
      }
      case 'kill':
      case 'crash':
        this.#restart(operation === 'crash')
    }
  }

  #append(): void {
    const length = this.kernel.draws.between('test.length', 1, 400)
    const payload = String.fromCharCode(97 + (this.#letters++ % 26)).repeat(length)
    const { end, chain } = this.#keeper.log
    append(this.#keeper, new FrameWriter(TIMELINE, 1, end, chain), payload)
    this.#bytes += payload
  }

  /** As a safekeeper does when its disk fails. */
  #giveUp(): void {
    this.disk.isFull = false
    if (this.#keeper.log.failure) {
      this.failedSyncs++
      expect(noteFailedSync(this.disk.files(this.#process), DIRECTORY)).toBe('')
    }
    this.#restart(this.kernel.draws.chance('test.crash', 0.5))
  }

  #restart(isCrash: boolean): void {
    this.#process.isAlive = false
    if (isCrash) this.disk.crash()
    this.#process = processOf('zone-1')
    this.#keeper = this.#open()
    const { log } = this.#keeper
    expect(log.end).toBeGreaterThanOrEqual(this.#flushed)
    if (log.end < this.#bytes.length) this.lost++
    expect(content(this.#keeper)).toBe(this.#bytes.slice(0, log.end))
    this.#bytes = this.#bytes.slice(0, log.end)
    this.#flushed = log.flushed
  }

  #open(): Keeper {
    const files = this.disk.files(this.#process)
    const opened = openDisk(files, DIRECTORY, TIMELINE, () => 'disk-1', SMALL)
    expect(opened.damage).toBeUndefined()
    return new Keeper(files, DIRECTORY, 'zone-1', 'zone-1-1', opened)
  }
}

test("a safekeeper's log keeps on this disk what it has flushed, whatever happens", () => {
  let [failedSyncs, lost] = [0, 0]
  for (let seed = 0; seed < 60; seed++) {
    const log = new LogOnDisk(seed)
    for (let count = 0; count < 60; count++) log.step()
    failedSyncs += log.failedSyncs
    lost += log.lost
  }
  // And the disk was no easy one.
  expect(failedSyncs).toBeGreaterThan(50)
  expect(lost).toBeGreaterThan(50)
})
