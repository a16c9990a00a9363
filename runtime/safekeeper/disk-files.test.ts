import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DiskFiles, nodeDiskFiles, replaceFile } from './disk-files.ts'
import { MemoryDisk } from './testing.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-disk-files-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const implementations: ReadonlyArray<readonly [string, () => DiskFiles]> = [
  ['the file system', () => nodeDiskFiles],
  ['the disk of the tests', () => new MemoryDisk()],
]

for (const [name, make] of implementations) {
  describe(name, () => {
    test('writes, reads, cuts and grows a file', () => {
      const files = make()
      const path = join(directory, 'file')
      const file = files.open(path, true)
      files.write(file, [Buffer.from('abc'), Buffer.alloc(0), Buffer.from('defg')], 2)
      files.sync(file)
      expect(files.size(file)).toBe(9)
      expect(files.readWhole(path)?.toString('latin1')).toBe('\0\0abcdefg')
      const target = Buffer.alloc(6, '.')
      expect(files.read(file, target, 1, 4, 6)).toBe(3)
      expect(target.toString()).toBe('.efg..')
      files.truncate(file, 4)
      expect(files.readWhole(path)?.toString('latin1')).toBe('\0\0ab')
      files.truncate(file, 6)
      expect(files.readWhole(path)?.toString('latin1')).toBe('\0\0ab\0\0')
      files.close(file)
    })

    test('makes a file only once, and opens only what is there', () => {
      const files = make()
      const path = join(directory, 'file')
      expect(() => files.open(path, false)).toThrow(expect.objectContaining({ _tag: 'DiskFailed' }))
      files.close(files.open(path, true))
      expect(() => files.open(path, true)).toThrow(expect.objectContaining({ _tag: 'DiskFailed' }))
      files.close(files.open(path, false))
    })

    test('names files, renames and removes them', () => {
      const files = make()
      replaceFile(files, directory, 'one', Buffer.from('1'))
      replaceFile(files, directory, 'one', Buffer.from('2'))
      expect(files.list(directory)).toEqual(['one'])
      files.rename(join(directory, 'one'), join(directory, 'two'))
      expect(files.list(directory)).toEqual(['two'])
      expect(files.readWhole(join(directory, 'two'))?.toString()).toBe('2')
      files.remove(join(directory, 'two'))
      files.remove(join(directory, 'two'))
      expect(files.readWhole(join(directory, 'two'))).toBeUndefined()
      files.syncDirectory(directory)
    })
  })
}

describe('the file system', () => {
  test('makes directories that only the owner may enter', () => {
    const path = join(directory, 'a', 'b')
    nodeDiskFiles.makeDirectory(path)
    nodeDiskFiles.makeDirectory(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  test('says that a disk is full, and what to do', () => {
    const full = nodeDiskFiles.open('/dev/full', false)
    const write = () => nodeDiskFiles.write(full, [Buffer.from('x')], 0)
    expect(write).toThrow(expect.objectContaining({ _tag: 'DiskFailed', problem: 'no space left while writing' }))
    nodeDiskFiles.close(full)
  })

  test('writes all of many parts', () => {
    const path = join(directory, 'file')
    writeFileSync(path, '')
    const file = nodeDiskFiles.open(path, false)
    const parts = Array.from({ length: 300 }, (_, at) => Buffer.alloc(1_000, at))
    nodeDiskFiles.write(file, parts, 0)
    nodeDiskFiles.close(file)
    expect(readFileSync(path).equals(Buffer.concat(parts))).toBe(true)
  })
})
