import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { commonPrefix, commonSuffix } from './difference.ts'

/** Stretches that are mostly alike, at any alignment to each other. */
const pair = fc
  .record({
    length: fc.nat(80),
    aFrom: fc.nat(9),
    bFrom: fc.nat(9),
    view: fc.nat(3),
    changes: fc.array(fc.nat(79), { maxLength: 3 }),
  })
  .map(({ length, aFrom, bFrom, view, changes }) => {
    const a = new Uint8Array(aFrom + length + 5).fill(1)
    const b = new Uint8Array(new ArrayBuffer(view + bFrom + length + 5), view).fill(1)
    // Outside the stretches everything differs.
    a.fill(7, 0, aFrom).fill(7, aFrom + length)
    for (const at of changes) if (at < length) b[bFrom + at] = 2
    return { a, aFrom, b, bFrom, length }
  })

test('the common prefix is what a byte by byte comparison finds', () => {
  fc.assert(
    fc.property(pair, ({ a, aFrom, b, bFrom, length }) => {
      let expected = 0
      while (expected < length && a[aFrom + expected] === b[bFrom + expected]) expected++
      expect(commonPrefix(a, aFrom, b, bFrom, length)).toBe(expected)
    }),
    { numRuns: 1000 },
  )
})

test('the common suffix too', () => {
  fc.assert(
    fc.property(pair, ({ a, aFrom, b, bFrom, length }) => {
      let expected = 0
      while (expected < length && a[aFrom + length - 1 - expected] === b[bFrom + length - 1 - expected]) expected++
      expect(commonSuffix(a, aFrom, b, bFrom, length)).toBe(expected)
    }),
    { numRuns: 1000 },
  )
})
