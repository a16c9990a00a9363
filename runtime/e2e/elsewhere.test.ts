/**
 * The same Loch on an object store over S3 and on a NATS of one's own, given by flags and variables, as the README says. The
 * store is slow, as S3 is, and fails now and then; nothing acknowledged may be lost, and a start on a host that has never
 * seen the data must find it.
 */
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Scope from 'effect/Scope'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LocalBroker, openBroker } from '../bus/spawn.ts'
import { S3Server, TEST_CREDENTIALS } from '../object-store/testing/s3-server.ts'
import { run } from '../system/run.ts'
import { checkIntegrity, Ledger, withClient } from './ledger.ts'
import { LochProcess } from './loch-process.ts'
import { skipReason } from './skip.ts'

const PUT_LATENCY_MS = 15
const NATS_PASSWORD = 'a-word-of-nats'

describe.skipIf(skipReason !== undefined)('on S3 and a NATS of one’s own', () => {
  let s3: S3Server
  let scope: Scope.Closeable
  let broker: LocalBroker
  let loch: LochProcess
  let ledger: Ledger
  let flags: readonly string[]
  let env: Readonly<Record<string, string>>

  beforeAll(async () => {
    s3 = await S3Server.start()
    s3.latencyMs = (method) => (method === 'PUT' ? PUT_LATENCY_MS : 2)
    scope = Effect.runSync(Scope.make())
    const credentials = { kind: 'password', user: 'me', password: NATS_PASSWORD } as const
    broker = await run(Effect.provideService(openBroker({ credentials }), Scope.Scope, scope))
    flags = ['--object-store', 's3://loch/some/prefix']
    env = {
      LOCH_NATS_URL: broker.url,
      AWS_ENDPOINT_URL: s3.url,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: TEST_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: TEST_CREDENTIALS.secretAccessKey,
    }
    loch = await LochProcess.create(flags, env)
    await loch.start()
  })
  afterAll(async () => {
    await loch.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await s3.stop()
  })

  test('commits are objects in the bucket, below the prefix', async () => {
    ledger = new Ledger(loch.url)
    await ledger.prepare()
    ledger.start(4)
    await ledger.moreCommits(100)
    await ledger.stop()
    expect(loch.ready?.nats).toBe(broker.url)
    const puts = s3.requests.filter((request) => request.startsWith('PUT /loch/some/prefix/timelines/main/log/'))
    expect(puts.length).toBeGreaterThan(10)
  })

  test('no process has a password among its arguments, which everybody can read', () => {
    const commands = loch.processes().map(({ command }) => command)
    expect(commands.length).toBeGreaterThan(4)
    for (const secret of [NATS_PASSWORD, new URL(loch.url).password]) expect(commands.join('\n')).not.toContain(secret)
  })

  test('a store that refuses and loses answers costs time and no commit', async () => {
    ledger.start(4)
    await ledger.moreCommits(20)
    s3.faults.inject(
      { kind: 'slow-down', times: 10 },
      { kind: 'reset-after-apply', method: 'PUT', times: 10 },
      { kind: 'precondition-failed-after-apply', method: 'PUT', times: 5 },
    )
    await ledger.moreCommits(100)
    expect(s3.faults.left).toBe(0)
    await ledger.stop()
    const report = await ledger.compare()
    expect(report).toMatchObject({ missing: [], invented: 0, sum: report.expectedSum })
  })

  test('another host that has nothing finds every acknowledged commit', async () => {
    ledger.start(4)
    await ledger.moreCommits(50)
    await loch.killAll()
    await ledger.stop()
    const stranger = await LochProcess.create(flags, env)
    try {
      await stranger.start()
      const report = await ledger.compare(stranger.url)
      expect(report).toMatchObject({ missing: [], invented: 0, sum: report.expectedSum })
      expect(await checkIntegrity(stranger.url)).toBeGreaterThan(50)
      await withClient(stranger.url, (client) => client.query('create table written_elsewhere (n int)'))
    } finally {
      await stranger.dispose()
    }
  })
})
