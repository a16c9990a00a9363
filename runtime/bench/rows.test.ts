import { describe, expect, it } from 'vitest'
import { inTurn, quotients } from './rounds.ts'
import { holds, median, type Row, toJson, toTable } from './rows.ts'

const row = (values: readonly number[], bound?: Row['bound']): Row => ({
  measure: 'speed',
  values,
  unit: '×',
  ...(bound === undefined ? {} : { bound }),
})

describe('a row', () => {
  it('shows the median and the range of its rounds', () => {
    expect(toTable([row([0.5, 2, 1], { min: 1 })])).toContain('| speed | 1.00 × | 0.50 – 2.00 | ≥ 1 | yes |')
    expect(toTable([row([150, 90, 12.34], { max: 80 })])).toContain('| speed | 90.0 × | 12.3 – 150 | ≤ 80 | NO |')
    expect(JSON.parse(toJson(row([0.5, 2, 1])))).toMatchObject({ value: 1, least: 0.5, most: 2, bound: null })
  })

  it('without a bound claims nothing, and without a second round no range', () => {
    expect(toTable([row([3])])).toContain('| speed | 3.00 × | – | – | – |')
  })

  it('with a figure that could not be had fails, bound or not', () => {
    for (const values of [[], [Number.NaN], [1, Number.NaN, 1]]) {
      expect(holds(row(values))).toBe(false)
      expect(toTable([row(values)])).toContain('| NO |')
    }
  })

  it('has the middle of an even number of rounds', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })
})

describe('contestants', () => {
  it('each come once a round, and first in turn', async () => {
    const order: string[] = []
    const figures = await inTurn(['a', 'b', 'c'], 4, async (name) => order.push(name))
    expect(order.join('')).toBe('abcbcacababc')
    expect(figures).toEqual({ a: [1, 6, 8, 10], b: [2, 4, 9, 11], c: [3, 5, 7, 12] })
    expect(quotients([2, 6], [1, 3])).toEqual([2, 2])
  })
})
