import { describe, expect, test } from 'vitest'
import { FAULT_KINDS, type Fault } from '../faults/fault.ts'
import { describeFaults, describePlan } from './describe.ts'
import { generatePlan } from './generate.ts'
import { formatPlan, readPlan } from './read.ts'

const PLAN = generatePlan(3)

/** The plan with the value at `path` replaced; left out if it is undefined. */
function altered(path: string, value: unknown): string {
  const plan = JSON.parse(formatPlan(PLAN))
  const names = path.split('.')
  const last = names.pop()!
  const holder = names.reduce((one, name) => one[name], plan)
  if (value === undefined) delete holder[last]
  else holder[last] = value
  return JSON.stringify(plan)
}

function refusal(text: string): unknown {
  try {
    readPlan(text)
  } catch (error) {
    return error
  }
  return undefined
}

describe('a plan in a file', () => {
  test('comes back as it was, whatever the seed', () => {
    const kinds = new Set<string>()
    for (let seed = 1; seed <= 300; seed++) {
      const plan = generatePlan(seed)
      for (const { kind } of plan.faults) kinds.add(kind)
      expect(formatPlan(readPlan(formatPlan(plan)))).toBe(formatPlan(plan))
    }
    // Of every kind there was one, so every kind can be read.
    expect([...kinds].sort()).toEqual([...FAULT_KINDS].sort())
  })

  test.each<[string, unknown, string, string]>([
    ['faults.0.kind', 'kil-zone', 'plan: faults[0].kind', 'there is no such fault'],
    ['faults.1', {}, 'plan: faults[1].kind', 'there is no such fault'],
    ['faults.0.atMs', undefined, 'plan: faults[0].atMs', 'this field is missing'],
    ['faults.0.atMs', -1, 'plan: faults[0].atMs', 'this is not a number'],
    ['faults.0.extra', 1, 'plan: faults[0].extra', 'there is no such field'],
    ['faults', 'none', 'plan: faults', 'this is not a list'],
    ['version', 0, 'plan: version', 'this is none of the choices'],
    ['version', undefined, 'plan: version', 'this field is missing'],
    ['workload', undefined, 'plan: workload', 'this field is missing'],
    ['workload.keys', undefined, 'plan: workload.keys', 'this field is missing'],
    ['workload.writeShare', 1.5, 'plan: workload.writeShare', 'this is not a number'],
    ['postgres.mistakes', ['no-such'], 'plan: postgres.mistakes[0]', 'this is none of the choices'],
    ['network.latency', null, 'plan: network.latency', 'this is not an object'],
    ['zones', 2.5, 'plan: zones', 'this is not a number'],
    ['clocks', [], 'plan: clocks', 'not one clock for each zone'],
    ['durability', 'hoped', 'plan: durability', 'this is none of the choices'],
    ['typo', 1, 'plan: typo', 'there is no such field'],
  ])('is refused with %s = %j', (path, value, component, problem) => {
    expect(refusal(altered(path, value))).toMatchObject({
      _tag: 'BadArgument',
      component,
      problem: expect.stringContaining(problem),
      remedy: expect.stringMatching(/\w/),
    })
  })

  test('is refused if a newer Loch wrote it, be its fields what they may', () => {
    expect(refusal('{"version": 2}')).toMatchObject({ _tag: 'FormatTooNew', value: '2' })
  })

  test.each(['', '[', 'null', '[]', '3'])('is refused if it is %j', (text) => {
    expect(refusal(text)).toMatchObject({ _tag: 'BadArgument', component: 'plan' })
  })

  test('may leave out what it takes from the network and the store as they are', () => {
    expect(refusal(altered('network.silenceMaxMs', undefined))).toBeUndefined()
    expect(refusal(altered('store', {}))).toBeUndefined()
  })

  test('is told in words', () => {
    expect(describePlan(PLAN)).toContain('3 zones')
    const cut: Fault = { kind: 'cut', atMs: 6_880, zone: 5, client: '.bus', forMs: 1_468 }
    expect(describeFaults({ ...PLAN, zones: 3, faults: [cut] })).toEqual(['   6.880 s  cut zone-3.bus for 1468 ms'])
    expect(describeFaults(PLAN)).toHaveLength(PLAN.faults.length)
    const late = { ...PLAN, faults: [cut], durationMs: 6_880 }
    expect(describeFaults(late)).toEqual([expect.stringContaining('(never strikes: too late)')])
    expect(describePlan(late)).toContain('of the faults 1 would come later than that, and never strike')
  })
})
