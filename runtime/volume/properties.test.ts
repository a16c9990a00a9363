/**
 * What must hold for every use of a volume: it reads as a file system does, its log alone gives it back, a snapshot is the
 * fold of the log up to it, and a log cut anywhere is a crash image that Postgres may be given.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { FileClass } from './file-class.ts'
import { type Operation, operation, RandomUse } from './random-operations.ts'
import { Driver } from './testing.ts'

const runs = Number(process.env['VOLUME_PROPERTY_RUNS'] ?? 100)
const operations = fc.array(operation, { maxLength: 120, size: 'max' })
/** So small that pages are evicted, fetched and sealed for want of room all the time. */
const slotCount = fc.integer({ min: 8, max: 20 })

function property(name: string, check: (use: RandomUse, sequence: readonly Operation[]) => void): void {
  test(name, () => {
    fc.assert(
      fc.property(operations, slotCount, (sequence, slots) => {
        const use = new RandomUse(slots)
        check(use, sequence)
      }),
      { numRuns: runs, endOnFailure: process.env['VOLUME_PROPERTY_SHRINK'] === '0' },
    )
  })
}

property('a volume reads as a file system does', (use, sequence) => {
  for (const each of sequence) {
    use.perform(each)
    use.check()
  }
})

property('the log alone gives the volume back', (use, sequence) => {
  for (const each of sequence) use.perform(each)
  use.sealEverything(false)
  const { driver } = use
  expect(Driver.folded(driver.objects, driver.log.entries).image()).toEqual(driver.image())
  expect(driver.volume.dirtyPageCount).toBe(0)
})

property('a log cut anywhere is a legal crash image', (use, sequence) => {
  for (const each of sequence) use.perform(each)
  const { objects, log } = use.driver
  const image = Driver.folded(objects, [])
  for (const { entry, end } of log.entries) {
    image.apply(entry, end)
    for (const [ino, file] of use.everyFile) {
      const isThere = image.volume.node(ino) !== undefined
      // The first version's place is the creation; a local file has no place in the log at all.
      const shouldBe = file.fileClass !== FileClass.local && file.versions[0]!.logEnd <= end && end < file.removedAt
      if (isThere !== shouldBe) throw new Error(`inode ${ino} ${isThere ? 'exists' : 'is missing'} at ${end}`)
      const complaint = isThere ? file.complaint(image.content(ino), end) : undefined
      if (complaint !== undefined) throw new Error(`inode ${ino} at ${end}: ${complaint}`)
    }
  }
})

property('a snapshot is the fold of the log up to it', (use, sequence) => {
  for (const each of sequence) use.perform(each)
  const { objects, log } = use.driver
  const whole = Driver.folded(objects, log.entries).image()
  for (const { position, bytes } of use.tables) {
    const before = log.entries.filter(({ end }) => end <= position)
    expect(Driver.folded(objects, [], bytes).image()).toEqual(Driver.folded(objects, before).image())
    expect(Driver.folded(objects, log.entries, bytes).image()).toEqual(whole)
  }
})
