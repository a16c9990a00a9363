import * as fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { DiskFailed } from '../errors.ts'
import { PageFile } from './page-file.ts'

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loch-page-file-'))
const file = path.join(directory, 'pages')
const writeSync = fs.writeSync

afterAll(() => fs.rmSync(directory, { recursive: true }))
afterEach(() => replaceWrite(writeSync))

/** Has every module see another writeSync. */
function replaceWrite(replacement: unknown): void {
  const mutable = (fs as unknown as { readonly default: { writeSync: unknown } }).default
  mutable.writeSync = replacement
  syncBuiltinESMExports()
}

function pageOf(fill: number): Buffer {
  return Buffer.alloc(PAGE_BYTES, fill)
}

function slot(pages: PageFile, at: number): Buffer {
  const page = Buffer.alloc(PAGE_BYTES, 0xee)
  pages.read(at, page, 0, 0, PAGE_BYTES)
  return page
}

test('slots keep what was written, each its own', () => {
  const pages = new PageFile(file, 4)
  for (const at of [2, 0, 1]) pages.write(at, pageOf(at + 1), 0, 0, PAGE_BYTES)
  pages.write(1, Buffer.from('..change..'), 2, 100, 6)
  expect(slot(pages, 0)).toEqual(pageOf(1))
  expect(slot(pages, 2)).toEqual(pageOf(3))
  const changed = pageOf(2)
  changed.write('change', 100)
  expect(slot(pages, 1)).toEqual(changed)
  const part = Buffer.alloc(10, 0xee)
  pages.read(1, part, 2, 99, 5)
  expect(part.toString('latin1')).toBe('\xee\xee\x02chan\xee\xee\xee')
  expect(pages.slotCount).toBe(4)
  pages.close()
})

test('what was never written is zeros, also behind the end of the file', () => {
  const pages = new PageFile(file, 4)
  expect(slot(pages, 3)).toEqual(pageOf(0))
  pages.write(1, Buffer.from('head'), 0, 0, 4)
  const expected = pageOf(0)
  expected.write('head')
  expect(slot(pages, 1)).toEqual(expected)
  expect(slot(pages, 0)).toEqual(pageOf(0))
  const part = Buffer.alloc(8, 0xee)
  pages.read(1, part, 1, 2, 6)
  expect(part).toEqual(Buffer.from([0xee, 'a'.charCodeAt(0), 'd'.charCodeAt(0), 0, 0, 0, 0, 0xee]))
  pages.close()
})

test('nothing of an earlier file is seen, and nothing is left behind', () => {
  fs.writeFileSync(file, 'of another life')
  const pages = new PageFile(file, 2)
  expect(fs.existsSync(file)).toBe(false)
  expect(slot(pages, 0)).toEqual(pageOf(0))
  // Two of one name do not know each other.
  const other = new PageFile(file, 2)
  other.write(0, pageOf(9), 0, 0, PAGE_BYTES)
  expect(slot(pages, 0)).toEqual(pageOf(0))
  pages.close()
  other.close()
  expect(fs.readdirSync(directory)).toEqual([])
})

test.each([
  ['a disk that is full', 'ENOSPC', () => 100],
  [
    'a disk that fails',
    'EIO',
    () => {
      throw Object.assign(new Error('write'), { code: 'EIO' })
    },
  ],
])('%s is a DiskFailed with a remedy, not a torn page', (_, code, write) => {
  const pages = new PageFile(file, 1)
  replaceWrite(write)
  const failing = () => pages.write(0, pageOf(1), 0, 0, PAGE_BYTES)
  expect(failing).toThrow(DiskFailed)
  try {
    failing()
  } catch (error) {
    expect(error).toMatchObject({ component: 'page cache', value: file, problem: expect.stringContaining(code) })
    expect((error as DiskFailed).remedy).toContain('--cache-size')
  }
  pages.close()
})
