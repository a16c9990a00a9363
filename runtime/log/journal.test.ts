import * as Effect from 'effect/Effect'
import { describe, expect, test } from 'vitest'
import { type Envelope, wrap } from '../../events/envelope.ts'
import type { LochError } from '../errors.ts'
import { openJournal, SNAPSHOT_INTERVAL_EVENTS } from './journal.ts'
import { MemoryStore } from './testing.ts'

const prefix = 'timelines/main/journal'
const run = <A>(effect: Effect.Effect<A, LochError>) => Effect.runPromise(effect)
const failure = <A>(effect: Effect.Effect<A, LochError>) => Effect.runPromise(Effect.flip(effect))

function envelope(sequence: number, writer = 'w'): Envelope {
  const identity = { id: `${writer}-${sequence}`, actor: 'timeline.main', sequence, term: 0 }
  return wrap({ type: 'TimelineDeleted', at: sequence }, identity)
}

function batch(from: number, count: number, writer = 'w'): Envelope[] {
  return Array.from({ length: count }, (_, at) => envelope(from + at, writer))
}

/** A journal of `count` events in batches of `size`, with snapshots where they are due. */
async function filled(store: MemoryStore, count: number, { size = 1, snapshots = true } = {}) {
  const journal = openJournal(store, prefix)
  await run(journal.load())
  for (let next = 1; next <= count; next += size) {
    await run(journal.append(next, batch(next, size)))
    const sequence = next + size - 1
    if (!snapshots || !journal.isSnapshotDue(next - 1, sequence)) continue
    await run(journal.keepSnapshot({ actor: 'timeline.main', sequence, state: 'active', remembered: { sequence } }))
  }
  return journal
}

describe('a journal', () => {
  test('is empty before its first event', async () => {
    expect(await run(openJournal(new MemoryStore(), prefix).load())).toEqual({ snapshot: undefined, events: [] })
  })

  test.each([
    [1, 1],
    [63, 1],
    [64, 1],
    [65, 1],
    [200, 1],
    [201, 3],
    [640, 5],
  ])('gives back %i events written %i at a time, in order and without gaps', async (count, size) => {
    for (const snapshots of [true, false]) {
      const store = new MemoryStore()
      await filled(store, count, { size, snapshots })
      const { snapshot, events } = await run(openJournal(store, prefix).load())
      expect((snapshot?.sequence ?? 0) + events.length).toBe(count)
      expect(events).toEqual(batch((snapshot?.sequence ?? 0) + 1, events.length))
      expect(await run(openJournal(store, prefix).history())).toEqual(batch(1, count))
    }
  })

  test('opens with two lists and two reads however old it is', async () => {
    const store = new MemoryStore()
    await filled(store, 10 * SNAPSHOT_INTERVAL_EVENTS + 30)
    Object.assign(store.requests, { read: 0, list: 0 })
    const { snapshot, events } = await run(openJournal(store, prefix).load())
    expect([snapshot!.sequence, events.length]).toEqual([10 * SNAPSHOT_INTERVAL_EVENTS, 30])
    expect(store.requests).toMatchObject({ read: 2, list: 2 })
    expect([...store.objects.keys()].filter((key) => key.includes('/snapshots/'))).toHaveLength(2)
  })

  test('gives one slot to one writer, and the loser the news', async () => {
    const store = new MemoryStore()
    await filled(store, 3)
    const [left, right] = [openJournal(store, prefix), openJournal(store, prefix)]
    await run(left.load())
    await run(right.load())
    await run(left.append(4, batch(4, 2, 'left')))
    expect(await failure(right.append(4, batch(4, 1, 'right')))).toMatchObject({
      _tag: 'Conflict',
      value: `${prefix}/000000000004`,
    })
    expect(await run(right.eventsAfter(3))).toEqual(batch(4, 2, 'left'))
    await run(right.append(6, batch(6, 1, 'right')))
    expect((await run(openJournal(store, prefix).load())).events.map(({ id }) => id)).toEqual([
      'w-1',
      'w-2',
      'w-3',
      'left-4',
      'left-5',
      'right-6',
    ])
  })

  test('recognises its own write when the answer got lost', async () => {
    const store = new MemoryStore()
    const journal = await filled(store, 2)
    store.loseNextAnswer = true
    await run(journal.append(3, batch(3, 1)))
    expect((await run(openJournal(store, prefix).load())).events).toHaveLength(3)
  })

  test('names the object that is damaged', async () => {
    const store = new MemoryStore()
    await filled(store, 2)
    const key = `${prefix}/000000000002`
    store.objects.get(key)![20]! ^= 1
    expect(await failure(openJournal(store, prefix).load())).toMatchObject({ _tag: 'Damaged', value: key })
  })

  test('names the object that a newer Loch wrote', async () => {
    const store = new MemoryStore()
    const journal = await filled(store, 1)
    await run(journal.append(2, [{ ...envelope(2), version: 99 }]))
    const error = await failure(openJournal(store, prefix).load())
    expect(error).toMatchObject({ _tag: 'FormatTooNew', value: `${prefix}/000000000002` })
  })

  test('does not fold over a gap', async () => {
    const store = new MemoryStore()
    await filled(store, 3 * SNAPSHOT_INTERVAL_EVENTS + 5, { snapshots: false })
    for (let sequence = 100; sequence <= 2 * SNAPSHOT_INTERVAL_EVENTS; sequence++) {
      store.objects.delete(`${prefix}/${String(sequence).padStart(12, '0')}`)
    }
    expect(await failure(openJournal(store, prefix).load())).toMatchObject({
      _tag: 'Damaged',
      problem: 'events 100 to 128 are missing',
    })
  })

  test('refuses events that are numbered wrongly, as a defect', async () => {
    const exit = await Effect.runPromiseExit(openJournal(new MemoryStore(), prefix).append(1, batch(2, 1)))
    expect(String(exit)).toContain('numbered from there on')
  })
})
