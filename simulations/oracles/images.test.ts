import { expect, test } from 'vitest'
import type { IndexSnapshot } from '../../events/timeline.ts'
import { SeededDraws } from '../kernel/draws.ts'
import { successorOf, type TransactionResult, UNWRITTEN } from '../postgres/transaction.ts'
import { CommittedLog } from './committed-log.ts'
import { checkImage, ImagePicker, snapshotFor, tailAt } from './images.ts'
import { Ledger } from './ledger.ts'

const first = successorOf(UNWRITTEN, 0, 1)
const second = successorOf(first, 0, 2)
const third = successorOf(second, 0, 3)

/** A client has been told of `second`; `third` was written and nobody knows. */
function told() {
  const ledger = new Ledger({ nowMs: () => 0 })
  const image = new ImagePicker(new SeededDraws(1), ledger, 1)
  const attempt = ledger.began('c', { id: 2, keys: [0], isWrite: true })
  ledger.executed(1, [{ key: 0, parent: UNWRITTEN, written: first }])
  ledger.executed(2, [{ key: 0, parent: first, written: second }])
  ledger.executed(3, [{ key: 0, parent: second, written: third }])
  ledger.acknowledged(attempt, [{ key: 0, read: first, written: second }])
  image.offer(10, 7)
  return image.kept[0]!
}
const holding = (read: typeof first): TransactionResult => [{ key: 0, read, written: undefined }]

test('an image holds what clients had been told of, and perhaps more', () => {
  expect(checkImage(told(), holding(second))).toEqual([])
  expect(checkImage(told(), holding(third))).toEqual([])
})

test('an image that lacks it, holds another branch, or a value that nobody wrote', () => {
  const words = 'but clients had been told of version 2 of transaction 2 when that became durable'
  expect(checkImage(told(), holding(first))).toEqual([
    `recovered from the log up to 10, key 0 has version 1 of transaction 1, ${words}`,
  ])
  expect(checkImage(told(), holding(UNWRITTEN))).toEqual([expect.stringContaining('key 0 has no value')])
  expect(checkImage(told(), holding(successorOf(first, 0, 9)))).toEqual([expect.stringContaining('of transaction 9')])
  expect(checkImage(told(), holding(successorOf(second, 0, 9)))).toEqual([expect.stringContaining('of transaction 9')])
})

test('each position that became durable may be kept', () => {
  const kept = new Map<number, number>()
  for (let seed = 0; seed < 400; seed++) {
    const picker = new ImagePicker(new SeededDraws(seed), new Ledger({ nowMs: () => 0 }), 1)
    for (let position = 0; position < 8; position++) picker.offer(position, 0)
    for (const { position } of picker.kept) kept.set(position, (kept.get(position) ?? 0) + 1)
  }
  for (let position = 0; position < 8; position++) expect(kept.get(position)).toBeGreaterThan(70)
})

test('an image ends in the term that wrote its last byte, and begins at no later snapshot', () => {
  const log = new CommittedLog({ nowMs: () => 0, violated: (words) => expect.unreachable(words) })
  const history = [{ term: 1, begin: 0 }]
  log.opened({ term: 1, compute: 'a', history, lastTerm: 0, position: 0, chain: 1, fromSnapshot: false })
  log.durable(1, 10, 2)
  const next = { term: 2, compute: 'b', lastTerm: 1, position: 10, chain: 2, fromSnapshot: false }
  log.opened({ ...next, history: [...history, { term: 2, begin: 10 }] })
  log.durable(2, 20, 3)
  expect(tailAt(log, told())).toMatchObject({ lastTerm: 1, position: 10, history })
  expect(tailAt(log, { ...told(), position: 20 })).toMatchObject({ lastTerm: 2 })
  const snapshots = [5, 10, 15].map((position) => ({ position }) as IndexSnapshot)
  const chosen = new Set<number | undefined>()
  for (let seed = 0; seed < 20; seed++) chosen.add(snapshotFor(told(), snapshots, new SeededDraws(seed))?.position)
  expect(chosen).toEqual(new Set([10, undefined]))
})
