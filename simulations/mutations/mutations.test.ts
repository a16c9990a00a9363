import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compiledFile, edit, editsOf, type Mutation } from './mutation.ts'
import { MUTATIONS } from './mutations.ts'
import { ORACLES, oracleOf } from './oracle-of.ts'
import { resultLine, summaryLines } from './result-lines.ts'
import { type Failure, type Laboratory, type MutationResult, runMutations } from './run-mutations.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

describe('each mutation', () => {
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'loch-compiled-'))
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
    const project = join(repository, 'tsconfig.build.json')
    execFileSync(process.execPath, [tsc, '-p', project, '--noCheck', '--outDir', directory])
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))('%s is other code', (_, mutation) => {
    for (const one of editsOf(mutation)) {
      const compiled = readFileSync(join(directory, compiledFile(one)), 'utf8')
      const edited = edit(compiled, one)
      expect(edited).not.toBe(compiled)
      // What cannot be loaded would be caught by every seed, and show nothing.
      writeFileSync(join(directory, 'edited.mjs'), edited)
      execFileSync(process.execPath, ['--check', join(directory, 'edited.mjs')], { stdio: 'pipe' })
    }
  })

  test('has a name of its own, and says what it breaks', () => {
    expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length)
    for (const { about } of MUTATIONS) expect(about).toMatch(/^[A-Z].*\.$/)
    const changes = MUTATIONS.map((mutation) => JSON.stringify(editsOf(mutation)))
    expect(new Set(changes).size).toBe(MUTATIONS.length)
  })
})

const mutation: Mutation = { name: 'a', file: 'events/a.ts', find: 'x', replace: 'y', about: 'It is wrong.' }

describe('edit', () => {
  test('wants its text once', () => {
    expect(edit('1 x 2', mutation)).toBe('1 y 2')
    expect(() => edit('1 2', mutation)).toThrow('occurs 0 times in events/a.ts')
    expect(() => edit('x x', mutation)).toThrow('occurs 2 times')
    expect(edit('1 x 2', { ...mutation, replace: '$&' })).toBe('1 $& 2')
  })
})

describe('runMutations', () => {
  const NO_SERVICE = 'Error: no service within 120000 ms: zone-1'

  /** By name of a mutation, how which seeds and plans fail. */
  class Paper implements Laboratory {
    readonly asked: string[] = []
    readonly #failures: Readonly<Record<string, Readonly<Record<number | string, string>>>>

    constructor(failures: Readonly<Record<string, Readonly<Record<number | string, string>>>>) {
      this.#failures = failures
    }

    async failureOf(mutation: Mutation | undefined, plan: string, seed?: number): Promise<Failure | undefined> {
      const name = mutation?.name ?? 'none'
      this.asked.push(`${name} ${plan} ${seed ?? ''}`.trim())
      const violation = this.#failures[name]?.[plan]
      return violation === undefined ? undefined : { seed: 99, violation }
    }

    async firstFailure(mutation: Mutation | undefined, from: number, to: number): Promise<Failure | undefined> {
      const name = mutation?.name ?? 'none'
      this.asked.push(`${name} ${from}-${to}`)
      for (const [seed, violation] of Object.entries(this.#failures[name] ?? {})) {
        if (Number(seed) >= from && Number(seed) <= to) return { seed: Number(seed), violation }
      }
      return undefined
    }
  }

  test('a seed that fails alike without the mutation has not caught it', async () => {
    const laboratory = new Paper({ a: { 3: NO_SERVICE, 5: NO_SERVICE }, none: { 3: NO_SERVICE.replace('1', '2') } })
    const reported: MutationResult[] = []
    const report = (result: MutationResult) => void reported.push(result)
    const results = await runMutations({ laboratory, mutations: [mutation], seedsMax: 10, report })
    expect(results).toEqual([{ name: 'a', caught: { seed: 5, violation: NO_SERVICE }, seeds: 5 }])
    expect(reported).toEqual(results)
    expect(laboratory.asked).toEqual(['a 1-10', 'none 3-3', 'a 4-10', 'none 5-5'])
  })

  test('a plan comes before the seeds, which are not run if it has caught the mutation', async () => {
    const laboratory = new Paper({
      a: { 2: 'Error: 1.0 s fork: x', p: 'Error: 2.0 s fork: y', q: NO_SERVICE },
      none: { q: NO_SERVICE },
    })
    const search = (plan: string) => runMutations({ laboratory, mutations: [{ ...mutation, plan }], seedsMax: 10 })
    const [shown] = await search('p')
    expect(shown).toEqual({ name: 'a', caught: { seed: 99, violation: 'Error: 2.0 s fork: y' }, seeds: 0 })
    expect(resultLine(shown!)).toMatch(/^a +plan {2}ledger +fork$/)
    expect(laboratory.asked).toEqual(['a p', 'none p 99'])
    expect((await search('q'))[0]).toMatchObject({ seeds: 2 })
    expect((await search('nothing fails'))[0]).toMatchObject({ seeds: 2 })
  })

  test('one that fails otherwise has', async () => {
    const laboratory = new Paper({ a: { 3: 'Error: 1.0 s fork: x' }, none: { 3: NO_SERVICE } })
    const [result] = await runMutations({ laboratory, mutations: [mutation], seedsMax: 10 })
    expect(result?.caught?.seed).toBe(3)
  })

  test('what nothing catches is named', async () => {
    const laboratory = new Paper({ b: { 1: 'Error: 1.0 s fork: x' } })
    const mutations = [mutation, { ...mutation, name: 'b' }]
    const results = await runMutations({ laboratory, mutations, fromSeed: 1, seedsMax: 4 })
    expect(results[0]).toEqual({ name: 'a', caught: undefined, seeds: 4 })
    expect(results.map(resultLine)).toEqual([
      expect.stringMatching(/^a +4 {2}NOT CAUGHT$/),
      expect.stringMatching(/^b +1 {2}ledger +fork$/),
    ])
    expect(summaryLines(results)).toEqual(['1 of 2 mutations were caught', 'not caught: a'])
  })
})

describe('oracleOf', () => {
  test.each([
    ['Error: 3.1 s lost-commit: key 4', 'ledger'],
    ['committed log: term 3 has two logs', 'committed-log'],
    ['snapshots: one at 9 is recorded, but', 'snapshots'],
    ['fresh votes: a begins term 2 at 3 of term 1', 'fresh-votes'],
    ['recovered from the log up to 17314, key 1 has no value', 'images'],
    ['Error: no service within 120000 ms after the last fault: zone-1', 'liveness'],
    ['term 3 was granted to a and, by event 4, to b', 'terms'],
    ['the log of zone-1, last written in term 3, holds other bytes', 'log-copies'],
    ['timeline.main: zone-1 reach event 7, the journal 6', 'journals'],
    ['the process of the run ended: SyntaxError', 'process'],
    ['TypeError: x is not a function\n  no service within 3', 'the code itself'],
  ])('%s', (violation, oracle) => {
    expect(oracleOf(violation)).toBe(oracle)
  })

  test('names files of oracles', () => {
    for (const name of ORACLES) expect(existsSync(join(repository, 'simulations/oracles', `${name}.ts`))).toBe(true)
  })
})
