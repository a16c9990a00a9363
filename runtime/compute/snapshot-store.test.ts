import * as Effect from 'effect/Effect'
import { beforeEach, describe, expect, test } from 'vitest'
import { decodeEnvelope, type Envelope, encodeEnvelope, wrap } from '../../events/envelope.ts'
import { actorSubject } from '../system/ports.ts'
import type { LogWriter } from './log-writer.ts'
import type { Reign } from './reign.ts'
import { storeSnapshot } from './snapshot-store.ts'
import { PROJECT, ReignWorld, settle, TIMELINE } from './testing.ts'
import type { SnapshotMessage } from './volume-messages.ts'

const reign = { term: 5 } as Reign
const message: SnapshotMessage = {
  kind: 'snapshot',
  position: 4_000,
  chain: 99,
  objects: [
    { kind: 'index', key: 'timelines/main/index/00000005/00000001', bytes: Buffer.from('run') },
    { kind: 'files', key: 'timelines/main/index/00000005/00000002', bytes: Buffer.from('table') },
  ],
}

let world: ReignWorld
/** What happened, in order. */
let steps: string[]
let answer: { readonly type: string; readonly [field: string]: unknown }

beforeEach(() => {
  world = new ReignWorld()
  steps = []
  answer = { type: 'Done', state: 'active', sequence: 3, note: '' }
  world.bus.subscribe(actorSubject(PROJECT, `timeline.${TIMELINE}`), ({ data, respond }) => {
    const asked = decodeEnvelope(data) as Envelope
    steps.push(`${asked.type} ${JSON.stringify(asked.payload)}`)
    respond(encodeEnvelope(wrap({ at: 1, ...answer }, { id: 'a', actor: asked.actor, sequence: 0, term: 0 }, asked)))
  })
})

/** A writer under whom `position` becomes durable when the test says so. */
function writerOf(durable: Promise<boolean>): LogWriter {
  const whenArchived = async (position: number) => {
    steps.push(`wait ${position} with ${world.store.objects.size} objects`)
    return durable
  }
  return { whenArchived } as unknown as LogWriter
}

const store = (durable = Promise.resolve(true)) =>
  storeSnapshot(world.ports, reign, writerOf(durable), message, (error) => steps.push(`fenced: ${error.problem}`))

const recorded = `RecordSnapshot ${JSON.stringify({ term: 5, position: 4_000, chain: 99, key: message.objects[1]!.key })}`

describe('a snapshot', () => {
  test('is named by the journal only after its objects stand and the log up to it is archived', async () => {
    let becomeDurable: (value: boolean) => void = () => {}
    const stored = store(new Promise((resolve) => (becomeDurable = resolve)))
    await settle()
    expect(steps).toEqual(['wait 4000 with 2 objects'])
    becomeDurable(true)
    expect(await stored).toBe(true)
    expect(steps).toEqual(['wait 4000 with 2 objects', recorded])
    for (const { key, bytes } of message.objects) expect(Buffer.from(world.store.objects.get(key)!)).toEqual(bytes)
    expect(world.reported).toEqual([])
  })

  test('is not named if the log failed first', async () => {
    expect(await store(Promise.resolve(false))).toBe(false)
    expect(steps).toEqual(['wait 4000 with 2 objects'])
  })

  test('is not named if an object could not be stored, and that is reported', async () => {
    const create = world.store.create
    world.store.create = (key, body) => {
      world.store.down = key === message.objects[1]!.key
      return create(key, body)
    }
    expect(await store()).toBe(false)
    expect(steps).toEqual([])
    expect(world.reported).toEqual([expect.stringContaining('snapshot at 4000')])
  })

  test('may find its objects there: they are its own, from an answer that got lost', async () => {
    world.store.loseNextAnswer = true
    expect(await store()).toBe(true)
    expect(steps.at(-1)).toBe(recorded)
  })

  test('is not believed to be named if the journal refuses or does not answer', async () => {
    const complaint = { tag: 'Refused', component: 'timeline.main', value: 'RecordSnapshot' }
    answer = { type: 'Refusal', ...complaint, problem: 'of an old term', remedy: 'None.' }
    expect(await store()).toBe(false)
    expect(world.reported).toEqual([expect.stringContaining('of an old term')])
    world = new ReignWorld()
    expect(await store()).toBe(false)
    expect(world.reported).toEqual([expect.stringContaining('nobody serves')])
  })

  test('of a reign that another has followed tells so', async () => {
    const complaint = { tag: 'Fenced', component: 'timeline.main', value: 'RecordSnapshot' }
    answer = { type: 'Refusal', ...complaint, problem: 'term 6 was granted', remedy: 'None.' }
    expect(await store()).toBe(false)
    expect(steps.at(-1)).toBe('fenced: term 6 was granted')
  })

  test('stores its objects at once, not one after the other', async () => {
    let flying = 0
    let most = 0
    const create = world.store.create
    const slow = (key: string, body: Uint8Array[]) =>
      Effect.gen(function* () {
        most = Math.max(most, ++flying)
        yield* Effect.promise(settle)
        flying--
        return yield* create(key, body)
      })
    world.store.create = slow as typeof create
    expect(await store()).toBe(true)
    expect(most).toBe(2)
  })
})
