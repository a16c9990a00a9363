/** `loch simulate --mutations`: what it prints of results on paper, and that real errors in the compiled program are caught. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Mutation } from '../mutations/mutation.ts'
import { MUTATIONS } from '../mutations/mutations.ts'
import type { Failure } from '../mutations/run-mutations.ts'
import { GivenUp } from '../shrink/attempts.ts'
import { main } from './main.ts'
import { ProcessLaboratory } from './process-laboratory.ts'

const launcher = fileURLToPath(new URL('../../bin/loch.mjs', import.meta.url))
const repository = dirname(dirname(launcher))

/** Seeds of all mutations but `missed` fail at once. */
async function simulate(words: readonly string[], missed: readonly string[] = [], isStopped = false) {
  let stdout = ''
  const add = (text: string) => {
    stdout += text
  }
  const firstFailure = async (mutation: Mutation | undefined, from: number): Promise<Failure | undefined> => {
    if (isStopped) throw new GivenUp()
    if (mutation === undefined || missed.includes(mutation.name)) return undefined
    return { seed: from, violation: 'committed log: term 2 has two logs' }
  }
  const failureOf = (mutation: Mutation | undefined) => firstFailure(mutation, 5)
  const code = await main(['--mutations', ...words], {
    makeOutput: (json) => ({ json, text: add, line: (line) => add(`${line}\n`), bytes: () => {}, complain: add }),
    makeLaboratory: () => ({ firstFailure, failureOf, stop: () => {}, close: () => {} }),
  })
  return { code, stdout }
}

describe('the table', () => {
  test('has a line for each mutation', async () => {
    const { code, stdout } = await simulate([])
    expect(code).toBe(0)
    for (const { name } of MUTATIONS)
      expect(stdout).toMatch(new RegExp(`^${name} +(?:1|plan)  committed-log +committed log$`, 'm'))
    expect(stdout).toContain(`${MUTATIONS.length} of ${MUTATIONS.length} mutations were caught\n`)
  })

  test('a mutation that is not caught is a failure', async () => {
    const words = ['keep-lease', 'forget-fresh', '--seeds', '7']
    const { code, stdout } = await simulate(words, ['keep-lease'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^keep-lease +7 {2}NOT CAUGHT$/m)
    expect(stdout).toContain('1 of 2 mutations were caught\nnot caught: keep-lease\n')
  })

  test('as data', async () => {
    const words = ['keep-lease', 'forget-fresh', '--seeds', '7', '--seed', '3', '--json']
    const { code, stdout } = await simulate(words, ['keep-lease'])
    expect(code).toBe(1)
    const violation = 'committed log: term 2 has two logs'
    expect(JSON.parse(stdout)).toEqual({
      mutations: 2,
      caught: 1,
      results: [
        { name: 'keep-lease', seeds: 7 },
        { name: 'forget-fresh', seeds: 1, caughtBy: 'committed-log', seed: 3, violation },
      ],
    })
  })

  test('a mutation that is named twice is run once', async () => {
    const { stdout } = await simulate(['keep-lease', 'forget-fresh', 'keep-lease'])
    expect(stdout.match(/^keep-lease /gm)).toHaveLength(1)
    expect(stdout).toContain('2 of 2 mutations were caught\n')
  })

  test('what was given up was not caught', async () => {
    const { code, stdout } = await simulate(['keep-lease'], [], true)
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('1 were given up') })
  })
})

/** Each within a few seeds, and by another oracle; the table in mutations/README.md has all. */
const QUICK = [
  'acknowledge-before-archive',
  'acknowledge-what-was-sent',
  'elect-without-archive',
  'log-names-without-term',
  'fsync-ignores-dirty-pages',
]

/** They take half a minute on two quiet cores, and a machine that tests may have neither. */
const RUNS_WITHIN_MS = 600_000
/** Few seeds show them, so a plan was kept for each. */
const SHOWN = MUTATIONS.filter(({ plan }) => plan !== undefined).map(({ name }) => name)

test('copies of the code that a killed process left are removed', () => {
  const root = mkdtempSync(join(tmpdir(), 'loch-mutations-'))
  try {
    const [dead, alive] = [join(root, '.dist-mutants-4194305'), join(root, `.dist-mutants-${process.ppid}`)]
    const folders = ['events', 'actors', 'runtime', 'simulations'].map((layer) => join(root, 'dist', layer))
    for (const folder of [dead, alive, ...folders]) mkdirSync(folder, { recursive: true })
    const laboratory = new ProcessLaboratory(join(root, 'dist'))
    expect([existsSync(dead), existsSync(alive)]).toEqual([false, true])
    laboratory.close()
    expect(readdirSync(root).sort()).toEqual([`.dist-mutants-${process.ppid}`, 'dist'])
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

describe('the compiled program', { timeout: RUNS_WITHIN_MS }, () => {
  async function caught(names: readonly string[], seeds: number) {
    const words = [launcher, 'simulate', '--mutations', ...names, '--seeds', String(seeds), '--json']
    const child = spawn(process.execPath, words, { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'inherit'] })
    let stdout = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(code, stdout).toBe(0)
    const results = JSON.parse(stdout).results as ReadonlyArray<{ name: string; seeds: number; caughtBy: string }>
    expect(results.map(({ name }) => name)).toEqual(names)
    return results
  }

  test('catches what is caught within a few seeds', async () => {
    const results = await caught(QUICK, 100)
    expect(new Set(results.map(({ caughtBy }) => caughtBy)).size).toBeGreaterThan(2)
  })

  test('leaves no copies of the code when it is interrupted twice', async () => {
    const child = spawn(process.execPath, [launcher, 'simulate', '--mutations'], { cwd: tmpdir(), stdio: 'ignore' })
    const copies = join(repository, `.dist-mutants-${child.pid}`)
    // One of the code as it is, and one that is mutated.
    await expect.poll(() => existsSync(copies) && readdirSync(copies).length).toBeGreaterThan(1)
    const code = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGINT')
    child.kill('SIGTERM')
    expect(await code).toBe(130)
    expect(existsSync(copies)).toBe(false)
  })

  test('catches by its plan what few seeds show', async () => {
    const results = await caught(SHOWN, 1)
    expect(results.map(({ seeds }) => seeds)).toEqual(SHOWN.map(() => 0))
  })
})
