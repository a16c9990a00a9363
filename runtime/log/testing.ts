/**
 * An object store in memory for tests of journals and of the loop: names written once, listed in byte order. Its faults
 * are those that matter there: an answer that gets lost after the write, and a store that is down.
 */
import * as Effect from 'effect/Effect'
import { ObjectMissing, StoreUnavailable } from '../errors.ts'
import type { JournalStore } from './journal.ts'

export class MemoryStore implements JournalStore {
  readonly objects = new Map<string, Uint8Array>()
  /** Requests so far, for tests that count what an operation costs. */
  readonly requests = { create: 0, read: 0, list: 0, remove: 0 }
  down = false
  /** The next create writes, and then answers as if the name had been taken all along. */
  loseNextAnswer = false

  create = (key: string, body: Uint8Array[]) =>
    this.#request('create', () => {
      if (this.objects.has(key)) return Effect.succeed('exists' as const)
      this.objects.set(key, Uint8Array.from(Buffer.concat(body)))
      const lost = this.loseNextAnswer
      this.loseNextAnswer = false
      return Effect.succeed(lost ? ('exists' as const) : ('created' as const))
    })

  read = (key: string) =>
    this.#request('read', () => {
      const bytes = this.objects.get(key)
      if (bytes) return Effect.succeed(bytes)
      return Effect.fail(
        new ObjectMissing({
          component: 'memory store',
          value: key,
          problem: 'no such object',
          remedy: 'Write it first.',
        }),
      )
    })

  list = (prefix: string, options: { readonly startAfter?: string } = {}) =>
    this.#request('list', () => {
      const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > (options.startAfter ?? ''))
      return Effect.succeed(keys.sort().map((key) => ({ key })))
    })

  remove = (key: string) =>
    this.#request('remove', () => {
      this.objects.delete(key)
      return Effect.void
    })

  #request<A, E>(
    kind: keyof MemoryStore['requests'],
    answer: () => Effect.Effect<A, E>,
  ): Effect.Effect<A, E | StoreUnavailable> {
    return Effect.suspend((): Effect.Effect<A, E | StoreUnavailable> => {
      this.requests[kind]++
      if (!this.down) return answer()
      const complaint = { component: 'memory store', value: kind, problem: 'it is down', remedy: 'Bring it up again.' }
      return Effect.fail(new StoreUnavailable(complaint))
    })
  }
}
