/** What is compiled for users (tsconfig.build.json): all that runs, and nothing that only tests need. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
let shipped: readonly string[]

beforeAll(() => {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const config = join(root, 'tsconfig.build.json')
  const files = execFileSync(process.execPath, [tsc, '-p', config, '--listFilesOnly'], { encoding: 'utf8' })
  shipped = files
    .split('\n')
    .map((file) => relative(root, file))
    .filter((file) => /^(events|actors|runtime|simulations)\//.test(file))
})

describe('what is shipped', () => {
  test.each([
    'runtime/control/cli.ts',
    'runtime/control/client.ts',
    'runtime/zone/main.ts',
    'runtime/safekeeper/worker.ts',
    'runtime/compute/volume-worker.ts',
    'runtime/bench/main.ts',
    'simulations/command/main.ts',
    'simulations/command/worker.ts',
  ])('has %s', (entry) => {
    expect(shipped).toContain(entry)
  })

  test('is no test and needs no package of tests', () => {
    const forTests = /from '(vitest|fast-check)'/
    expect(shipped.filter((file) => forTests.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
    expect(shipped.filter((file) => /\.test\.ts$|testing|contract/.test(file))).toEqual([])
  })
})
