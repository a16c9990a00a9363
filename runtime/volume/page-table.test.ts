import { expect, test } from 'vitest'
import { FileClass } from './file-class.ts'
import { indexBlockBytes, writeIndexBlock } from './index-block.ts'
import { type FileBody, Node } from './node.ts'
import { Found, PageTable } from './page-table.ts'

function file(ino = 9): FileBody {
  return new Node({ ino, fileClass: FileClass.paged, mode: 0o100600, uid: 0, gid: 0, target: '', at: 0 }).body!
}

/** The stored form of a chunk whose page p lies in slot p of segment 1/1. */
function stored(ino: number, chunk: number, pageCount: number): Buffer {
  const entries = new Uint32Array(pageCount * 4)
  for (let page = 0; page < pageCount; page++) entries.set([1, 1, page, page], page * 4)
  const block = Buffer.alloc(indexBlockBytes(pageCount))
  writeIndexBlock(block, 0, ino, chunk, entries, pageCount)
  return block
}

const slotOf = (table: PageTable, body: FileBody, block: number): number | Found => {
  const found = table.find(body, block)
  return found === Found.stored ? 1000 + table.location.slot : found
}

test('pages are found across chunks, holes are holes', () => {
  const table = new PageTable()
  const body = file()
  table.set(body, 0, 3, 4, 5, 6)
  table.set(body, 511, 3, 4, 511, 6)
  table.set(body, 131_071, 3, 4, 7, 0xffff_ffff)
  expect(table.find(body, 0)).toBe(Found.stored)
  expect(table.location).toEqual({ segmentTerm: 3, segmentNumber: 4, slot: 5, checksum: 6 })
  expect(slotOf(table, body, 511)).toBe(1511)
  expect(slotOf(table, body, 131_071)).toBe(1007)
  expect(table.location.checksum).toBe(0xffff_ffff)
  for (const block of [1, 510, 512, 131_070, 200_000]) expect(slotOf(table, body, block)).toBe(Found.hole)
})

test('what is in memory hides the base, before and after it is loaded', () => {
  const table = new PageTable()
  const body = file()
  table.restore(body, 0, { key: 'k', offset: 64, pageCount: 40 })
  expect(slotOf(table, body, 3)).toBe(Found.unloaded)
  expect(slotOf(table, body, 40)).toBe(Found.hole)
  table.set(body, 3, 2, 2, 77, 0)
  table.set(body, 31, 2, 2, 31, 0)
  expect(slotOf(table, body, 3)).toBe(1077)
  expect(slotOf(table, body, 31)).toBe(1031)
  expect(table.want(body, 4)).toEqual({ kind: 'index', key: 'k', offset: 64, length: indexBlockBytes(40) })
  expect(table.deliver('k', 64, stored(9, 0, 40))).toBe(true)
  expect([3, 4, 31, 39, 40].map((block) => slotOf(table, body, block))).toEqual([1077, 1004, 1031, 1039, Found.hole])
})

test('a cut hides the end of the base', () => {
  const table = new PageTable()
  const body = file()
  table.restore(body, 0, { key: 'k', offset: 0, pageCount: 40 })
  table.restore(body, 1, { key: 'k', offset: 1000, pageCount: 1 })
  table.cut(body, 10)
  expect([9, 10, 512].map((block) => slotOf(table, body, block))).toEqual([Found.unloaded, Found.hole, Found.hole])
  table.want(body, 9)
  table.deliver('k', 0, stored(9, 0, 40))
  expect([9, 10].map((block) => slotOf(table, body, block))).toEqual([1009, Found.hole])
  table.cut(body, 0)
  expect(slotOf(table, body, 0)).toBe(Found.hole)
  expect(table.changed.size).toBe(0)
})

test('a block that arrives for a chunk that is gone is ignored', () => {
  const table = new PageTable()
  const body = file()
  table.restore(body, 0, { key: 'k', offset: 0, pageCount: 4 })
  table.want(body, 0)
  table.cut(body, 0)
  table.set(body, 0, 5, 5, 5, 5)
  expect(table.deliver('k', 0, stored(9, 0, 4))).toBe(true)
  expect([0, 1].map((block) => slotOf(table, body, block))).toEqual([1005, Found.hole])
})

test('unchanged chunks are shed when they are too many, those in use last, changed ones never', () => {
  const chunkBytes = 4 * 16
  const table = new PageTable(3 * chunkBytes)
  const bodies = [1, 2, 3, 4, 5].map((ino) => file(ino))
  const load = (body: FileBody): void => {
    table.want(body, 0)
    expect(table.deliver(`k${body.node.ino}`, 0, stored(body.node.ino, 0, 4))).toBe(true)
  }
  for (const body of bodies) table.restore(body, 0, { key: `k${body.node.ino}`, offset: 0, pageCount: 4 })
  const isLoaded = (): boolean[] => bodies.map((body) => body.chunks[0]!.isComplete)
  for (const body of bodies.slice(0, 3)) load(body)
  expect(isLoaded()).toEqual([true, true, true, false, false])
  load(bodies[3]!)
  // All had been used, so the oldest went; now the others have lost their mark.
  expect(isLoaded()).toEqual([false, true, true, true, false])
  table.find(bodies[1]!, 0)
  load(bodies[4]!)
  expect(isLoaded()).toEqual([false, true, false, true, true])
  const changed = [1, 3, 4].map((at) => bodies[at]!)
  for (const body of changed) table.set(body, 1, 1, 1, 77, 1)
  for (let round = 0; round < 3; round++) {
    for (let ino = 10; ino < 16; ino++) {
      const other = file(ino)
      table.restore(other, 0, { key: `k${ino}`, offset: 0, pageCount: 4 })
      load(other)
    }
  }
  for (const body of changed) expect([0, 1].map((block) => slotOf(table, body, block))).toEqual([1000, 1077])
})

test('a chunk that changed while it was stored is stored again', () => {
  const table = new PageTable()
  const body = file()
  table.set(body, 0, 1, 1, 1, 1)
  const chunk = body.chunks[0]!
  const { revision } = chunk
  table.set(body, 1, 1, 1, 2, 1)
  table.stored(chunk, revision, { key: 'k', offset: 0, pageCount: 1 })
  expect(table.changed.has(chunk)).toBe(true)
  table.stored(chunk, chunk.revision, { key: 'l', offset: 0, pageCount: 2 })
  expect(table.changed.size).toBe(0)
  expect(slotOf(table, body, 1)).toBe(1002)
})
