/** The stored formats of snapshots, as version 1 wrote them: these tests may be added to, and none may be changed. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FileClass } from './file-class.ts'
import { decodeFileTable, encodeFileTable, type FileTable, type TableNode } from './file-table.ts'
import { indexBlockBytes, isIndexBlock, readIndexBlock, writeIndexBlock } from './index-block.ts'

const golden = (name: string) => readFileSync(new URL(`../../events/golden/${name}`, import.meta.url))

const common = { uid: 70, gid: 71, target: '', mtimeMs: 1_700_000_000_123.5, ctimeMs: 1_700_000_000_124, chunks: [] }
const nodes: readonly TableNode[] = [
  { ...common, ino: 1, mode: 0o040755, fileClass: FileClass.logged, size: 0 },
  { ...common, ino: 2, mode: 0o040700, fileClass: FileClass.logged, size: 0 },
  {
    ...common,
    ino: 9,
    mode: 0o100600,
    fileClass: FileClass.paged,
    size: 0x2_0000_2000,
    chunks: [
      { number: 0, place: { key: 'timelines/main/index/00000003/00000001', offset: 0, pageCount: 512 } },
      { number: 2048, place: { key: 'timelines/main/index/00000004/00000007', offset: 8208, pageCount: 1 } },
    ],
  },
  { ...common, ino: 10, mode: 0o120777, fileClass: FileClass.logged, size: 4, target: 'bäse' },
]
const table: FileTable = {
  position: 0x3_0000_0001,
  nextIno: 11,
  nodes,
  names: [
    { directory: 1, ino: 2, name: 'base' },
    { directory: 2, ino: 9, name: '16384' },
    { directory: 1, ino: 10, name: 'ümläut' },
  ],
}
const entries = Uint32Array.of(3, 1, 0, 0xdead_beef, 0, 0, 0, 0, 4, 0xffff_ffff, 511, 1)

test('a file table has stable bytes and is read back', () => {
  expect(encodeFileTable(table).toString('hex')).toBe(golden('file-table-v1.bin').toString('hex'))
  expect(decodeFileTable(golden('file-table-v1.bin'))).toEqual(table)
})

test('an index block has stable bytes and is read back', () => {
  const block = Buffer.alloc(indexBlockBytes(3))
  expect(writeIndexBlock(block, 0, 9, 2048, entries, 3)).toBe(64)
  expect(block.toString('hex')).toBe(golden('index-block-v1.bin').toString('hex'))
  expect(readIndexBlock(golden('index-block-v1.bin'), 9, 2048)).toEqual(entries)
})

test('every flipped bit is noticed', () => {
  for (const [name, read] of [
    ['index-block-v1.bin', (bytes: Uint8Array) => isIndexBlock(bytes)],
    ['file-table-v1.bin', (bytes: Uint8Array) => decodes(bytes)],
  ] as const) {
    const bytes = Uint8Array.from(golden(name))
    expect(read(bytes)).toBe(true)
    for (let at = 0; at < bytes.length; at++) {
      bytes[at]! ^= 1 << (at % 8)
      expect(read(bytes), `${name}, byte ${at}`).toBe(false)
      bytes[at]! ^= 1 << (at % 8)
    }
    expect(read(bytes.subarray(0, -1))).toBe(false)
  }
})

test('a block of another file or chunk is not taken for the one wanted', () => {
  const block = golden('index-block-v1.bin')
  expect(readIndexBlock(block, 8, 2048)).toBeUndefined()
  expect(readIndexBlock(block, 9, 2047)).toBeUndefined()
})

test('ten thousand files are read back, wherever the bytes begin', () => {
  const many: TableNode[] = []
  const names: Array<FileTable['names'][number]> = []
  for (let ino = 2; ino < 10_002; ino++) {
    const place = { key: `timelines/main/index/00000003/${ino % 20}`, offset: ino, pageCount: 3 }
    many.push({ ...nodes[2]!, ino, chunks: [{ number: 0, place }] })
    names.push({ directory: 1, ino, name: String(16_384 + ino) })
  }
  const large = { ...table, nodes: [nodes[0]!, ...many], names }
  const bytes = encodeFileTable(large)
  expect(decodeFileTable(bytes)).toEqual(large)
  const shifted = new Uint8Array(bytes.length + 1)
  shifted.set(bytes, 1)
  expect(decodeFileTable(shifted.subarray(1))).toEqual(large)
})

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeFileTable(bytes)
    return true
  } catch {
    return false
  }
}
