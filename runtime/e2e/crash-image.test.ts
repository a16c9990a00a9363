/**
 * On real Postgres: every durable prefix of the log is a legal crash image. While clients write, copies of
 * the object store are taken at random moments and cut back to a random place at or after what was acknowledged by then.
 * A second Loch that has nothing but such a copy must recover every one of those commits, and amcheck must be content.
 */
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkIntegrity, Ledger, type LedgerCopy, withClient } from './ledger.ts'
import { LochProcess } from './loch-process.ts'
import { skipReason } from './skip.ts'

const IMAGES = 4
const SESSIONS = 6
/** Printed with a failure, so that the same moments and cuts can be tried again. */
const SEED = Number(process.env['LOCH_TEST_SEED'] ?? Date.now() % 1_000_000)

describe.skipIf(skipReason !== undefined)(`crash images (LOCH_TEST_SEED=${SEED})`, () => {
  let loch: LochProcess
  let ledger: Ledger
  const images: Array<{ readonly loch: LochProcess; readonly acknowledged: LedgerCopy }> = []
  const random = randomOf(SEED)

  beforeAll(async () => {
    loch = await LochProcess.create()
    await loch.start()
    ledger = new Ledger(loch.url)
    await ledger.prepare()
    ledger.start(SESSIONS)
    for (let index = 0; index < IMAGES; index++) {
      await ledger.moreCommits(50 + Math.floor(random() * 400))
      // Checkpoints make pages fly while the image is taken.
      if (random() < 0.7) void withClient(loch.url, (client) => client.query('checkpoint')).catch(() => {})
      images.push(await takeImage())
    }
    await ledger.stop()
    await loch.stop()
  })
  afterAll(async () => {
    await loch.dispose()
    for (const image of images) await image.loch.dispose()
  })

  /** What was acknowledged before the listing must be in what the listing names; anything after may be cut off. */
  async function takeImage() {
    const acknowledged = ledger.copy()
    const log = join('timelines', 'main', 'log')
    const durable = new Set(readdirSync(join(loch.data, 'objects', log)))
    await ledger.moreCommits(20)
    const copy = await LochProcess.create()
    mkdirSync(join(copy.data, 'objects'), { recursive: true })
    cpSync(join(loch.data, 'objects'), join(copy.data, 'objects'), { recursive: true })
    const later = readdirSync(join(copy.data, 'objects', log))
      .filter((name) => !durable.has(name))
      .sort()
    const kept = Math.floor(random() * (later.length + 1))
    for (const name of later.slice(kept)) rmSync(join(copy.data, 'objects', log, name))
    return { loch: copy, acknowledged }
  }

  test.each(Array.from({ length: IMAGES }, (_, index) => index))('image %i recovers', async (index) => {
    const image = images[index]!
    await image.loch.start()
    const report = await ledger.compare(image.loch.url, image.acknowledged)
    expect(report).toMatchObject({ missing: [], invented: 0, sum: report.expectedSum })
    expect(await checkIntegrity(image.loch.url)).toBeGreaterThan(50)
    await image.loch.stop()
  })
})

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = state
    value = Math.imul(value ^ (value >>> 15), value | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
