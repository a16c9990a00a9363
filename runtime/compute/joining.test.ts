import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { decodeEnvelope, type Envelope, encodeEnvelope, wrap } from '../../events/envelope.ts'
import type { Position, Term } from '../../events/identifiers.ts'
import type { IndexSnapshot } from '../../events/timeline.ts'
import { QuorumLost } from '../errors.ts'
import { actorSubject } from '../system/ports.ts'
import { join } from './joining.ts'
import { establishReign } from './reign.ts'
import { type Disk, entriesOf, type FakeSafekeeper, PROJECT, ReignWorld, SEED, TIMELINE } from './testing.ts'

const log = entriesOf(4, 1_000, 1)
const holder: Disk = { term: 1, history: [{ term: 1, begin: 0 }], bytes: log }
const newcomer: Disk = { term: 1, history: [], bytes: Buffer.alloc(0) }
const snapshot: IndexSnapshot = { term: 1 as Term, position: 0 as Position, chain: SEED, key: 'k' }

let world: ReignWorld
let safekeepers: readonly FakeSafekeeper[]
/** What was recorded, and what whoever is recorded had heard by then. */
let recorded: string[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  world = new ReignWorld()
  safekeepers = world.open(holder, newcomer, holder)
  safekeepers[2]!.stop()
  recorded = []
})
afterEach(() => vi.useRealTimers())

function serveTimeline(): void {
  world.bus.subscribe(actorSubject(PROJECT, `timeline.${TIMELINE}`), ({ data, respond }) => {
    const asked = decodeEnvelope(data) as Envelope
    const { zone, diskId } = asked.payload as { zone: string; diskId: string }
    const elections = safekeepers.find((safekeeper) => safekeeper.zone === zone)!.elections.length
    recorded.push(`${asked.type} ${zone} ${diskId} after ${elections} elections`)
    const answer = { type: 'Done', at: 1, state: 'active', sequence: 3, note: '' }
    respond(encodeEnvelope(wrap(answer, { id: 'a', actor: asked.actor, sequence: 0, term: 0 }, asked)))
  })
}

const grantOf = (...joined: readonly string[]) => ({
  ...world.grant(2, 'quorum', snapshot),
  disks: Object.fromEntries(joined.map((zone) => [zone, zone])),
})

describe('a zone that never joined', () => {
  test('counts, having forgotten nothing', async () => {
    serveTimeline()
    const reign = await establishReign(world.ports, grantOf('zone-1', 'zone-3'))
    expect(reign.tail).toMatchObject({ source: 'zone-1', position: log.length })
    expect(safekeepers[1]!.state).toMatchObject({ flushed: log.length, fresh: false })
  })

  test('is named by the journal before it hears of the election', async () => {
    serveTimeline()
    const reign = await establishReign(world.ports, grantOf('zone-1', 'zone-3'))
    expect(recorded).toEqual(['RecordSafekeeper zone-2 zone-2 after 0 elections'])
    expect(Object.fromEntries(reign.disks)).toEqual({ 'zone-1': 'zone-1', 'zone-2': 'zone-2', 'zone-3': 'zone-3' })
  })

  test('does not join while nobody hosts the timeline', async () => {
    await expect(establishReign(world.ports, grantOf('zone-1', 'zone-3'))).rejects.toThrow(QuorumLost)
    expect(safekeepers[1]!.elections).toEqual([])
  })
})

test('a disk is recorded once, another one in its place again', async () => {
  serveTimeline()
  const reign = { disks: new Map<string, string>() }
  for (const diskId of ['old', 'old', 'new']) await join(world.ports, reign, { zone: 'zone-2', diskId })
  expect(recorded).toEqual(['old', 'new'].map((diskId) => `RecordSafekeeper zone-2 ${diskId} after 0 elections`))
})
