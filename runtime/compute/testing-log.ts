/** Bytes of a log for tests of the way to it, and a bus inside this process that carries them. Never used by Loch. */
import * as Effect from 'effect/Effect'
import { chainOver, chainSeed, FRAME_HEADER_BYTES, writeFrameHeader } from '../../events/frame.ts'
import { encodeEntry, entrySize } from '../../events/log-entry.ts'
import { subjects } from '../../events/safekeeper-wire.ts'
import type { BusMessage, BusShape, RequestOptions } from '../bus/bus.ts'
import { NoAnswer } from '../errors.ts'

export const PROJECT = 'p'
export const TIMELINE = 'main'
export const ZONES = ['zone-1', 'zone-2', 'zone-3'] as const
export const WRITER = Buffer.from('0123456789abcdef', 'latin1')
export const SEED = chainSeed(TIMELINE)
export const SUBJECTS = subjects(PROJECT, TIMELINE)

/** `count` entries of `size` bytes each, told apart by `mark`. */
export function entriesOf(count: number, size: number, mark = 0): Buffer {
  const data = (at: number) => Buffer.alloc(size - 32, (mark * 31 + at) % 251)
  return Buffer.concat(
    Array.from({ length: count }, (_, at) =>
      encodeEntry({ type: 'write', at: mark, ino: mark, offset: at, data: data(at) }),
    ),
  )
}

/** A frame around `payload`. */
export function frameOf(payload: Uint8Array, term: number, begin: number, chainBefore: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  frame.set(payload, FRAME_HEADER_BYTES)
  const { length } = payload
  const chainAfter = chainOver(payload, chainBefore)
  writeFrameHeader(frame, 0, { term, begin, length, chainBefore, chainAfter, flags: 0, archived: 0 }, WRITER)
  return frame
}

/** Lets everything that has been set in motion come to rest; no clock is involved. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

type Handler = (message: BusMessage) => void

/** Delivers in order, in microtasks. */
export class MemoryBus implements BusShape {
  readonly url = 'memory:'
  /** Sees every message first; what it returns is delivered, undefined is lost. */
  intercept: (subject: string, data: Uint8Array) => Uint8Array | undefined = (_, data) => data
  readonly #handlers = new Map<string, Set<Handler>>()
  #inboxes = 0

  /** Subjects that somebody listens to. */
  get subscribed(): readonly string[] {
    return [...this.#handlers.keys()]
  }

  publish(subject: string, data: Uint8Array, options: { readonly reply?: string | undefined } = {}): void {
    const seen = this.intercept(subject, Uint8Array.from(data))
    if (seen === undefined) return
    const { reply } = options
    const respond = (answer: Uint8Array) => {
      if (reply !== undefined) this.publish(reply, answer)
    }
    queueMicrotask(() => {
      for (const handler of [...(this.#handlers.get(subject) ?? [])]) handler({ subject, data: seen, reply, respond })
    })
  }

  subscribe(subject: string, handler: Handler) {
    const handlers = this.#handlers.get(subject) ?? new Set()
    this.#handlers.set(subject, handlers.add(handler))
    const unsubscribe = () => {
      handlers.delete(handler)
      if (handlers.size === 0 && this.#handlers.get(subject) === handlers) this.#handlers.delete(subject)
    }
    return { subject, unsubscribe }
  }

  request(subject: string, data: Uint8Array, { timeoutMs }: RequestOptions): Effect.Effect<BusMessage, NoAnswer> {
    return Effect.callback((resume) => {
      const fail = (problem: string) =>
        resume(Effect.fail(new NoAnswer({ component: 'bus', value: subject, problem, remedy: 'Start it.' })))
      if (!this.#handlers.has(subject)) return fail('nobody serves this subject')
      const reply = `_INBOX.${++this.#inboxes}`
      const { unsubscribe } = this.subscribe(reply, (message) => end(() => resume(Effect.succeed(message))))
      const timer = setTimeout(() => end(() => fail(`no answer came within ${timeoutMs} ms`)), timeoutMs)
      const end = (how: () => void) => {
        clearTimeout(timer)
        unsubscribe()
        how()
      }
      this.publish(subject, data, { reply })
    })
  }

  flush = () => Effect.void
  status = () => 'connected' as const
  onStatus = () => () => {}
}

/** Where the entries from `at` on end that together have at most `bytesMax`, one at least. */
export function entriesEnd(bytes: Buffer, at: number, bytesMax: number): number {
  let end = at
  while (end < bytes.length) {
    const next = end + entrySize(bytes, end)
    if (end > at && next - at > bytesMax) break
    end = next
  }
  return end
}
