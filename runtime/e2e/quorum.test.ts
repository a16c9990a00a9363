/**
 * `--durability quorum`: a commit is acknowledged by the disks of most zones, and the object store lags behind. So what was
 * acknowledged must survive the loss of any one zone's process and of Postgres, though not that of all local disks.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectNothingLost, servingCompute } from './judge.ts'
import { Ledger } from './ledger.ts'
import { LochProcess, until } from './loch-process.ts'
import { skipReason } from './skip.ts'

const SESSIONS = 6

describe.skipIf(skipReason !== undefined)('commits acknowledged by a quorum survive', () => {
  let loch: LochProcess
  let ledger: Ledger

  beforeAll(async () => {
    loch = await LochProcess.create(['--durability', 'quorum'])
    await loch.start()
    ledger = new Ledger(loch.url)
    await ledger.prepare()
    ledger.start(SESSIONS)
    await ledger.moreCommits(200)
  })
  afterAll(() => loch.dispose())

  test('kill -9 of Postgres', async () => {
    const { postgresPid, durability } = servingCompute(loch)
    expect(durability).toBe('quorum')
    process.kill(postgresPid!, 'SIGKILL')
    await ledger.moreCommits(200)
    await expectNothingLost(ledger, loch)
  })

  test('kill -9 of the zone that runs the compute', async () => {
    ledger.start(SESSIONS)
    await ledger.moreCommits(200)
    const { zone, term } = servingCompute(loch)
    process.kill(loch.zonePid(zone), 'SIGKILL')
    await ledger.moreCommits(200)
    expect(servingCompute(loch).term).toBeGreaterThan(term)
    await until(() => loch.status().zones.every(({ state }) => state === 'up'))
    await expectNothingLost(ledger, loch)
  })

  test('kill -9 of everything at once, as long as the disks are there', async () => {
    ledger.start(SESSIONS)
    await ledger.moreCommits(200)
    await loch.killAll()
    await loch.start()
    await expectNothingLost(ledger, loch)
  })
})
