import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decode, encode } from '../../events/codec.ts'
import type { Change } from '../../events/run-log.ts'
import { applyChanges, changesBetween, differences, isEqual } from './changes.ts'

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.integer(),
    fc.constantFrom(undefined, null, 'a', 'b', true, Number.NEGATIVE_INFINITY),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('any'), { noNullPrototype: true }),
  ),
})).any

test('changes turn the one value into the other, also after they were stored', () => {
  fc.assert(
    fc.property(value, value, (before, after) => {
      const changes = decode(encode(changesBetween(before, after))) as Change[]
      const copy = structuredClone(before)
      expect(applyChanges(before, changes)).toStrictEqual(after)
      expect(before).toStrictEqual(copy)
      expect(changes.length === 0).toBe(isEqual(before, after))
      expect(differences(before, after).length === 0).toBe(isEqual(before, after))
    }),
    { numRuns: 500, seed: 7 },
  )
})

test('only what changed is named', () => {
  const shared = { list: [1, 2] }
  const changes = changesBetween({ shared, term: 1, gone: 0 }, { shared, term: 2 })
  expect(changes).toEqual([[['gone']], [['term'], 2]])
})

test('differences name leaves, in lists too', () => {
  expect(differences({ a: [1, { b: 2 }] }, { a: [1, { b: 3 }, 4] })).toEqual([
    { path: 'a.1.b', before: 2, after: 3 },
    { path: 'a.2', before: undefined, after: 4 },
  ])
})
