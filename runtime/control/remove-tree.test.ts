import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { whatPreventsMounts } from '../fuse/testing/mount-process.ts'
import { removeTree } from './remove-tree.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loch-tree-'))
  mkdirSync(join(root, 'tree', 'native'), { recursive: true })
  mkdirSync(join(root, 'package'))
  writeFileSync(join(root, 'package', 'binary'), 'somebody needs it')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

test('what is no mount is deleted, and what is absent is as good as deleted', () => {
  expect(removeTree(join(root, 'tree'))).toBe(true)
  expect(existsSync(join(root, 'tree'))).toBe(false)
  expect(removeTree(join(root, 'tree'))).toBe(true)
})

const prevented = await whatPreventsMounts()

const skipped = prevented === undefined ? '' : ` (skipped: ${prevented})`
test.skipIf(prevented !== undefined)(
  `nothing is deleted through a mount of any kind, by whatever path${skipped}`,
  () => {
    const native = join(root, 'tree', 'native')
    const bound = spawnSync('mount', ['--bind', join(root, 'package'), native], { encoding: 'utf8' })
    expect(bound).toMatchObject({ status: 0, stderr: '' })
    symlinkSync(join(root, 'tree'), join(root, 'link'))
    try {
      for (const path of ['tree', 'link', 'tree/native']) expect(removeTree(join(root, path))).toBe(false)
      expect(existsSync(join(root, 'package', 'binary'))).toBe(true)
    } finally {
      spawnSync('umount', [native])
    }
    expect(removeTree(join(root, 'tree'))).toBe(true)
  },
)
