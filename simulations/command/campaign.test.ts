/** Campaigns, runners and what they add up to, without real runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PROBES } from '../oracles/sometimes.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { Campaign } from './campaign.ts'
import { leaveLogs, logInProcess } from './failure-logs.ts'
import { commandsFor, describePlanOf, describeViolation } from './failure-text.ts'
import { differenceOf, OnceRunner, type Runner, TwiceRunner, type Verdict } from './runner.ts'
import { describeSummary, describeUnreached, Tally } from './tally.ts'
import type { Result } from './worker-messages.ts'
import { WorkerProcess } from './worker-process.ts'

const PLAN = generatePlan(7)
const OUTCOME: Result['outcome'] = {
  seed: 7,
  violation: undefined,
  simulatedMs: 30_000,
  steps: 1_000,
  commits: 5,
  servings: 3,
  terms: 3,
  probes: [],
  lastDraw: 1,
}

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-simulate-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** A process that answers as `body` says, for `job` and `number`, counted in its own life. */
function worker(body: string, answerMsMax = 60_000): WorkerProcess {
  const module = join(directory, `worker-${body.length}.mjs`)
  const answer = `const answer = (more = {}) => process.send({ outcome: { ...${JSON.stringify(OUTCOME)}, ...more } })\n`
  writeFileSync(module, `${answer}let number = 0\nprocess.on('message', (job) => { number++; ${body} })\n`)
  return new WorkerProcess({ module, answerMsMax })
}

describe('a run in another process', () => {
  test('is answered', async () => {
    const runner = new OnceRunner(worker('answer({ seed: job.plan.seed, violation: number > 1 ? "bad" : undefined })'))
    expect(await runner.run(PLAN)).toEqual({ outcome: { ...OUTCOME, violation: undefined } })
    expect(await runner.run(PLAN)).toMatchObject({ violation: 'bad' })
    runner.stop()
  })

  test('that crashes is a failure of its seed, and the next one gets a fresh process', async () => {
    const runner = new OnceRunner(
      worker('if (job.plan.seed === 7) { console.error("no memory"); process.exit(9) }; answer({ commits: number })'),
    )
    const { violation, outcome } = (await runner.run(PLAN))!
    expect(outcome).toBeUndefined()
    expect(violation).toBe('its process ended with code 9\nno memory')
    expect(await runner.run(generatePlan(8))).toMatchObject({ outcome: { commits: 1 } })
    runner.stop()
  })

  test('that hangs is a failure too', async () => {
    const runner = new OnceRunner(worker('for (;;);', 500))
    expect(await runner.run(PLAN)).toEqual({ violation: 'it did not end within 0.5 s, and was killed' })
  })

  test('that is given up says nothing', async () => {
    const runner = new OnceRunner(worker(''))
    const verdict = runner.run(PLAN)
    runner.stop()
    expect(await verdict).toBeUndefined()
  })

  test('made twice must come to the same, and the second process is fresh each time', async () => {
    const steady = new TwiceRunner(worker('answer()'), worker('answer({})'))
    expect((await steady.run(PLAN))!.violation).toBeUndefined()
    steady.stop()
    // What a run leaves behind for the next one shows in the second run of the first process.
    const leaky = new TwiceRunner(
      worker('answer({ probes: [], lastDraw: number })'),
      worker('answer( { probes: [], lastDraw: number })'),
    )
    expect((await leaky.run(PLAN))!.violation).toBeUndefined()
    expect((await leaky.run(PLAN))!.violation).toBe('two runs of one plan differ: last draw 2 and 1')
    leaky.stop()
  })
})

describe('two results', () => {
  const result = (digest: string): Result => ({ cpuMs: 1, outcome: OUTCOME, digest, marks: [{ atMs: 1_000, digest }] })

  test('are compared in all that tells', () => {
    expect(differenceOf(result('a'), result('a'))).toBeUndefined()
    expect(differenceOf(result('a'), result('b'))).toContain('digest a and b; they parted between 0 s and 1 s')
    for (const name of ['lastDraw', 'steps', 'commits', 'servings', 'simulatedMs'] as const) {
      const other = { ...result('a'), outcome: { ...OUTCOME, [name]: 99 } }
      expect(differenceOf(result('a'), other), name).toContain('and 99')
    }
  })
})

describe('a campaign', () => {
  /** Runs that end after one turn of the loop each. */
  const runner = (verdictOf: (plan: Plan) => Verdict | undefined): Runner => ({
    run: async (plan) => {
      await new Promise(setImmediate)
      return verdictOf(plan)
    },
    stop: () => {},
  })

  async function campaign(runners: readonly Runner[], keepGoing: boolean, most = 10): Promise<number[]> {
    const judged: number[] = []
    let seed = 0
    const next = () => (seed < most ? generatePlan(seed++) : undefined)
    await new Campaign({ runners, next, keepGoing, judged: (plan) => void judged.push(plan.seed) }).run()
    return judged
  }

  test('runs all there is, on all runners', async () => {
    const good = runner(() => ({ outcome: OUTCOME }))
    expect((await campaign([good, good], false)).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('ends after a failure when the others have ended, or goes on', async () => {
    const bad = runner(({ seed }) => (seed === 2 ? { violation: 'bad' } : { outcome: OUTCOME }))
    expect(await campaign([bad, bad], false)).toEqual([0, 1, 2, 3])
    expect(await campaign([bad, bad], true)).toHaveLength(10)
  })

  test('does not go on for ever if everything fails', async () => {
    expect(await campaign([runner(() => ({ violation: 'bad' }))], true, 1_000)).toHaveLength(100)
  })
})

describe('a tally', () => {
  test('counts what runs did', () => {
    const tally = new Tally()
    tally.add(PLAN, { outcome: { ...OUTCOME, probes: ['a term changed'] } }, [])
    tally.add(PLAN, { outcome: { ...OUTCOME, commits: 0, servings: 0, terms: 0 } }, [])
    tally.add(PLAN, { violation: 'crash' }, ['a', 'b'])
    const summary = tally.summary(10_000)
    expect(summary).toMatchObject({
      seeds: 3,
      simulatedSecondsPerSecond: 6,
      eventsPerSecond: 200,
      commits: 5,
      failovers: 2,
      committedShare: 0.3333,
      changedTermShare: 0.3333,
      failures: [{ seed: 7, violation: 'crash', faults: PLAN.faults, commands: ['a', 'b'] }],
    })
    expect(describeSummary(summary)).toBe(
      '3 seeds in 10 s · 6 simulated s/s · 200 events/s · 5 commits · 2 failovers · 33 % committed · 33 % changed term · ' +
        `${PROBES.length - 1} probes never reached · 1 failure`,
    )
    expect(summary.probesNeverReached).toEqual(PROBES.filter((probe) => probe !== 'a term changed'))
    expect(describeUnreached(summary)).toMatch(/^never reached: .*a writer was fenced · .*\n$/)
    expect(new Tally().summary(0)).toMatchObject({ seeds: 0, committedShare: 0, eventsPerSecond: 0 })
  })

  test('a failure says how to see it again', () => {
    const commands = commandsFor(PLAN, undefined, true)
    expect(commands).toEqual([
      'npx loch simulate --seed 7',
      'npx loch simulate --seed 7 --report loch-seed-7.html',
      'npx loch simulate --seed 7 --seeds 1 --check-determinism',
      'npx loch replay loch-seed-7.loch',
    ])
    expect(commandsFor(PLAN, "a 'b'.json", false)[0]).toBe("npx loch simulate --plan 'a '\\''b'\\''.json'")
    const failure = new Tally().add(PLAN, { violation: 'lost-commit: x' }, commands)!
    expect(describeViolation(failure)).toBe('FAILED: seed 7\n  lost-commit: x')
    const text = describePlanOf(failure, PLAN)
    for (const { kind } of PLAN.faults) expect(text).toContain(kind)
    for (const command of commands) expect(text).toContain(command)
  })
})

describe('failures leave logs', () => {
  test('of the first few, and what a crash leaves may not be whole', async () => {
    const complaints: string[] = []
    const output = {
      json: false,
      text() {},
      line() {},
      bytes() {},
      complain: (line: string) => void complaints.push(line),
    }
    const logs: string[] = []
    const logRun = async (plan: Plan, log: string) => {
      logs.push(log)
      return plan.seed === 3 ? 'it crashed' : undefined
    }
    await leaveLogs(
      Array.from({ length: 12 }, (_, seed) => generatePlan(seed)),
      { output, logRun },
    )
    expect(logs).toEqual(Array.from({ length: 10 }, (_, seed) => `loch-seed-${seed}.loch`))
    expect(complaints).toEqual(['loch-seed-3.loch may not be whole: it crashed'])
  })

  test('by a process of its own', async () => {
    expect(await logInProcess(PLAN, 'x', worker('answer({ commits: job.log === "x" ? 1 : 0 })'))).toBeUndefined()
    expect(await logInProcess(PLAN, 'x', worker('process.exit(9)'))).toBe('its process ended with code 9')
  })
})
