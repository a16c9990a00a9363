import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'loch.mjs')

test.each([[[]], [['--json']]])(
  'a disk that is full is told in one line, and not as a mistake of Loch: %j',
  (flags) => {
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = spawnSync(process.execPath, [launcher, '--version', ...flags], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    })
    closeSync(full)
    expect(status).toBe(1)
    expect(stderr.replace(/^Compiling.*\n/, '')).toMatch(
      /^error: output: it cannot be written \(ENOSPC\) \(stdout\)\. [^\n]*\n$/,
    )
  },
)
