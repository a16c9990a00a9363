import { expect, test } from 'vitest'
import { encodeEntry } from '../../events/log-entry.ts'
import { checkSealedEntries } from './sealed-pages.ts'

const sealed = (segmentTerm: number, segmentNumber: number, ino: number, block: number) =>
  encodeEntry({ type: 'sealed', at: 1, segmentTerm, segmentNumber, pages: Uint32Array.of(ino, block, 0, 7), sizes: [] })

test('a page goes from segment to segment, never back', () => {
  const log = [sealed(1, 1, 5, 0), sealed(1, 3, 5, 0), sealed(1, 2, 5, 1), sealed(2, 1, 5, 0)]
  expect(checkSealedEntries(Buffer.concat(log))).toEqual([])
  expect(checkSealedEntries(Buffer.concat([...log, sealed(1, 4, 5, 0)]))).toEqual([
    expect.stringContaining('sealed: block 0 of file 5 goes back from segment 1 of term 2 to segment 4 of term 1'),
  ])
  expect(checkSealedEntries(Buffer.concat([sealed(1, 2, 5, 0), sealed(1, 1, 5, 0)]))).toHaveLength(1)
})
