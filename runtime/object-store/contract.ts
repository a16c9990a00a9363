/**
 * What every object store must do, as one suite that is run against each. Only what the port promises may be tested here;
 * what one store does in its own way is tested beside that store.
 */
import { randomUUID } from 'node:crypto'
import * as Effect from 'effect/Effect'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LochError } from '../errors.ts'
import type { ObjectStoreShape } from './object-store.ts'
import { probe } from './probe.ts'
import { bodyOf, writerOf } from './testing/whole.ts'

export interface ContractFixture {
  /** Opens the same place once more, as another process would. */
  readonly open: () => Promise<ObjectStoreShape>
  readonly close: () => Promise<void>
}

/** A listing must page beyond this. */
const PAGE_KEYS = 1_000
const RACERS = 32

export const run = <A>(effect: Effect.Effect<A, LochError>): Promise<A> => Effect.runPromise(effect)
export const failure = <A>(effect: Effect.Effect<A, LochError>) => Effect.runPromise(Effect.flip(effect))

export function describeContract(name: string, setup: () => Promise<ContractFixture>): void {
  describe(`the object store contract, on ${name}`, () => {
    let fixture: ContractFixture
    let store: ObjectStoreShape
    let rival: ObjectStoreShape
    /** A prefix of each test's own. */
    const own = () => `contract/${randomUUID()}/`

    beforeAll(async () => {
      fixture = await setup()
      store = await fixture.open()
      rival = await fixture.open()
    })
    afterAll(() => fixture.close())

    test('gives back what was created, from any number of parts', async () => {
      const prefix = own()
      const parts = [Buffer.from('one '), Buffer.alloc(0), Buffer.from('two '), Buffer.from('three')]
      expect(await run(store.create(`${prefix}parts`, parts))).toBe('created')
      expect(await run(store.create(`${prefix}empty`, []))).toBe('created')
      expect(Buffer.from(await run(rival.read(`${prefix}parts`))).toString()).toBe('one two three')
      expect(await run(rival.size(`${prefix}parts`))).toBe(13)
      expect(await run(rival.read(`${prefix}empty`))).toHaveLength(0)
      expect(await run(rival.size(`${prefix}empty`))).toBe(0)
    })

    test('keeps an object of 8 MiB byte for byte', async () => {
      const key = `${own()}large`
      const body = Buffer.alloc(8 * 1024 * 1024, 'all sizes of chunks ')
      expect(await run(store.create(key, [body.subarray(0, 1), body.subarray(1)]))).toBe('created')
      expect(body.equals(await run(rival.read(key)))).toBe(true)
    })

    test('takes a name once and leaves the first bytes, even for the same writer and the same bytes', async () => {
      const key = `${own()}once`
      expect(await run(store.create(key, [Buffer.from('first')]))).toBe('created')
      expect(await run(store.create(key, [Buffer.from('first')]))).toBe('exists')
      expect(await run(rival.create(key, [Buffer.from('second')]))).toBe('exists')
      expect(Buffer.from(await run(store.read(key))).toString()).toBe('first')
    })

    test(`tells exactly one of ${RACERS} racers that it created a name, and keeps that one's bytes`, async () => {
      const prefix = own()
      for (let round = 0; round < 8; round++) {
        const key = `${prefix}${round}`
        const racers = Array.from({ length: RACERS }, (_, at) => ({ writer: `w${at}`, via: at % 2 ? store : rival }))
        const told = await Promise.all(racers.map(({ writer, via }) => run(via.create(key, [bodyOf(writer, round)]))))
        const winners = racers.filter((_, at) => told[at] === 'created')
        expect(winners).toHaveLength(1)
        expect(writerOf(await run(store.read(key)))).toBe(winners[0]!.writer)
      }
    })

    test('reads any range, and of one that passes the end what there is', async () => {
      const key = `${own()}ranged`
      const body = Buffer.from(Array.from({ length: 1_000 }, (_, at) => (at * 7) & 0xff))
      await run(store.create(key, [body]))
      const offsets = fc.oneof(fc.nat(1_100), fc.constantFrom(0, 999, 1_000, 1_001))
      await fc.assert(
        fc.asyncProperty(offsets, fc.nat(1_100), async (offset, length) => {
          const bytes = await run(rival.read(key, { offset, length }))
          expect(Buffer.from(bytes).equals(body.subarray(offset, offset + length))).toBe(true)
        }),
        { numRuns: 60 },
      )
    })

    test('gives a range of an empty object, which has no bytes', async () => {
      const key = `${own()}empty`
      await run(store.create(key, []))
      expect(await run(store.read(key, { offset: 0, length: 10 }))).toHaveLength(0)
      expect(await run(store.read(key, { offset: 0, length: 0 }))).toHaveLength(0)
    })

    test('gives each reader bytes of its own', async () => {
      const key = `${own()}own`
      await run(store.create(key, [Buffer.from('untouched')]))
      const bytes = await run(store.read(key))
      bytes.fill(0)
      expect(Buffer.from(await run(store.read(key))).toString()).toBe('untouched')
      expect(bytes.byteOffset + bytes.length).toBe(bytes.buffer.byteLength)
    })

    test('says which object is missing, read whole, in part or measured', async () => {
      const key = `${own()}never`
      const missing = { _tag: 'ObjectMissing', value: key }
      expect(await failure(store.read(key))).toMatchObject(missing)
      expect(await failure(store.read(key, { offset: 0, length: 1 }))).toMatchObject(missing)
      expect(await failure(store.read(key, { offset: 0, length: 0 }))).toMatchObject(missing)
      expect(await failure(store.size(key))).toMatchObject(missing)
    })

    test('removes an object, and does not mind one that is not there', async () => {
      const key = `${own()}gone`
      await run(store.create(key, [Buffer.from('x')]))
      await run(rival.remove(key))
      expect(await failure(store.read(key))).toMatchObject({ _tag: 'ObjectMissing' })
      expect(await run(store.list(key))).toEqual([])
      await run(store.remove(key))
    })

    test(`lists far more than ${PAGE_KEYS} keys, in byte order, from anywhere, up to any number`, async () => {
      const prefix = own()
      const keys = Array.from({ length: 2 * PAGE_KEYS + 345 }, (_, at) => `${prefix}${String(at).padStart(8, '0')}`)
      await createAll(store, keys)
      const listed = async (options?: Parameters<ObjectStoreShape['list']>[1]) => {
        return (await run(rival.list(prefix, options))).map(({ key }) => key)
      }
      expect(await listed()).toEqual(keys)
      expect(await listed({ startAfter: keys[1_234]! })).toEqual(keys.slice(1_235))
      expect(await listed({ startAfter: `${keys[17]!}.5`, limit: 3 })).toEqual(keys.slice(18, 21))
      expect(await listed({ limit: PAGE_KEYS + 1 })).toEqual(keys.slice(0, PAGE_KEYS + 1))
      expect(await listed({ limit: 0 })).toEqual([])
      expect(await listed({ startAfter: keys.at(-1)! })).toEqual([])
      const part = await run(rival.list(`${prefix}000012`, { sizes: true }))
      expect(part).toEqual(keys.slice(1_200, 1_300).map((key) => ({ key, size: 1 })))
    })

    test('lists folders among their siblings in byte order, and takes a prefix as a string', async () => {
      const prefix = own()
      const names = ['a-b', 'a.b', 'a/b', 'a/c/d', 'a0', 'aB', 'a_b', 'ab/x', 'b']
      await createAll(store, names.map((name) => prefix + name).reverse())
      const listed = async (rest: string, startAfter?: string) => {
        const options = startAfter === undefined ? {} : { startAfter: prefix + startAfter }
        return (await run(store.list(prefix + rest, options))).map(({ key }) => key.slice(prefix.length))
      }
      expect(await listed('')).toEqual(names)
      expect(await listed('a/')).toEqual(['a/b', 'a/c/d'])
      expect(await listed('a')).toEqual(names.slice(0, -1))
      expect(await listed('', 'a/b')).toEqual(names.slice(3))
      expect(await listed('', 'a/')).toEqual(names.slice(2))
      expect(await listed('', 'a/c/d')).toEqual(names.slice(4))
      expect(await listed('nothing')).toEqual([])
    })

    test('behaves as a map whose names are taken once, whatever the order of operations', async () => {
      const key = fc.constantFrom('a', 'b', 'c/a', 'c/b', 'c/d/e')
      const step = fc.oneof(
        fc.record({ does: fc.constant('create' as const), key, body: fc.uint8Array({ maxLength: 20 }) }),
        fc.record({ does: fc.constant('remove' as const), key }),
        fc.record({ does: fc.constant('read' as const), key }),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const prefix = own()
          const model = new Map<string, Uint8Array>()
          for (const [at, step] of steps.entries()) {
            const name = prefix + step.key
            const via = at % 2 ? store : rival
            if (step.does === 'create') {
              expect(await run(via.create(name, [step.body]))).toBe(model.has(name) ? 'exists' : 'created')
              if (!model.has(name)) model.set(name, step.body)
            } else if (step.does === 'remove') {
              await run(via.remove(name))
              model.delete(name)
            } else {
              const found = await run(Effect.catchTag(via.read(name), 'ObjectMissing', () => Effect.succeed(undefined)))
              expect(found && Buffer.from(found)).toEqual(model.has(name) ? Buffer.from(model.get(name)!) : undefined)
            }
          }
          const entries = [...model].map(([name, body]) => ({ key: name, size: body.length }))
          expect(await run(store.list(prefix, { sizes: true }))).toEqual(
            entries.sort((left, right) => (left.key < right.key ? -1 : 1)),
          )
        }),
        { numRuns: 15 },
      )
    })

    test.each(BAD_KEYS)('refuses the key %j, for every operation', async (key) => {
      for (const effect of [store.create(key, []), store.read(key), store.size(key), store.remove(key)]) {
        expect(await failure<unknown>(effect)).toMatchObject({ _tag: 'BadArgument', component: 'object store' })
      }
    })

    test('refuses a range or a prefix that no key can have', async () => {
      const range = (offset: number, length: number) => failure(store.read(`${own()}x`, { offset, length }))
      expect(await range(-1, 1)).toMatchObject({ _tag: 'BadArgument' })
      expect(await range(0, 0.5)).toMatchObject({ _tag: 'BadArgument' })
      for (const prefix of ['/', 'a//b', '../x', 'a/../b', '~new']) {
        expect(await failure(store.list(prefix))).toMatchObject({ _tag: 'BadArgument' })
      }
    })

    test('passes the probe, which leaves nothing behind', async () => {
      await run(probe(store))
      expect(await run(store.list('probe/'))).toEqual([])
    })
  })
}

const BAD_KEYS = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  '../a',
  'a/./b',
  'a b',
  'a\0b',
  'ä',
  '~new/x',
  'a?b',
  'x'.repeat(256),
  'x/'.repeat(300).concat('x'),
]

async function createAll(store: ObjectStoreShape, keys: ReadonlyArray<string>): Promise<void> {
  const creations = keys.map((key) => store.create(key, [Buffer.from('x')]))
  const told = await run(Effect.all(creations, { concurrency: RACERS }))
  expect(told.every((creation) => creation === 'created')).toBe(true)
}
