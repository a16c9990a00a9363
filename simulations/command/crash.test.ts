/** A run with an error that nobody catches: it is a failure like others, with its log, its page and its commands. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const launcher = fileURLToPath(new URL('../../bin/loch.mjs', import.meta.url))
/** Throws in a microtask after so many steps of a run, in whichever process that is. */
const STEPS = 1_500
const CRASH = `
let steps = 0
const before = globalThis.setImmediate
globalThis.setImmediate = (work, ...more) => {
  if (++steps === ${STEPS}) queueMicrotask(() => { throw new Error('nobody catches this') })
  return before(work, ...more)
}
`

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-simulate-'))
  writeFileSync(join(directory, 'crash.mjs'), CRASH)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function loch(words: readonly string[], crash = true) {
  const options = { NODE_OPTIONS: crash ? `--import=${join(directory, 'crash.mjs')}` : '' }
  const child = spawn(process.execPath, [launcher, ...words], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options },
  })
  const ended = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    ended.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    ended.stderr += chunk
  })
  return new Promise<typeof ended & { code: number | null }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...ended })),
  )
}

test('one run is told as JSON, and leaves its log and its page', async () => {
  const words = ['simulate', '--seed', '3', '--no-shrink', '--log', 'x.loch', '--report', 'x.html', '--json']
  const { code, stdout, stderr } = await loch(words)
  expect(code, stderr).toBe(1)
  const violation = expect.stringMatching(/^Error: nobody catches this\n/)
  expect(JSON.parse(stdout).failures).toMatchObject([{ seed: 3, violation }])
  expect(readFileSync(join(directory, 'x.html'), 'utf8')).toContain('nobody catches this')
  const replayed = await loch(['replay', 'x.loch', '--type', 'verdict', '--json'], false)
  expect(JSON.parse(replayed.stdout).payload).toMatchObject({ violation: 'Error: nobody catches this' })
})

test('one of many leaves a log that can be read', async () => {
  const { code, stdout, stderr } = await loch(['simulate', '--seed', '3', '--seeds', '1', '--no-shrink'])
  expect(code).toBe(1)
  expect(stderr).not.toContain('may not be whole')
  expect(stdout).toMatch(/FAILED: seed 3\n {2}Error: nobody catches this\n/)
  expect(stdout).toContain('npx loch replay loch-seed-3.loch\n')
  const replayed = await loch(['replay', 'loch-seed-3.loch', '--type', 'verdict', '--json'], false)
  expect(JSON.parse(replayed.stdout).payload).toMatchObject({ violation: 'Error: nobody catches this' })
})

test('a log that is being written when its process ends holds what came before', async () => {
  const exit = CRASH.replace("throw new Error('nobody catches this')", 'process.exit(9)')
  writeFileSync(join(directory, 'crash.mjs'), exit)
  expect((await loch(['simulate', '--seed', '3', '--log', 'x.loch'])).code).toBe(9)
  const replayed = await loch(['replay', 'x.loch', '--limit', '1', '--json'], false)
  expect(replayed).toMatchObject({ code: 0, stderr: '' })
})
