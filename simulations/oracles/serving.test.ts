import { expect, test } from 'vitest'
import { CommittedLog } from './committed-log.ts'
import { ObjectNames } from './object-names.ts'
import { watchServing } from './serving.ts'

test('nobody serves before something of its term is durable', () => {
  const words: string[] = []
  const violated = (problem: string) => void words.push(problem)
  const log = new CommittedLog({ nowMs: () => 0, violated })
  const serving = watchServing({ log, admittingZones: () => [], violated })
  log.opened({
    term: 1,
    compute: 'a',
    history: [{ term: 1, begin: 0 }],
    lastTerm: 0,
    position: 5,
    chain: 1,
    fromSnapshot: false,
  })
  serving.serves(1)
  expect(words).toEqual(['serving: term 1 is served before an entry of its own is durable'])
  log.durable(1, 6, 2)
  serving.serves(1)
  expect(words).toHaveLength(1)
})

test('no Postgres is started while another answers clients', () => {
  const words: string[] = []
  const violated = (problem: string) => void words.push(problem)
  const terms = new Map<string, number>()
  const admittingZones = (term: number) => [...terms].filter(([, other]) => other <= term).map(([zone]) => zone)
  const log = new CommittedLog({ nowMs: () => 0, violated })
  const serving = watchServing({ log, admittingZones, violated })
  serving.launches(2, 'zone-2')
  expect(words).toEqual([])
  // Whoever slept through the election of a later term starts one that nothing becomes durable for.
  terms.set('zone-1', 3)
  serving.launches(2, 'zone-2')
  expect(words).toEqual([])
  terms.set('zone-1', 1)
  serving.launches(2, 'zone-2')
  expect(words).toEqual(['serving: Postgres is started in zone-2 in term 2, while one in zone-1 answers clients'])
})

test('no fsync succeeds before its log is durable', () => {
  const words: string[] = []
  const log = new CommittedLog({ nowMs: () => 0, violated: () => {} })
  const serving = watchServing({ log, admittingZones: () => [], violated: (problem) => void words.push(problem) })
  serving.synced({ term: 1, ino: 7, wanted: 10, durable: 10, isUnsealed: false })
  expect(words).toEqual([])
  serving.synced({ term: 1, ino: 7, wanted: 11, durable: 10, isUnsealed: false })
  expect(words.splice(0)).toEqual(['serving: an fsync of file 7 succeeds in term 1 at 10, though 11 is to be durable'])
  serving.synced({ term: 1, ino: 7, wanted: 10, durable: 10, isUnsealed: true })
  expect(words).toEqual(['serving: an fsync of file 7 succeeds in term 1 with pages that are in no segment'])
})

test('a name is not used twice for other bytes', () => {
  const words: string[] = []
  const names = new ObjectNames({ violated: (problem) => void words.push(problem) })
  const [one, other] = [Buffer.from('one'), Buffer.from('other')]
  names.taken('timelines/main/segments/00000001/00000001', one, one)
  names.taken('timelines/main/log/00000001-0000000000000000', one, other)
  expect(words).toEqual([])
  names.taken('timelines/main/segments/00000001/00000001', one, other)
  expect(words).toEqual([
    'names: timelines/main/segments/00000001/00000001 was asked for with other bytes than stand there',
  ])
})
