/** Explanations without real runs: what is found, what is not, and what ends the search. */
import { describe, expect, test } from 'vitest'
import type { Fault } from '../faults/fault.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import type { Cause } from '../shrink/cause.ts'
import { Explainer, type Explanation } from './explain.ts'
import { describeExplanation } from './failure-text.ts'
import { Findings } from './findings.ts'
import type { Runner, Verdict } from './runner.ts'
import { type Failure, Tally } from './tally.ts'

const kill = (zone: number, atMs: number): Fault => ({ kind: 'kill-zone', zone, atMs, forMs: 1 })
const PLAN: Plan = { ...generatePlan(7), faults: [kill(1, 4_000), kill(2, 5_000), kill(0, 6_000)], durationMs: 9_000 }
const VIOLATION = '3.1 s lost-commit: key 4 is gone'

const failsIf = (zone: number) => (plan: Plan) => plan.faults.some((fault) => 'zone' in fault && fault.zone === zone)

function runner(fails: (plan: Plan) => boolean, ran: (runs: number) => void = () => {}): Runner {
  let runs = 0
  return {
    run: async (plan): Promise<Verdict> => {
      ran(++runs)
      return fails(plan) ? { violation: VIOLATION } : {}
    },
    stop: () => {},
  }
}

const explain = (one: Runner) => new Explainer(one, () => {}).explain(PLAN, VIOLATION)

describe('an explanation', () => {
  test('is the shortest plan and its cause', async () => {
    const { found, plan, cause } = await explain(runner(failsIf(2)))
    expect(found).toBe('shortest')
    expect(plan.faults).toEqual([kill(2, 5_000)])
    expect(cause).toMatchObject({ healedAtMs: 5_000, faults: plan.faults, isLast: true })
    expect((cause as Cause).tooLateAtMs).toBeLessThanOrEqual(5_010)
  })

  test('says if no fault is needed', async () => {
    expect(await explain(runner(() => true))).toMatchObject({ plan: { faults: [] }, cause: 'no-fault-needed' })
  })

  test('says why no cause is looked for where edits make faults strike', async () => {
    const edits = [{ kind: 'strike', actor: 'zone.zone-1@zone-1', id: 'x', fault: kill(0, 0) }] as const
    const needed = runner((plan) => plan.edits !== undefined)
    const plan = { ...PLAN, faults: [], edits }
    const explanation = await new Explainer(needed, () => {}).explain(plan, VIOLATION)
    expect(explanation).toMatchObject({ plan: { edits }, cause: 'unknown' })
    const told = describeExplanation(new Tally().add(plan, { violation: VIOLATION }, [])!, explanation, undefined)
    expect(told).toContain(' cause:\n  not looked for: its faults are edited')
  })

  test('says if the failure does not come back', async () => {
    const expected = { found: 'not-repeated', plan: PLAN, violation: VIOLATION, runs: 1, cause: 'unknown' }
    expect(await explain(runner(() => false))).toEqual(expected)
  })

  test.each([
    [1, 3],
    [6, 1],
  ])('that is stopped in run %i is the best so far', async (stopAt, faults) => {
    const explainer: Explainer = new Explainer(
      runner(failsIf(2), (runs) => runs === stopAt && explainer.stop()),
      () => {},
    )
    const { found, plan, cause, runs } = await explainer.explain(PLAN, VIOLATION)
    expect({ found, cause, faults: plan.faults.length }).toEqual({ found: 'shorter', cause: 'unknown', faults })
    expect(runs).toBeLessThanOrEqual(stopAt + 2)
  })
})

describe('findings', () => {
  const failure = (seed: number, violation: string): Failure => new Tally().add({ ...PLAN, seed }, { violation }, [])!

  function findings(isWanted = true) {
    const explained: Array<readonly [number, Explanation['found']]> = []
    const one = new Findings({
      isWanted: () => isWanted,
      makeRunner: () => runner(failsIf(2)),
      explained: ({ seed }, { found }) => explained.push([seed, found]),
    })
    return { one, explained }
  }

  test('are explained once for each kind', async () => {
    const { one, explained } = findings()
    expect(one.take(PLAN, failure(1, VIOLATION))).toBe(true)
    expect(one.take(PLAN, failure(2, '4.0 s lost-commit: key 1 is gone'))).toBe(false)
    expect(one.take(PLAN, failure(3, '4.0 s stale-read: key 1'))).toBe(true)
    await one.settled()
    expect(explained).toEqual([
      [1, 'shortest'],
      [3, 'not-repeated'],
    ])
  })

  test('that wait when it is stopped are explained as they are', async () => {
    const { one, explained } = findings()
    one.take(PLAN, failure(1, VIOLATION))
    one.stop()
    expect(one.take(PLAN, failure(3, '4.0 s stale-read: key 1'))).toBe(false)
    await one.settled()
    expect(explained).toEqual([[1, 'shorter']])
  })

  test('are not explained if nobody wants it', async () => {
    const { one, explained } = findings(false)
    expect(one.take(PLAN, failure(1, VIOLATION))).toBe(false)
    await one.settled()
    expect(explained).toEqual([])
  })
})
