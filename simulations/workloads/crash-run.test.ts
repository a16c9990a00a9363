import { crc32 } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { MISTAKES, type Mistake } from '../postgres/settings.ts'
import { CrashRun, type CrashRunOptions, FAULTS } from './crash-run.ts'

beforeAll(() => {
  useChecksum((bytes, before) => crc32(bytes, before))
})

const SEEDS = 24
const SEEDS_PER_MISTAKE_MAX = 30

/** Few pages in memory, checkpoints and rounds of the background writer without end. */
const BUSY: Omit<CrashRunOptions, 'seed'> = {
  durationMs: 15_000,
  faultMeanMs: 1_000,
  fsyncMeanMs: 2,
  faults: [...FAULTS, 'power', 'power'],
  settings: {
    bufferPages: 4,
    checkpointIntervalMs: 1_500,
    checkpointWalBytes: 6_000,
    backgroundWriterIntervalMs: 300,
    rewriteIntervalMs: 1_000,
  },
  plan: { thinkMeanMs: 40, keys: 80 },
}

/** Crashes fall between the write and the fsync more often than not. */
const HASTY: Omit<CrashRunOptions, 'seed'> = {
  ...BUSY,
  durationMs: 10_000,
  faultMeanMs: 400,
  fsyncMeanMs: 10,
  faults: ['power'],
  settings: { ...BUSY.settings, backgroundWriterIntervalMs: 20, backgroundWriterShare: 1, rewriteIntervalMs: 200 },
  plan: { thinkMeanMs: 5, keys: 80 },
}

async function runOf(options: CrashRunOptions): Promise<CrashRun> {
  const run = new CrashRun(options)
  await run.run()
  return run
}

describe('a server whose host crashes', () => {
  test.each([
    ['busy', BUSY],
    ['hasty', HASTY],
  ])('keeps what it acknowledged, with every seed (%s)', async (_, options) => {
    const totals = { starts: 0, panics: 0, writes: 0, lost: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { ledger, counts } = await runOf({ ...options, seed })
      expect(ledger.violations, `seed ${seed}`).toEqual([])
      totals.starts += counts['served'] ?? 0
      totals.panics += counts['exit 134'] ?? 0
      totals.writes += ledger.counts.acknowledgedWrites
      totals.lost += ledger.counts.lost
    }
    expect(totals.starts).toBeGreaterThan(5 * SEEDS)
    expect(totals.writes).toBeGreaterThan(150 * SEEDS)
    expect(totals.lost).toBeGreaterThan(SEEDS)
    if (options === BUSY) expect(totals.panics).toBeGreaterThan(SEEDS / 2)
  })

  test('runs alike from the same seed', async () => {
    const [one, other] = [await runOf({ ...BUSY, seed: 5 }), await runOf({ ...BUSY, seed: 5 })]
    expect([other.kernel.steps, other.ledger.counts, other.counts]).toEqual([
      one.kernel.steps,
      one.ledger.counts,
      one.counts,
    ])
  })
})

describe('the ledger notices a server that', () => {
  test.each(MISTAKES.map((mistake) => [mistake]))('makes the mistake %s', async (mistake: Mistake) => {
    for (let seed = 1; seed <= SEEDS_PER_MISTAKE_MAX; seed++) {
      const settings = { ...HASTY.settings, mistakes: [mistake] }
      const { ledger } = await runOf({ ...HASTY, seed, settings })
      if (ledger.violations.length > 0) return
    }
    expect.fail(`${mistake} went unnoticed in ${SEEDS_PER_MISTAKE_MAX} runs`)
  })

  test('trusts WAL that an earlier server wrote and never fsynced', async () => {
    const settings = { ...HASTY.settings, recoveryInitSyncMethod: 'syncfs' as const }
    for (let seed = 1; seed <= SEEDS_PER_MISTAKE_MAX; seed++) {
      const { ledger } = await runOf({ ...HASTY, seed, faultMeanMs: 200, faults: ['power', 'kill'], settings })
      if (ledger.violations.length > 0) return
    }
    expect.fail('it went unnoticed')
  })
})
