import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { useChecksum } from '../../events/checksum.ts'
import { generatePlan } from '../plan/generate.ts'
import { runPlan } from '../run/run.ts'
import { readKeptSeed } from './kept-seed.ts'

useChecksum((bytes, before) => crc32(bytes, before))

/** Those that show deliberate errors must pass without them, and are as good as any other plan for that. */
const SHOWN = '../mutations/plans/'
const plansIn = (folder: string) =>
  readdirSync(join(import.meta.dirname, folder)).filter((name) => name.endsWith('.json'))
const names = [...plansIn('.'), ...plansIn(SHOWN).map((name) => `${SHOWN}${name}`)]
const read = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')

describe('what was mended stays so', () => {
  test('there are plans', () => {
    expect(plansIn('.').length).toBeGreaterThan(0)
    expect(plansIn(SHOWN).length).toBeGreaterThan(0)
  })

  test.each(names)('%s', async (name) => {
    const { plan, about } = readKeptSeed(name, read(name))
    expect(about).not.toBe('')
    expect((await runPlan(plan)).violation).toBeUndefined()
  })
})

describe('reading', () => {
  const plan = JSON.parse(JSON.stringify(generatePlan(1)))
  const read =
    (change: object, seed: object = {}) =>
    () =>
      readKeptSeed('a.json', JSON.stringify({ found: 'x', about: 'y', plan: { ...plan, ...change }, ...seed }))

  test('what was written is read', () => {
    expect(read({})()).toEqual({ found: 'x', about: 'y', plan })
  })

  test('what is wrong with a plan is said of its file', () => {
    const unknown = read({ faults: [{ kind: 'meteorite', atMs: 1 }] })
    expect(unknown).toThrow(expect.objectContaining({ component: 'plan a.json: faults[0].kind' }))
    expect(read({ version: 99 })).toThrow(
      expect.objectContaining({ _tag: 'FormatTooNew', component: 'plan a.json: version' }),
    )
  })

  test.each([
    ['a plan with an unknown fault', read({ faults: [{ kind: 'meteorite', atMs: 1 }] }), 'there is no such fault'],
    ['no words', read({}, { about: 7 }), 'must be texts'],
    ['no JSON', () => readKeptSeed('a.json', '{'), 'SyntaxError'],
    ['no object', () => readKeptSeed('a.json', '[]'), 'no JSON object'],
  ])('%s is refused', (_, read, problem) => {
    expect(read).toThrow(expect.objectContaining({ _tag: 'BadArgument', problem: expect.stringContaining(problem) }))
  })
})
