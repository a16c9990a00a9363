import * as Effect from 'effect/Effect'
import { afterAll, describe, expect, test } from 'vitest'
import { describeContract } from '../../runtime/object-store/contract.ts'
import type { ObjectStoreShape } from '../../runtime/object-store/object-store.ts'
import { drawS3Settings, type S3Settings } from './s3-settings.ts'
import { SimBucket } from './sim-s3.ts'
import { kernelOf, pass, processOf, runInBackground, start } from './testing.ts'

const body = (text: string) => [Buffer.from(text)]
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()

const ends: Array<() => Promise<void>> = []
afterAll(() => Promise.all(ends.map((end) => end())))

/** With the right to be as slow and faulty as S3 may be; a late deletion would take what the suite makes anew. */
const HARSH: Partial<S3Settings> = { errorShare: 0.05, lostAnswerShare: 0.01, lateMeanMs: 0, truncatedShare: 0.05 }

for (const [name, settings] of [
  ['a simulated S3', {}],
  ['a simulated S3 with faults', HARSH],
] as const) {
  describeContract(name, () => {
    const kernel = kernelOf(1)
    const bucket = new SimBucket(kernel, settings)
    ends.push(runInBackground(kernel))
    let writers = 0
    const open = () => Promise.resolve(bucket.openStore(processOf('zone-1'), { writer: `w${writers++}` }))
    return Promise.resolve({ open, close: () => Promise.resolve() })
  })
}

function world(seed: number, settings: Partial<S3Settings> = {}) {
  const kernel = kernelOf(seed)
  const bucket = new SimBucket(kernel, settings)
  const process = processOf('zone-1')
  const store = bucket.openStore(process, { writer: 'w1' })
  const rival = bucket.openStore(processOf('zone-2'), { writer: 'w2' })
  return { kernel, bucket, process, store, rival, pass: (ms: number) => pass(kernel, ms) }
}

/** Two create one key at once, many times, in a bad world; returns what they were told, and who wrote what is there. */
async function race(seed: number, settings: Partial<S3Settings>) {
  const { store, rival, bucket, pass } = world(seed, settings)
  const told = [start(store.create('k', body('one'))), start(rival.create('k', body('two')))]
  await pass(120_000)
  return { told: told.map(({ exit }) => (exit?._tag === 'Success' ? exit.value : exit?._tag)), bucket }
}

const BAD: Partial<S3Settings> = { errorShare: 0.2, lostAnswerShare: 0.2, conflictShare: 0.5 }

describe('creations', () => {
  test('of one name have one winner, who is the one that is there, whatever gets lost', async () => {
    const outcomes = new Set<string>()
    const met = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const { told, bucket } = await race(seed, BAD)
      const there = text(bucket.objects.get('k'))
      if (told[0] === 'created') expect(there).toBe('one')
      if (told[1] === 'created') expect(there).toBe('two')
      if (told.includes('exists')) expect(there).toBeDefined()
      expect(told[0] === 'created' && told[1] === 'created').toBe(false)
      outcomes.add(told.join())
      for (const [fault, times] of Object.entries(bucket.met)) if (times > 0) met.add(fault)
    }
    expect([...met].sort()).toEqual(['conflict', 'internal-error', 'reset', 'slow-down', 'stuck'])
    expect(outcomes).toContain('created,exists')
    expect(outcomes).toContain('exists,created')
  })

  test('are the same for the same seed', async () => {
    const runs = await Promise.all([7, 7].map((seed) => race(seed, BAD)))
    expect(runs[0]!.told).toEqual(runs[1]!.told)
  })

  test('may be carried out after their client gave up, and after another of its attempts', async () => {
    let late = 0
    for (let seed = 0; seed < 100; seed++) {
      const { store, bucket, pass, kernel } = world(seed, { lostAnswerShare: 1, lateMeanMs: 60_000, appliedShare: 0.1 })
      const created = start(store.create('k', body('x')))
      while (created.exit === undefined) await pass(1_000)
      expect(created.exit).toMatchObject({ _tag: 'Failure' })
      const wasThere = bucket.objects.has('k')
      await kernel.run(kernel.nowMs + 120_000)
      if (!wasThere && bucket.objects.has('k')) late++
    }
    expect(late).toBeGreaterThan(0)
  })

  test('keep the bytes that they were given', async () => {
    const { store, bucket, pass } = world(1)
    const bytes = Buffer.from('mine')
    const created = start(store.create('k', [bytes]))
    await pass(1)
    bytes.fill('.')
    await pass(1_000)
    expect(created.exit).toMatchObject({ value: 'created' })
    expect(text(bucket.objects.get('k'))).toBe('mine')
  })

  test('of a process that was killed happen or not', async () => {
    const happened = new Set<boolean>()
    for (let seed = 0; seed < 20; seed++) {
      const { store, bucket, process, pass } = world(seed)
      const created = start(store.create('k', body('x')))
      await pass(0)
      process.isAlive = false
      await pass(60_000)
      expect(created.exit).toBeUndefined()
      happened.add(bucket.objects.has('k'))
    }
    expect(happened.size).toBe(2)
  })
})

test('settings differ between seeds, and not each has every fault', () => {
  const drawn = Array.from({ length: 20 }, (_, seed) => drawS3Settings(kernelOf(seed).draws))
  expect(new Set(drawn.map(({ errorShare }) => errorShare)).size).toBeGreaterThan(5)
  expect(drawn.some(({ errorShare, lostAnswerShare }) => errorShare === 0 && lostAnswerShare > 0)).toBe(true)
  expect(new Set(drawn.map(({ bytesPerMs }) => bytesPerMs))).toEqual(new Set([50_000, 5_000, 500]))
  expect(drawn.some(({ throttleShare }) => throttleShare === 0)).toBe(true)
  expect(drawn.some(({ throttleShare }) => throttleShare > 0)).toBe(true)
  expect(drawS3Settings(kernelOf(3).draws)).toEqual(drawn[3])
})

test('a new kind of answer takes nothing but its share of the old one', async () => {
  const metWith = async (throttleShare: number) =>
    (await race(3, { ...BAD, errorShare: 0.6, throttleShare })).bucket.met
  const [without, half, all] = [await metWith(0), await metWith(0.5), await metWith(1)]
  expect(without['slow-down']).toBeGreaterThan(1)
  expect(all).toEqual({ ...without, 'slow-down': 0, 'too-many-requests': without['slow-down'] })
  expect(half['slow-down'] + half['too-many-requests']).toBe(without['slow-down'])
})

describe('a store', () => {
  const readAll = (store: ObjectStoreShape) => start(Effect.flip(store.read('k')))

  test('that is down fails in the words of the real one, and is back afterwards', async () => {
    const { store, bucket, kernel, pass } = world(1)
    bucket.outage(kernel.nowMs + 200_000)
    const failed = start(Effect.flip(store.create('k', body('x'))))
    await pass(150_000)
    expect(failed.exit).toMatchObject({ value: { _tag: 'StoreUnavailable', value: 'bucket loch at sim://s3' } })
    expect(bucket.objects.size).toBe(0)
    await pass(50_000)
    const created = start(store.create('k', body('x')))
    await pass(1_000)
    expect(created.exit).toMatchObject({ value: 'created' })
  })

  test('that is slow answers late, and in time again afterwards', async () => {
    const { store, bucket, kernel, pass } = world(1)
    bucket.slow(1_000, kernel.nowMs + 10_000)
    const late = start(store.create('k', body('x')))
    await pass(5_000)
    expect([late.exit, bucket.objects.size]).toEqual([undefined, 0])
    await pass(200_000)
    expect(late.exit).toMatchObject({ value: 'created' })
    const created = start(store.create('l', body('x')))
    await pass(1_000)
    expect(created.exit).toMatchObject({ value: 'created' })
  })

  test('that takes no credentials refuses at once, carries nothing out, and is back once they are renewed', async () => {
    const problems = new Set<string>()
    const { store, bucket, kernel, pass } = world(1)
    start(store.create('there', body('x')))
    await pass(1_000)
    bucket.expireCredentials(kernel.nowMs + 60_000)
    const asked = () => [
      Effect.asVoid(store.create('k', body('x'))),
      store.remove('there'),
      Effect.asVoid(store.size('there')),
      Effect.asVoid(store.read('there')),
      Effect.asVoid(store.list('')),
    ]
    for (let round = 0; round < 8; round++) {
      const refused = asked().map((effect) => start(Effect.flip(effect)))
      await pass(5_000)
      for (const { exit } of refused) {
        expect(exit).toMatchObject({ value: { _tag: 'StoreRefused', component: 'object store' } })
        if (exit?._tag === 'Success') problems.add(exit.value.problem.replace(/^refused .*: /, ''))
      }
    }
    expect([...problems].sort()).toEqual(['400', '403', 'AccessDenied', 'ExpiredToken', 'InvalidAccessKeyId'])
    expect([...bucket.objects.keys()]).toEqual(['there'])
    expect(bucket.met.expired).toBe(40)
    await pass(20_000)
    const created = start(store.create('k', body('x')))
    await pass(1_000)
    expect(created.exit).toMatchObject({ value: 'created' })
  })

  test('that lost an answer may refuse the next attempt, and then nobody knows what happened', async () => {
    const { store, bucket, kernel, pass } = world(1, { lostAnswerShare: 1, appliedShare: 1, lateMeanMs: 0 })
    const created = start(Effect.flip(store.create('k', body('x'))))
    await pass(5_000)
    expect(bucket.objects.has('k')).toBe(true)
    bucket.heal()
    bucket.expireCredentials(kernel.nowMs + 600_000)
    await pass(60_000)
    expect(created.exit).toMatchObject({ value: { _tag: 'StoreRefused' } })
    const again = start(store.create('k', body('x')))
    bucket.heal()
    await pass(60_000)
    expect(again.exit).toMatchObject({ value: 'exists' })
  })

  test('never shows a part of an object as the whole', async () => {
    const { store, pass } = world(1, { truncatedShare: 1 })
    start(store.create('k', body('a body')))
    await pass(1_000)
    const read = readAll(store)
    await pass(60_000)
    expect(read.exit).toMatchObject({
      value: { _tag: 'StoreUnavailable', problem: expect.stringContaining('arrived') },
    })
  })

  test('takes time, and longer for more bytes', async () => {
    const { store, kernel, pass } = world(1)
    const took = async (bytes: number) => {
      const begunMs = kernel.nowMs
      let endedMs = 0
      void Effect.runPromise(store.create(`k${bytes}`, [Buffer.alloc(bytes)])).then(() => {
        endedMs = kernel.nowMs
      })
      await pass(20_000)
      return endedMs - begunMs
    }
    expect(await took(1)).toBeGreaterThan(4)
    expect(await took(10_000_000)).toBeGreaterThan(200)
  })

  test('tells who removed what', async () => {
    const { store, bucket, pass } = world(1)
    for (const key of ['a', 'b']) start(store.create(key, body('\0\0\0\0')))
    await pass(1_000)
    const removed: string[] = []
    bucket.watchRemoval = (key, by) => void removed.push(`${by} ${key} ${bucket.objects.has(key)}`)
    start(store.remove('b'))
    start(store.remove('b'))
    await pass(1_000)
    expect(removed).toEqual(['zone-1 b false'])
    expect([...bucket.objects.keys()]).toEqual(['a'])
  })

  test('rots by one bit of one object, of any kind that is there', async () => {
    const keys = [
      'timelines/t/journal/1',
      'timelines/t/journal/snapshots/1',
      'timelines/t/index/1/1',
      'projects/p/journal/1',
    ]
    const logs = Array.from({ length: 50 }, (_, at) => `timelines/t/log/${at}`)
    const rotten = new Map<string, number>()
    for (let seed = 0; seed < 60; seed++) {
      const { store, bucket, kernel, pass } = world(seed)
      expect(bucket.rot(kernel.draws)).toBeUndefined()
      for (const key of [...keys, ...logs]) start(store.create(key, body('\0\0\0\0')))
      await pass(2_000)
      const key = bucket.rot(kernel.draws)!
      rotten.set(key, (rotten.get(key) ?? 0) + 1)
      for (const [other, bytes] of bucket.objects) {
        const bits = [...bytes].map((byte) => byte.toString(2).replaceAll('0', '').length)
        expect(bits.reduce((sum, one) => sum + one)).toBe(other === key ? 1 : 0)
      }
    }
    for (const key of keys) expect(rotten.get(key)).toBeGreaterThan(1)
    expect(rotten.size).toBeGreaterThan(10)
  })
})
