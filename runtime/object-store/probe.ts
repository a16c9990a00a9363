/**
 * The test that a store must pass before Loch trusts it: some services accept `If-None-Match: *` and overwrite all the
 * same, and with such a store two computes would own one term. It is asked, not looked up, because versions, gateways
 * and bucket policies differ. Run once at start, by whoever starts Loch; it costs eight requests.
 */
import { randomUUID } from 'node:crypto'
import * as Effect from 'effect/Effect'
import { type ObjectMissing, StoreRefused } from '../errors.ts'
import type { ObjectStoreShape, StoreFailure } from './object-store.ts'

const PREFIX = 'probe/'

/** Leaves nothing behind. Fails with StoreRefused if the store does not do what the port promises. */
export const probe = Effect.fnUntraced(function* (
  store: ObjectStoreShape,
  unique: string = randomUUID(),
): Effect.fn.Return<void, StoreFailure> {
  const key = `${PREFIX}${unique}`
  yield* Effect.ensuring(examine(store, key), Effect.ignore(store.remove(key)))
  if ((yield* store.list(key)).length > 0) return yield* unfit(store, 'removed objects are still listed')
})

const examine = Effect.fnUntraced(function* (
  store: ObjectStoreShape,
  key: string,
): Effect.fn.Return<void, StoreFailure> {
  const [first, second] = [Buffer.from(`first ${key}`), Buffer.from(`second ${key}`)]
  if ((yield* store.create(key, [first])) !== 'created') {
    return yield* unfit(store, 'a name that was never used counts as taken')
  }
  const again = yield* store.create(key, [second])
  const stands = yield* there(store, store.read(key))
  if (again !== 'exists' || !first.equals(stands)) {
    return yield* unfit(store, 'it ignores conditions: a second create-if-absent of one name went through')
  }
  const part = yield* there(store, store.read(key, { offset: 2, length: 3 }))
  if (!first.subarray(2, 5).equals(part)) return yield* unfit(store, 'a range of an object came back wrong')
  const past = yield* there(store, store.read(key, { offset: first.length, length: 1 }))
  if (past.length > 0) return yield* unfit(store, 'a range past the end of an object came back with bytes')
  const listed = (yield* store.list(key)).map((entry) => entry.key)
  if (listed.length !== 1 || listed[0] !== key) return yield* unfit(store, 'an object that exists is not listed')
})

function there<E>(store: ObjectStoreShape, read: Effect.Effect<Uint8Array, E | ObjectMissing>) {
  return Effect.catchTag(read as Effect.Effect<Uint8Array, StoreFailure | ObjectMissing>, 'ObjectMissing', (error) =>
    unfit(store, `an object just created cannot be read: ${error.problem}`),
  )
}

function unfit(store: ObjectStoreShape, problem: string): StoreRefused {
  return new StoreRefused({
    component: 'object store',
    value: store.url,
    problem,
    remedy:
      'Use a store with strong consistency and conditional writes (If-None-Match), such as AWS S3 or a local disk.',
  })
}
