/**
 * The bucket as whoever looks on sees it: everything at once, without delay or failure, and read-only. What is created through
 * it stays in the view, so that something may run on the bucket's content without changing it.
 */
import * as Effect from 'effect/Effect'
import { ObjectMissing } from '../../runtime/errors.ts'
import type {
  ByteRange,
  Creation,
  ListOptions,
  ObjectEntry,
  ObjectStoreShape,
} from '../../runtime/object-store/object-store.ts'

export class BucketView implements ObjectStoreShape {
  readonly url = 'sim://view'
  readonly #objects: ReadonlyMap<string, Uint8Array>
  readonly #created = new Map<string, Uint8Array>()

  constructor(objects: ReadonlyMap<string, Uint8Array>) {
    this.#objects = objects
  }

  create(key: string, body: ReadonlyArray<Uint8Array>): Effect.Effect<Creation> {
    return Effect.sync(() => {
      if (this.#find(key)) return 'exists'
      this.#created.set(key, Buffer.concat(body))
      return 'created'
    })
  }

  read(key: string, range?: ByteRange): Effect.Effect<Uint8Array, ObjectMissing> {
    return Effect.suspend(() => {
      const body = this.#find(key)
      if (!body) return Effect.fail(missing(key))
      // The bytes are the reader's own.
      const wanted = range ? body.subarray(range.offset, range.offset + range.length) : body
      return Effect.succeed(new Uint8Array(wanted))
    })
  }

  size(key: string): Effect.Effect<number, ObjectMissing> {
    return Effect.map(this.read(key), ({ length }) => length)
  }

  list(prefix: string, { startAfter = '', limit }: ListOptions = {}): Effect.Effect<ReadonlyArray<ObjectEntry>> {
    return Effect.sync(() => {
      const keys = [...this.#objects.keys(), ...this.#created.keys()]
      const found = keys.filter((key) => key.startsWith(prefix) && key > startAfter).sort()
      return found.slice(0, limit).map((key) => ({ key, size: this.#find(key)!.length }))
    })
  }

  remove(): Effect.Effect<void> {
    return Effect.void
  }

  #find(key: string): Uint8Array | undefined {
    return this.#objects.get(key) ?? this.#created.get(key)
  }
}

function missing(key: string): ObjectMissing {
  return new ObjectMissing({
    component: 'object store',
    value: key,
    problem: 'there is no such object in the bucket',
    remedy: 'It was never created, or somebody removed it: see the removals of the run.',
  })
}
