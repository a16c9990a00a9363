/**
 * kill -9 under load, on everything there is: Postgres, each zone, all at once, and then every local directory but the
 * object store. The judge is the client-side ledger: each acknowledged commit must be there afterwards, money must
 * add up, and amcheck must find nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectNothingLost, servingCompute } from './judge.ts'
import { checkIntegrity, Ledger, withClient } from './ledger.ts'
import { LochProcess, until } from './loch-process.ts'
import { skipReason } from './skip.ts'

const SESSIONS = 6

describe.skipIf(skipReason !== undefined)('acknowledged commits survive', () => {
  let loch: LochProcess
  let ledger: Ledger

  beforeAll(async () => {
    loch = await LochProcess.create()
    await loch.start()
    ledger = new Ledger(loch.url)
    await ledger.prepare()
  })
  afterAll(() => loch.dispose())

  /** Does it while every session is at work, which all of them must notice. */
  async function underLoad(cruelty: () => unknown): Promise<void> {
    ledger.start(SESSIONS)
    await ledger.moreCommits(200)
    const before = ledger.interruptions
    await cruelty()
    await until(() => ledger.interruptions >= before + SESSIONS)
  }

  test('kill -9 of Postgres', async () => {
    const before = servingCompute(loch)
    await underLoad(() => process.kill(before.postgresPid!, 'SIGKILL'))
    await ledger.moreCommits(200)
    // The mount and the reign survive: nothing was elected for this.
    expect(servingCompute(loch).term).toBe(before.term)
    await expectNothingLost(ledger, loch)
  })

  test('kill -9 of Postgres, and of its zone once it has recovered', async () => {
    const sql = (...texts: string[]) =>
      withClient(loch.url, async (client) => {
        for (const text of texts) await client.query(text)
      })
    const answers = () =>
      sql('select')
        .then(() => true)
        .catch(() => false)
    // With room in each page: new ones would be redone, and synced, whatever is found.
    await sql('create extension if not exists pg_buffercache')
    await sql('create table pages (id int, v int) with (fillfactor = 40)')
    await sql('insert into pages select i, 0 from generate_series(1, 20000) i', 'checkpoint')
    // Written to the volume, and never synced: redo finds these pages up to date. Postgres 18 syncs the relation all the same,
    // so it is fsyncs.test.ts that shows what holds if it does not.
    await sql('update pages set v = 1', 'select * from pg_buffercache_evict_all()')
    const before = servingCompute(loch)
    process.kill(before.postgresPid!, 'SIGKILL')
    await until(answers)
    expect(servingCompute(loch).term).toBe(before.term)
    process.kill(loch.zonePid(before.zone), 'SIGKILL')
    await until(() => servesUnderATermAbove(loch, before.term))
    await until(answers)
    const found = await withClient(loch.url, (client) => client.query('select count(*)::int, sum(v)::int from pages'))
    expect(found.rows).toEqual([{ count: 20000, sum: 20000 }])
    expect(await checkIntegrity(loch.url)).toBeGreaterThan(50)
  })

  test.each(['zone-1', 'zone-2', 'zone-3'])('kill -9 of %s', async (name) => {
    ledger.start(SESSIONS)
    await ledger.moreCommits(200)
    process.kill(loch.zonePid(name), 'SIGKILL')
    await ledger.moreCommits(200)
    await until(() => loch.status().zones.every(({ state }) => state === 'up'))
    await ledger.moreCommits(50)
    await expectNothingLost(ledger, loch)
  })

  test('kill -9 of everything at once', async () => {
    await underLoad(() => loch.killAll())
    await loch.start()
    await expectNothingLost(ledger, loch)
  })

  test('the loss of every local directory but the object store', async () => {
    await underLoad(() => loch.killAll())
    await ledger.stop()
    loch.loseLocalDisks()
    await loch.start(45_000)
    ledger.moveTo(loch.url)
    await expectNothingLost(ledger, loch)
  })
})

function servesUnderATermAbove(loch: LochProcess, term: number): boolean {
  const computes = loch.status().zones.flatMap((zone) => zone.computes)
  return computes.some((compute) => compute.state.startsWith('serving') && compute.term > term)
}
