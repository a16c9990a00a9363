/** The launcher (bin/loch.mjs) in a source tree of two files: what it compiles, and when. */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { processStartTicks } from '../postgres/processes.ts'

const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const CLI = "import { greeting } from './greeting.ts'\nexport const runAndExit = async () => console.log(greeting)\n"

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loch-launcher-'))
  for (const name of ['bin', 'tsconfig.json', 'tsconfig.build.json', 'package.json']) {
    cpSync(join(repository, name), join(root, name), { recursive: true })
  }
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'))
  mkdirSync(join(root, 'runtime', 'control'), { recursive: true })
  source('cli', CLI)
  source('greeting', "export const greeting: string = 'hello'\n")
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const PROGRAM = join('simulations', 'command', 'main')

function source(name: string, text: string): void {
  writeFileSync(join(root, 'runtime', 'control', `${name}.ts`), text)
}

const compiled = (name: string) => join(root, 'dist', 'runtime', 'control', `${name}.js`)

function loch(...words: readonly string[]): Promise<{ readonly said: string; readonly compiles: boolean }> {
  const child = spawn(process.execPath, [join(root, 'bin', 'loch.mjs'), ...words])
  let [said, errors] = ['', '']
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  return new Promise((resolve) =>
    child.once('close', (code) =>
      resolve({ said: code === 0 ? said.trim() : `${code}: ${errors}`, compiles: errors.includes('Compiling') }),
    ),
  )
}

const leftovers = () => readdirSync(root).filter((name) => name.startsWith('.dist'))

describe('the launcher', () => {
  test('compiles once, and again when a source has changed', async () => {
    expect(await loch()).toEqual({ said: 'hello', compiles: true })
    expect(await loch()).toEqual({ said: 'hello', compiles: false })
    source('greeting', "export const greeting: string = 'good evening'\n")
    expect(await loch()).toEqual({ said: 'good evening', compiles: true })
    expect(leftovers()).toEqual([])
  })

  test('hands `simulate` to a program of its own, without that word', async () => {
    mkdirSync(join(root, dirname(PROGRAM)), { recursive: true })
    const main = 'export const runAndExit = async (words: readonly string[]) => console.log(words.join())\n'
    writeFileSync(join(root, `${PROGRAM}.ts`), main)
    expect((await loch('simulate', '--seed', '3')).said).toBe('--seed,3')
    expect((await loch('status', 'simulate')).said).toBe('hello')
    rmSync(join(root, `${PROGRAM}.ts`))
    expect((await loch('simulate')).said).toContain('the compiled program is missing')
  })

  test('keeps nothing of a source that is gone', async () => {
    source('other', 'export {}\n')
    await loch()
    expect(existsSync(compiled('other'))).toBe(true)
    rmSync(join(root, 'runtime', 'control', 'other.ts'))
    expect(await loch()).toEqual({ said: 'hello', compiles: true })
    expect(existsSync(compiled('other'))).toBe(false)
  })

  test.each(['cli', 'greeting'])('compiles again when %s is missing or cut off in dist/', async (name) => {
    await loch()
    rmSync(compiled(name))
    expect(await loch()).toEqual({ said: 'hello', compiles: true })
    writeFileSync(compiled(name), '')
    expect(await loch()).toEqual({ said: 'hello', compiles: true })
  })

  test('leaves dist/ as it is when the sources do not compile', async () => {
    await loch()
    source('greeting', 'export const greeting = {{{\n')
    expect((await loch()).said).toContain('do not compile')
    expect(existsSync(compiled('greeting'))).toBe(true)
    expect(leftovers()).toEqual([])
    source('greeting', "export const greeting: string = 'hello'\n")
    expect(await loch()).toEqual({ said: 'hello', compiles: true })
  })

  test.each([
    ['that is dead', () => '4194400 1'],
    ['whose pid is another’s now', () => `${process.pid} ${processStartTicks(process.pid)! - 1}`],
  ])('clears up after a builder %s', async (_, builder) => {
    writeFileSync(join(root, '.dist-guard'), builder())
    mkdirSync(join(root, '.dist-4194400', 'runtime'), { recursive: true })
    mkdirSync(join(root, '.dist-mutants-4194400', 'unmutated'), { recursive: true })
    expect(await loch()).toEqual({ said: 'hello', compiles: true })
    expect(leftovers()).toEqual([])
  })

  test('waits for one who builds', async () => {
    writeFileSync(join(root, '.dist-guard'), `${process.pid} ${processStartTicks(process.pid)}`)
    const started = loch()
    await new Promise((resolve) => setImmediate(resolve))
    expect(existsSync(compiled('cli'))).toBe(false)
    rmSync(join(root, '.dist-guard'))
    expect((await started).said).toBe('hello')
  })

  test('compiles once for many who start together', async () => {
    const runs = await Promise.all(Array.from({ length: 4 }, () => loch()))
    expect(runs.map(({ said }) => said)).toEqual(['hello', 'hello', 'hello', 'hello'])
    expect(runs.filter(({ compiles }) => compiles)).toHaveLength(1)
    expect(leftovers()).toEqual([])
  })
})
