import { describe, expect, test } from 'vitest'
import { CommittedLog, stretchOf } from './committed-log.ts'

function logOf() {
  const found: string[] = []
  const log = new CommittedLog({ nowMs: () => 0, violated: (words) => found.push(words) })
  return { log, found }
}

function opened(term: number, position: number, chain: number, history: ReadonlyArray<readonly [number, number]> = []) {
  const entries = [...history, [term, position] as const].map(([term, begin]) => ({ term, begin }))
  return {
    term,
    compute: `c${term}`,
    history: entries,
    lastTerm: history.at(-1)?.[0] ?? 0,
    position,
    chain,
    fromSnapshot: false,
  }
}

/** Term 1 made [0, 20) durable. */
function afterOneTerm() {
  const world = logOf()
  world.log.opened(opened(1, 0, 7))
  world.log.durable(1, 10, 71)
  world.log.durable(1, 20, 72)
  return world
}

describe('what may happen', () => {
  test('a term goes on where the last one was durable, or beyond, and terms may pass that write nothing', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 20, 72, [[1, 0]]))
    log.opened(opened(3, 25, 73, [[1, 0]]))
    log.durable(3, 40, 74)
    expect(found).toEqual([])
    expect(log.end).toBe(40)
    expect(log.places.map(({ position, chain }) => [position, chain])).toEqual([
      [0, 7],
      [10, 71],
      [20, 72],
      [25, 73],
      [40, 74],
    ])
    expect(log.history).toEqual([
      { term: 1, begin: 0 },
      { term: 3, begin: 25 },
    ])
  })

  test('a late acknowledgement of what the successor holds', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 30, 73, [[1, 0]]))
    log.durable(2, 40, 74)
    log.durable(1, 25, 75)
    expect(found).toEqual([])
    expect(log.between(21, 30).map(({ position }) => position)).toEqual([25, 30])
  })

  test('the first news of a term that has been succeeded, which stays in the history as its successor has it', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 20, 72, [[1, 0]]))
    const named = [
      [1, 0],
      [2, 20],
    ] as const
    log.opened(opened(3, 25, 73, named))
    log.durable(3, 40, 75)
    log.durable(2, 25, 73)
    expect(found).toEqual([])
    expect(log.history.map(({ term }) => term)).toEqual([1, 2, 3])
  })

  test('a slow reign of an older term that never makes anything durable', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(3, 20, 72, [[1, 0]]))
    log.durable(3, 50, 75)
    log.opened(opened(2, 20, 72, [[1, 0]]))
    expect(found).toEqual([])
  })

  test('a history that was read from a snapshot on', () => {
    const { log, found } = afterOneTerm()
    log.opened({
      ...opened(2, 20, 72),
      history: [
        { term: 1, begin: 15 },
        { term: 2, begin: 20 },
      ],
    })
    log.durable(2, 30, 73)
    expect(found).toEqual([])
    expect(log.history).toEqual([
      { term: 1, begin: 0 },
      { term: 2, begin: 20 },
    ])
  })
})

describe('what is caught', () => {
  test('two logs of one term', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(1, 20, 72))
    expect(found).toEqual([expect.stringContaining('term 1 has two logs')])
  })

  test('a term that begins below what was durable', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 19, 71, [[1, 0]]))
    expect(found).toEqual([expect.stringContaining('c2 begins term 2 at 19, though position 20 of term 1 was durable')])
  })

  test('a term that begins over other bytes', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 20, 99, [[1, 0]]))
    expect(found).toEqual([expect.stringContaining('over other bytes than position 20 of term 1')])
  })

  test('a writer that goes on after its successor has begun', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 20, 72, [[1, 0]]))
    log.durable(1, 21, 73)
    expect(found).toEqual([
      expect.stringContaining('term 1 of c1 made 21 durable after that of c2 from 20 on (term 2)'),
    ])
  })

  test('other bytes at a position that was durable', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 30, 73, [[1, 0]]))
    log.durable(2, 40, 74)
    log.durable(1, 30, 99)
    expect(found).toEqual([
      expect.stringContaining('up to 30 term 1 made other bytes durable than position 30 of term 2'),
    ])
  })

  test('a history without a term in which something was durable, or with another begin of it', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 20, 72, [[1, 0]]))
    log.durable(2, 30, 73)
    log.opened(opened(3, 30, 73, [[1, 0]]))
    log.opened(
      opened(4, 30, 73, [
        [1, 0],
        [2, 25],
      ]),
    )
    expect(found).toEqual([
      expect.stringContaining('the history of term 3 of c3 does not name it'),
      expect.stringContaining('the history of term 4 of c4 has it begin at 25'),
    ])
  })

  test('a successor that has begun without what is only now known to be durable', () => {
    const { log, found } = afterOneTerm()
    log.opened(opened(2, 20, 72, [[1, 0]]))
    log.opened(opened(3, 25, 73, [[1, 0]]))
    log.durable(2, 25, 73)
    expect(found).toEqual([
      expect.stringContaining(
        'term 2 began at 20 and was durable up to 25, but the history of term 3 of c3 does not name it',
      ),
    ])
  })

  test('a durable position that goes back, or of a term that nobody has begun', () => {
    const { log, found } = afterOneTerm()
    log.durable(1, 20, 72)
    log.durable(5, 30, 73)
    expect(found).toEqual([
      expect.stringContaining('term 1, which had made 20 durable before'),
      expect.stringContaining('term 5, which nobody has begun'),
    ])
  })
})

test('a term has its stretch of the committed log', () => {
  const history = [
    { term: 1, begin: 0 },
    { term: 3, begin: 25 },
  ]
  expect(stretchOf(history, 1, 40)).toEqual({ from: 0, to: 25 })
  expect(stretchOf(history, 3, 40)).toEqual({ from: 25, to: 40 })
  expect(stretchOf(history, 2, 40)).toBeUndefined()
})
