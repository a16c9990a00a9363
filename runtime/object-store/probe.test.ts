/** The probe against stores that lie, each in one way. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, run } from './contract.ts'
import { openFileStore } from './file.ts'
import type { ObjectEntry, ObjectStoreShape } from './object-store.ts'
import { probe } from './probe.ts'

let root: string
let honest: ObjectStoreShape

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'loch-probe-'))
  honest = await run(openFileStore(root))
})
afterAll(() => rmSync(root, { recursive: true }))

const LIES: ReadonlyArray<[string, (store: ObjectStoreShape) => Partial<ObjectStoreShape>]> = [
  ['a name that was never used counts as taken', () => ({ create: () => Effect.succeed('exists') })],
  [
    'it ignores conditions',
    (store) => ({ create: (key, body) => Effect.as(store.create(key, body), 'created' as const) }),
  ],
  [
    'it ignores conditions',
    (store) => ({ create: (key, body) => Effect.andThen(store.remove(key), store.create(key, body)) }),
  ],
  ['an object just created cannot be read', (store) => ({ read: (key) => store.read(`${key}-elsewhere`) })],
  ['a range of an object came back wrong', (store) => ({ read: (key) => store.read(key) })],
  [
    'a range past the end of an object came back with bytes',
    (store) => ({
      read: (key, range) => store.read(key, range && range.offset > 9 ? { offset: 0, length: 1 } : range),
    }),
  ],
  [
    'an object that exists is not listed',
    (store) => ({
      list: (prefix) => Effect.as(store.list(prefix), [] as ReadonlyArray<ObjectEntry>),
    }),
  ],
  ['removed objects are still listed', () => ({ remove: () => Effect.void })],
]

test.each(LIES)('a store of which it is true that "%s" is refused for it', async (problem, lie) => {
  const error = await failure(probe({ ...honest, ...lie(honest) }))
  expect(error).toMatchObject({ _tag: 'StoreRefused', problem: expect.stringContaining(problem), value: honest.url })
})

test('an honest store passes', () => run(probe(honest)))
