/** Campaigns, runners and what they add up to, without real runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Output } from '../../runtime/control/output.ts'
import { PROBES } from '../oracles/sometimes.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { Campaign } from './campaign.ts'
import { leaveLogs, logInProcess } from './failure-logs.ts'
import { FailureReport } from './failure-report.ts'
import { commandsFor, describePlanOf, describeViolation } from './failure-text.ts'
import { parseFlags } from './flags.ts'
import { differenceOf, OnceRunner, type Runner, TwiceRunner, type Verdict } from './runner.ts'
import { describeSummary, describeUnreached, summaryWithin, Tally } from './tally.ts'
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
    const other = { ...result('a'), outcome: { ...OUTCOME, probes: PROBES.slice(0, 1) } }
    expect(differenceOf(result('a'), other)).toBe(`two runs of one plan differ: probes none and ${PROBES[0]}`)
  })

  test('are compared in what was found, by its words', () => {
    const found = (violation: string) => ({ ...result('a'), outcome: { ...OUTCOME, violation } })
    expect(differenceOf(result('a'), found('3.1 s fork: x'))).toContain('violation none and 3.1 s fork: x')
    expect(differenceOf(found('Error: x'), found('Error: y'))).toContain('violation Error: x and Error: y')
    // Two processes may have come to it on other ways, as far as a stack tells.
    expect(differenceOf(found('Error: x\n at a'), found('Error: x\n at b'))).toBeUndefined()
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
    const brief = `1 failed · 3 seeds · 10 s · 6 s/s · commits 33 % · terms 33 % · probes ${PROBES.length - 1}`
    expect([summaryWithin(79, summary), summaryWithin(500, summary)]).toEqual([brief, describeSummary(summary)])
    // After hours on many cores, on a terminal of 80 columns.
    const long = { ...summary, seeds: 100_000, elapsedSeconds: 9_999, committedShare: 1 }
    expect(summaryWithin(79, long).slice(0, 79)).toMatch(/^1 failed · .* · terms 33 % · /)
    expect(summary.probesNeverReached).toEqual(PROBES.filter((probe) => probe !== 'a term changed'))
    expect(describeUnreached(summary)).toMatch(/^never reached: .*a writer was fenced · .*\n$/)
    expect(new Tally().summary(0)).toMatchObject({ seeds: 0, committedShare: 0, eventsPerSecond: 0 })
  })

  test('a failure says how to see it again', () => {
    const commands = commandsFor(PLAN, { file: undefined, log: 'loch-seed-7.loch', twice: true })
    expect(commands).toEqual([
      'npx loch simulate --seed 7',
      'npx loch simulate --seed 7 --report loch-seed-7.html',
      'npx loch simulate --seed 7 --seeds 1 --check-determinism',
      'npx loch replay loch-seed-7.loch',
    ])
    const ofFile = commandsFor(PLAN, { file: "a 'b'.json", log: undefined, twice: false })
    expect(ofFile[0]).toBe("npx loch simulate --plan 'a '\\''b'\\''.json'")
    expect(ofFile.join()).not.toContain('replay')
    const failure = new Tally().add(PLAN, { violation: 'lost-commit: x' }, commands)!
    expect(describeViolation(failure)).toBe('FAILED: seed 7\n  lost-commit: x')
    const text = describePlanOf(failure, PLAN)
    for (const { kind } of PLAN.faults) expect(text).toContain(kind)
    for (const command of commands) expect(text).toContain(command)
  })
})

function outputTo(complaints: string[], said: string[] = []): Output {
  return {
    json: false,
    text: (text) => void said.push(text),
    line: (line) => void said.push(line),
    bytes() {},
    complain: (line) => void complaints.push(line),
  }
}

describe('failures leave logs', () => {
  test('and what a crash leaves may not be whole', async () => {
    const complaints: string[] = []
    const logs: string[] = []
    const logRun = async (plan: Plan, log: string) => {
      logs.push(log)
      return plan.seed === 3 ? 'it crashed' : undefined
    }
    const failures = [2, 3, 4].map((seed) => ({ plan: generatePlan(seed), log: `${seed}.loch` }))
    await leaveLogs(failures, { output: outputTo(complaints), logRun })
    expect(logs).toEqual(['2.loch', '3.loch', '4.loch'])
    expect(complaints).toEqual(['3.loch may not be whole: it crashed'])
  })

  test('the first few of them, and no other log is named', async () => {
    const logs: string[] = []
    const said: string[] = []
    const tally = new Tally()
    const report = new FailureReport({
      flags: parseFlags(['--seeds', '20', '--keep-going', '--no-shrink']).flags,
      output: outputTo([], said),
      tally,
      makeRunner: () => new OnceRunner(),
      logRun: async (_, log) => void logs.push(log),
    })
    for (let seed = 0; seed < 12; seed++) report.judged(generatePlan(seed), { violation: 'lost-commit: x' })
    await report.end()
    expect(logs).toEqual(Array.from({ length: 10 }, (_, seed) => `loch-seed-${seed}.loch`))
    const named = tally.failures
      .flatMap(({ commands }) => commands)
      .flatMap((line) => /replay (\S+)/.exec(line)?.[1] ?? [])
    expect(named).toEqual(logs)
    expect(said.join('').match(/npx loch replay/g)).toHaveLength(10)
  })

  test('by a process of its own', async () => {
    expect(await logInProcess(PLAN, 'x', worker('answer({ commits: job.log === "x" ? 1 : 0 })'))).toBeUndefined()
    expect(await logInProcess(PLAN, 'x', worker('process.exit(9)'))).toBe('its process ended with code 9')
    const refused = 'process.send({ crash: "--log: it cannot be written" })'
    expect(await logInProcess(PLAN, 'x', worker(refused))).toBe('--log: it cannot be written')
  })
})
