/** What only the S3 store has to cope with: answers that get lost, services that refuse, and services that lie. */
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Fiber from 'effect/Fiber'
import * as Scope from 'effect/Scope'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { describe as describeError, type LochError } from '../errors.ts'
import { failure, run } from './contract.ts'
import type { ObjectStoreShape } from './object-store.ts'
import { probe } from './probe.ts'
import { openS3Store, type S3StoreOptions } from './s3.ts'
import { backoffMs, RETRY_POLICY } from './s3-retry.ts'
import type { S3FaultKind } from './testing/s3-faults.ts'
import { S3Server, TEST_CREDENTIALS } from './testing/s3-server.ts'

const REQUEST_TIMEOUT_MS = 150

let server: S3Server
let scope: Scope.Closeable
let store: ObjectStoreShape
/** Backoffs so far; none is waited for. */
let slept: number[]

beforeEach(async () => {
  server = await S3Server.start()
  scope = Effect.runSync(Scope.make())
  slept = []
  store = await open()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await server.stop()
})

function open(options: Partial<S3StoreOptions> = {}): Promise<ObjectStoreShape> {
  const retry = {
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    random: () => 0.5,
    sleep: (ms: number) => Effect.sync(() => void slept.push(ms)),
  }
  const settings = { bucket: 'loch', prefix: '', endpoint: server.url, credentials: TEST_CREDENTIALS, retry }
  return Effect.runPromise(Scope.provide(openS3Store({ ...settings, ...options }), scope))
}

const text = async (key: string) => Buffer.from(await run(store.read(key))).toString()
const methods = () => server.requests.map((request) => request.split(' ')[0])
const body = (content: string) => [Buffer.from(content)]

const EVERY_FAULT: Record<S3FaultKind, 'not applied' | 'applied'> = {
  conflict: 'not applied',
  'slow-down': 'not applied',
  'internal-error': 'not applied',
  'bad-gateway': 'not applied',
  'timeout-before-apply': 'not applied',
  'reset-before-apply': 'not applied',
  'precondition-failed-after-apply': 'applied',
  'gateway-timeout-after-apply': 'applied',
  'timeout-after-apply': 'applied',
  'reset-after-apply': 'applied',
  'half-body': 'applied',
}
const FAULTS = Object.entries(EVERY_FAULT) as ReadonlyArray<[S3FaultKind, string]>
/** Those that can befall any request. */
const ANY_REQUEST = FAULTS.map(([kind]) => kind).filter(
  (kind) => kind !== 'conflict' && kind !== 'precondition-failed-after-apply',
)

describe('a creation', () => {
  test.each(FAULTS)('that meets %s, %s, is still told that it created the object', async (kind, effect) => {
    server.faults.inject({ kind, method: 'PUT' })
    expect(await run(store.create('k', body('mine')))).toBe('created')
    expect(await text('k')).toBe('mine')
    expect(server.faults.left).toBe(0)
    // One that was applied is recognised by a look at the object, not by a second success.
    expect(methods().includes('HEAD')).toBe(effect === 'applied')
  })

  test.each(FAULTS)('of a name that a rival has, meeting %s, is told that it exists', async (kind) => {
    const rival = await open()
    await run(rival.create('k', body('theirs')))
    server.faults.inject({ kind, method: 'PUT' })
    expect(await run(store.create('k', body('mine')))).toBe('exists')
    expect(await text('k')).toBe('theirs')
  })

  test('that meets one fault after another gets through', async () => {
    server.faults.inject(
      { kind: 'slow-down', method: 'PUT', times: 2 },
      { kind: 'reset-before-apply', method: 'PUT' },
      { kind: 'timeout-after-apply', method: 'PUT' },
      { kind: 'internal-error', method: 'HEAD' },
    )
    expect(await run(store.create('k', body('mine')))).toBe('created')
    expect(server.requests).toHaveLength(7)
  })

  test('loses to a rival that came in before its second attempt', async () => {
    const rival = await open()
    const sleep = () => Effect.asVoid(Effect.orDie(rival.create('k', body('theirs'))))
    const late = await open({ retry: { sleep } })
    server.faults.inject({ kind: 'conflict', method: 'PUT' })
    expect(await run(late.create('k', body('mine')))).toBe('exists')
    expect(await text('k')).toBe('theirs')
  })

  test('is told apart from an earlier one of the same store with the same bytes', async () => {
    await run(store.create('k', body('same')))
    server.faults.inject({ kind: 'timeout-before-apply', method: 'PUT' })
    expect(await run(store.create('k', body('same')))).toBe('exists')
  })

  test('is recognised by its bytes where the store drops metadata', async () => {
    server.dropsMetadata = true
    server.faults.inject({ kind: 'timeout-after-apply', method: 'PUT', times: 1 })
    expect(await run(store.create('k', body('mine')))).toBe('created')
    expect(await run(store.create('k', body('nine')))).toBe('exists')
    expect(await run(store.create('k', body('longer')))).toBe('exists')
  })

  test('gives up after a bounded number of tries, and says where the store is', async () => {
    server.faults.inject({ kind: 'slow-down', times: 1_000 })
    const error = await failure(store.create('k', body('x')))
    expect(error).toMatchObject({ _tag: 'StoreUnavailable', problem: expect.stringContaining('SlowDown') })
    expect(describeError(error as LochError)).toContain(server.url)
    expect(server.requests).toHaveLength(RETRY_POLICY.attemptsMax)
    expect(slept).toEqual([25, 50, 100, 200, 400, 800])
  })
})

describe('every other operation', () => {
  beforeEach(async () => {
    await run(store.create('k', body('0123456789')))
  })

  test.each(ANY_REQUEST)('gets through %s', async (kind) => {
    server.faults.inject({ kind, method: 'GET', about: '/k' })
    expect(await text('k')).toBe('0123456789')
    server.faults.inject({ kind, method: 'GET', about: '/k' })
    expect(Buffer.from(await run(store.read('k', { offset: 2, length: 3 }))).toString()).toBe('234')
    server.faults.inject({ kind, method: 'HEAD' })
    expect(await run(store.size('k'))).toBe(10)
    server.faults.inject({ kind, method: 'GET', about: 'list-type' })
    expect(await run(store.list(''))).toEqual([{ key: 'k', size: 10 }])
    server.faults.inject({ kind, method: 'DELETE' })
    await run(store.remove('k'))
    expect(server.faults.left).toBe(0)
    expect(await failure(store.read('k'))).toMatchObject({ _tag: 'ObjectMissing' })
  })

  test('stops when its effect is interrupted', async () => {
    server.faults.inject({ kind: 'timeout-before-apply', times: 1_000 })
    const waiting = await open({ retry: { requestTimeoutMs: 600_000 } })
    const before = await server.connections()
    const fiber = Effect.runFork(waiting.read('k'))
    await vi.waitFor(() => expect(methods()).toContain('GET'), { timeout: 20_000 })
    await Effect.runPromise(Fiber.interrupt(fiber))
    await vi.waitFor(async () => expect(await server.connections()).toBe(before), { timeout: 20_000 })
    expect(methods().filter((method) => method === 'GET')).toHaveLength(1)
  })
})

describe('a store that cannot be used', () => {
  const everything = (unfit: ObjectStoreShape): ReadonlyArray<Effect.Effect<unknown, LochError>> => [
    unfit.create('k', body('x')),
    unfit.read('k'),
    unfit.list(''),
    unfit.remove('k'),
  ]

  test('for wrong credentials says so at once', async () => {
    const unfit = await open({ credentials: { accessKeyId: 'somebody', secretAccessKey: 'else' } })
    for (const operation of [...everything(unfit), unfit.size('k')]) {
      const error = await failure(operation)
      expect(error).toMatchObject({ _tag: 'StoreRefused', value: `bucket loch at ${server.url}` })
    }
    expect(server.requests).toHaveLength(5)
    const error = await failure(unfit.list(''))
    expect(error).toMatchObject({ problem: expect.stringContaining('InvalidAccessKeyId') })
    expect(error).toMatchObject({ remedy: expect.stringContaining('AWS_ACCESS_KEY_ID') })
  })

  test('for a missing bucket names it', async () => {
    const unfit = await open({ bucket: 'nowhere' })
    for (const operation of everything(unfit)) {
      const error = await failure(operation)
      expect(error).toMatchObject({ _tag: 'StoreRefused', problem: expect.stringContaining('NoSuchBucket') })
      expect(error).toMatchObject({ remedy: `Create the bucket nowhere at ${server.url}, or name another one.` })
    }
  })

  test('for an endpoint where nobody listens names it and the reason', async () => {
    const gone = await S3Server.start()
    const endpoint = gone.url
    await gone.stop()
    const unfit = await open({ endpoint })
    for (const operation of everything(unfit)) {
      const error = await failure(operation)
      expect(error).toMatchObject({ _tag: 'StoreUnavailable', value: `bucket loch at ${endpoint}` })
      expect(error).toMatchObject({ problem: expect.stringContaining('ECONNREFUSED') })
    }
  })

  test('for an endpoint whose name does not exist names it', async () => {
    const unfit = await open({ endpoint: 'http://store.invalid' })
    const error = await failure(unfit.create('k', body('x')))
    expect(error).toMatchObject({ _tag: 'StoreUnavailable', problem: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) })
  })

  test('for want of a region or of credentials says which variables to set', async () => {
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_ENDPOINT_URL', 'AWS_PROFILE', 'AWS_ACCESS_KEY_ID']) {
      vi.stubEnv(name, undefined)
    }
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/dev/null')
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    const options = { bucket: 'loch', prefix: '' }
    const nowhere = await Effect.runPromise(
      Scope.provide(openS3Store({ ...options, credentials: TEST_CREDENTIALS }), scope),
    )
    expect(await failure(nowhere.list(''))).toMatchObject({
      _tag: 'StoreRefused',
      value: 'bucket loch at AWS',
      remedy: expect.stringContaining('AWS_REGION'),
    })
    const nobody = await Effect.runPromise(Scope.provide(openS3Store({ ...options, endpoint: server.url }), scope))
    expect(await failure(nobody.list(''))).toMatchObject({
      _tag: 'StoreRefused',
      remedy: expect.stringContaining('AWS_ACCESS_KEY_ID'),
    })
    expect(server.requests).toEqual([])
  })

  test('for it ignores conditions is refused by the probe, which says so', async () => {
    server.ignoresConditions = true
    const error = await failure(probe(store))
    expect(error).toMatchObject({ _tag: 'StoreRefused', problem: expect.stringContaining('ignores conditions') })
    expect(await run(store.list(''))).toEqual([])
  })

  test('is not what a probe takes a passing fault for', async () => {
    server.faults.inject({ kind: 'timeout-after-apply', method: 'PUT' }, { kind: 'slow-down', times: 3 })
    await run(probe(store))
  })
})

test('what others keep in the bucket under names that no key can have is not listed', async () => {
  for (const key of ['a b', 'ok', '~x', 'folder/']) server.buckets.get('loch')?.put(key, Buffer.from('x'), {}, 0)
  expect(await run(store.list(''))).toEqual([{ key: 'ok', size: 1 }])
})

describe('backoff', () => {
  test('doubles its bound up to a limit and draws below it', () => {
    const policy = { ...RETRY_POLICY, random: () => 0.999 }
    const bounds = [1, 2, 3, 7, 50].map((tried) => Math.round(backoffMs(tried, policy) / 0.999))
    expect(bounds).toEqual([50, 100, 200, 3_000, 3_000])
    expect(backoffMs(50, { ...policy, random: () => 0 })).toBe(0)
  })
})
