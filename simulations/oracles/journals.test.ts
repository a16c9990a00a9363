import { expect, test } from 'vitest'
import { timeline } from '../../actors/timeline/machine.ts'
import { type ActorEvent, type Envelope, wrap } from '../../events/envelope.ts'
import { encodeBatch, encodeSnapshot } from '../../events/journal-format.ts'
import { BucketView } from './bucket-view.ts'
import { checkJournal, compareFolds, isJournaled, type LiveSample } from './journals.ts'

const ACTOR = 'timeline.main'
const definition = timeline as never
const FACTS = [
  { type: 'TimelineCreated', at: 1, timeline: 'main', project: 'main', zones: ['z1'], durability: 'quorum' },
  { type: 'TermStarted', at: 2, term: 1, compute: 'c', zone: 'z1' },
  { type: 'TermBegan', at: 3, term: 1, position: 0, chain: 7 },
] as const
const history: readonly Envelope[] = FACTS.map((fact, at) =>
  wrap(fact as ActorEvent, { id: `e${at}`, actor: ACTOR, sequence: at + 1, term: 1 }),
)

const REMEMBERED = {
  timeline: 'main',
  zones: ['z1'],
  durability: 'quorum',
  term: 1,
  compute: 'c',
  computeZone: 'z1',
  reigns: [] as unknown[],
  snapshot: null,
  disks: {},
}
const sample = (change: Partial<LiveSample> = {}): LiveSample => ({
  actor: ACTOR,
  zone: 'zone-1',
  atMs: 0,
  sequence: 2,
  state: 'active',
  remembered: REMEMBERED,
  ...change,
})

const bucket = (sequence: number, remembered: unknown) =>
  new BucketView(
    new Map([
      ['timelines/main/journal/000000000001', encodeBatch(history.slice(0, 2))],
      ['timelines/main/journal/000000000003', encodeBatch(history)],
      [
        `timelines/main/journal/snapshots/00000000000${sequence}`,
        encodeSnapshot({ actor: ACTOR, sequence, state: 'active', remembered }),
      ],
    ]),
  )

test('hosts are right as far as they are', async () => {
  const reigns = [{ term: 1, position: 0, chain: 7, compute: 'c' }]
  const samples = [sample({ sequence: 3, remembered: { ...REMEMBERED, reigns } }), sample({ zone: 'zone-2' })]
  expect(compareFolds(definition, ACTOR, history, samples)).toEqual([])
  expect(await checkJournal(bucket(2, REMEMBERED), ACTOR, samples)).toEqual([])
  expect(isJournaled(ACTOR)).toBe(true)
  expect(isJournaled('compute.main-zone-1')).toBe(false)
})

test('a host that remembers something else, or is in another state', () => {
  const samples = [
    sample({ remembered: { ...REMEMBERED, term: 2 } }),
    sample({ zone: 'zone-2', state: 'deleting' }),
    sample({ zone: 'zone-3', sequence: 1 }),
  ]
  expect(compareFolds(definition, ACTOR, history, samples)).toEqual([
    expect.stringMatching(/in zone-3, after event 1: it remembers .*"term":1/),
    expect.stringMatching(/in zone-1, after event 2: it remembers .*"term":2.*its journal says .*"term":1/),
    'timeline.main in zone-2, after event 2: it is deleting, its journal says active',
  ])
})

test('a host that knows events which its journal does not hold', () => {
  expect(compareFolds(definition, ACTOR, history, [sample({ sequence: 4 })])).toEqual([
    'timeline.main in zone-1 has reached event 4, but its journal ends at 3',
  ])
})

test('an event that cannot stand where it stands', () => {
  const twice = [history[0]!, { ...history[0]!, sequence: 2 }]
  expect(compareFolds(definition, ACTOR, twice, [])).toEqual([expect.stringContaining('event 2 cannot stand there')])
})

test('a snapshot that is not the fold, and one that the journal does not reach', async () => {
  expect(await checkJournal(bucket(2, { ...REMEMBERED, compute: 'd' }), ACTOR, [])).toEqual([
    expect.stringContaining('in its newest snapshot, after event 2: it remembers'),
  ])
  expect(await checkJournal(bucket(5, REMEMBERED), ACTOR, [])).toEqual([
    expect.stringContaining('reach event 5, the journal 3'),
  ])
})

test('a journal with a hole', async () => {
  const store = new BucketView(new Map([['timelines/main/journal/000000000003', encodeBatch(history.slice(2))]]))
  expect(await checkJournal(store, ACTOR, [])).toEqual([expect.stringContaining('cannot be read')])
})
