/**
 * The S3 store: `s3://bucket/prefix`, on AWS or any service that honours `If-None-Match: *`. The one hard question is who
 * wrote an object when answers get lost. Every creation therefore carries a name of its own in the object's metadata,
 * and a "taken" is followed by a look at whose it is. Which faults are worth a retry is not decided here (s3-errors.ts).
 */
import { randomUUID } from 'node:crypto'
import * as Effect from 'effect/Effect'
import type * as Scope from 'effect/Scope'
import { type BadArgument, ObjectMissing, type StoreRefused, type StoreUnavailable } from '../errors.ts'
import { attempt } from '../system/run.ts'
import { checkKey, checkPrefix, checkRange } from './keys.ts'
import type { Creation, ObjectEntry, ObjectStoreShape } from './object-store.ts'
import { connectS3, type S3Connection, type S3ConnectionOptions } from './s3-client.ts'
import { classify, failureOf } from './s3-errors.ts'
import * as requests from './s3-requests.ts'
import { type Answer, RETRY_POLICY, type RetryPolicy } from './s3-retry.ts'

/** What the store needs beside a connection. */
export interface S3Use {
  readonly bucket: string
  /** Put before every key: '' or ending in a slash. */
  readonly prefix: string
  readonly retry?: Partial<RetryPolicy>
  /** Unique among all writers that ever use the bucket. Default: a random UUID. */
  readonly writer?: string
}

export interface S3StoreOptions extends S3ConnectionOptions, S3Use {}

type S3Failure = BadArgument | StoreUnavailable | StoreRefused

/** What one ListObjectsV2 gives at most. */
const PAGE_KEYS_MAX = 1_000

/** Opens the store; sends nothing yet. Its connections close with the scope. */
export function openS3Store(
  options: S3StoreOptions,
): Effect.Effect<ObjectStoreShape, StoreRefused | StoreUnavailable, Scope.Scope> {
  const connect = attempt<S3Connection, StoreRefused | StoreUnavailable>(async () => {
    try {
      return await connectS3(options)
    } catch (error) {
      const place = { bucket: options.bucket, endpoint: options.endpoint ?? 'AWS' }
      throw failureOf(classify(error, place), 'opening the store', place, error)
    }
  })
  return Effect.acquireRelease(connect, ({ client }) => Effect.sync(() => client.destroy())).pipe(
    Effect.map((connection) => s3Store(connection, options)),
  )
}

/** The store over a connection that somebody else opened and will close. */
export function s3Store(connection: S3Connection, { bucket, prefix, retry, writer }: S3Use): ObjectStoreShape {
  const policy = { ...RETRY_POLICY, ...retry }
  const target: requests.S3Target = { connection, bucket, prefix, policy, endpoint: connection.endpoint }
  const url = `s3://${bucket}/${prefix}`.replace(/\/$/, '')
  const self = writer ?? randomUUID()
  let creations = 0

  const create = Effect.fnUntraced(function* (
    key: string,
    parts: ReadonlyArray<Uint8Array>,
  ): Effect.fn.Return<Creation, S3Failure> {
    yield* attempt<void, BadArgument>(() => checkKey(key))
    const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    // A name for this call, not only for this process: two calls of one process are rivals too.
    const creator = `${self}-${creations++}`
    const put = yield* requests.putIfAbsent(target, key, body, creator)
    if (put.kind === 'done') return 'created'
    if (put.kind !== 'taken') return yield* unexpected(put, `creating ${key}`)
    return yield* whose(key, creator, body)
  })

  /** After a 412: it may be from our own attempt, whose answer got lost. One that is gone again was somebody else's. */
  const whose = Effect.fnUntraced(function* (
    key: string,
    creator: string,
    body: Uint8Array,
  ): Effect.fn.Return<Creation, S3Failure> {
    const head = yield* requests.head(target, key)
    if (head.kind !== 'done') return 'exists'
    if (head.value.writer !== undefined) return head.value.writer === creator ? 'created' : 'exists'
    // All our objects name their writer: either it is not of Loch, or the store drops metadata. Then bytes decide.
    if (head.value.size !== body.length) return 'exists'
    const there = yield* requests.get(target, key, undefined)
    return there.kind === 'done' && Buffer.compare(there.value, body) === 0 ? 'created' : 'exists'
  })

  const size = Effect.fnUntraced(function* (key: string): Effect.fn.Return<number, ObjectMissing | S3Failure> {
    yield* attempt<void, BadArgument>(() => checkKey(key))
    const head = yield* requests.head(target, key)
    if (head.kind === 'done') return head.value.size
    return yield* head.kind === 'missing' ? objectMissing(key) : unexpected(head, `looking at ${key}`)
  })

  const read: ObjectStoreShape['read'] = Effect.fnUntraced(function* (key, range) {
    yield* attempt<void, BadArgument>(() => {
      checkKey(key)
      checkRange(key, range)
    })
    if (range?.length === 0) {
      // There is no way to ask for no bytes; what remains to be told is whether the object exists.
      yield* size(key)
      return new Uint8Array(0)
    }
    const got = yield* requests.get(target, key, range)
    if (got.kind === 'done') return got.value
    if (got.kind === 'past-end') return new Uint8Array(0)
    return yield* got.kind === 'missing' ? objectMissing(key) : unexpected(got, `reading ${key}`)
  })

  const list: ObjectStoreShape['list'] = Effect.fnUntraced(function* (prefix, { startAfter, limit = Infinity } = {}) {
    yield* attempt<void, BadArgument>(() => checkPrefix(prefix))
    const entries: ObjectEntry[] = []
    let token: string | undefined
    while (entries.length < limit) {
      const keysMax = Math.min(PAGE_KEYS_MAX, limit - entries.length)
      const page = yield* requests.page(target, prefix, { startAfter, token, keysMax })
      if (page.kind !== 'done') return yield* unexpected(page, `listing ${prefix}`)
      entries.push(...page.value.entries)
      token = page.value.token
      if (token === undefined) break
    }
    return entries
  })

  const remove = Effect.fnUntraced(function* (key: string): Effect.fn.Return<void, S3Failure> {
    yield* attempt<void, BadArgument>(() => checkKey(key))
    const removed = yield* requests.remove(target, key)
    if (removed.kind === 'done' || removed.kind === 'missing') return
    return yield* unexpected(removed, `removing ${key}`)
  })

  function unexpected(answer: Answer, doing: string) {
    return failureOf(answer, doing, target, undefined)
  }

  function objectMissing(key: string): ObjectMissing {
    return new ObjectMissing({
      component: 'object store',
      value: key,
      problem: `there is no such object in ${url}`,
      remedy: 'Check that Loch uses the store that the data was written to.',
    })
  }

  return { url, create, read, size, list, remove }
}
