/** The command line `loch simulate`, in this process: what it prints, writes and refuses. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RunEvent } from '../../events/run-log.ts'
import { main as loch } from '../../runtime/control/cli.ts'
import type { Output } from '../../runtime/control/output.ts'
import { rewritten } from '../../runtime/replay/testing.ts'
import type { Fault } from '../faults/fault.ts'
import { moment } from '../plan/describe.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { formatPlan, readPlan } from '../plan/read.ts'
import { runPlan } from '../run/run.ts'
import { parseFlags } from './flags.ts'
import { runLogged } from './logged-run.ts'
import { main } from './main.ts'
import { plansFor } from './plans.ts'
import type { Runner } from './runner.ts'
import { FAILING_PLAN, FAULTED_PLAN, LOST_PLAN } from './testing/failing-plan.ts'

/** In this process: the compiled worker may be of other sources. */
const HERE: Runner = {
  run: async (plan) => {
    const outcome = await runPlan(plan)
    return outcome.violation === undefined ? { outcome } : { outcome, violation: outcome.violation }
  },
  stop: () => {},
}

const logRun = async (plan: Plan, log: string) => {
  await runLogged(plan, log)
  return undefined
}

const before = process.cwd()
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-simulate-'))
  process.chdir(directory)
})
afterEach(() => {
  process.chdir(before)
  rmSync(directory, { recursive: true, force: true })
})

async function simulate(...words: readonly string[]) {
  return printed((makeOutput) => main(words, { makeOutput, makeRunner: () => HERE, logRun }))
}

async function printed(work: (makeOutput: (json: boolean) => Output) => Promise<number>) {
  const said = { stdout: '', stderr: '' }
  const code = await work((json) => ({
    json,
    text: (text) => {
      said.stdout += text
    },
    line: (line) => {
      said.stdout += `${line}\n`
    },
    bytes: (bytes) => {
      said.stdout += Buffer.from(bytes).toString('latin1')
    },
    complain: (line) => {
      said.stderr += `${line}\n`
    },
  }))
  return { code, ...said }
}

const file = (name: string) => join(directory, name)

function planFile(plan: Plan): string {
  writeFileSync(file('plan.json'), formatPlan(plan))
  return file('plan.json')
}

const SHORT: Plan = { ...generatePlan(3), durationMs: 7_500 }

describe('loch simulate', () => {
  test('explains itself, and `loch` knows of it', async () => {
    const { code, stdout } = await simulate('--help')
    expect(code).toBe(0)
    for (const flag of ['--seed N', '--for TIME', '--check-determinism', '--report FILE.html']) {
      expect(stdout).toContain(flag)
    }
    expect((await printed((makeOutput) => loch(['--help'], makeOutput))).stdout).toContain('loch simulate')
    expect((await printed((makeOutput) => loch(['simulat'], makeOutput))).stderr).toContain('`loch simulate`')
  })

  test.each<[readonly string[], string, string]>([
    [['--sed', '1'], '--sed', 'Did you mean --seed?'],
    [['--seed'], '--seed', 'the value is missing'],
    [['--seed', '-1'], '--seed', ''],
    [['--seed', '9007199254740992'], '--seed', 'to 9007199254740991'],
    [['--seeds', '0'], '--seeds', 'from 1 to'],
    [['--for', '10'], '--for', '30s, 10m or 2h'],
    [['--for', '0s'], '--for', '30s, 10m or 2h'],
    [['--for', '1000h'], '--for', 'at most 168h'],
    [['--processes', '0'], '--processes', 'from 1 to'],
    [['--plan', 'a', '--seed', '3'], '--plan', 'Leave one of them out'],
    [['--plan', 'a', '--for', '3s'], '--plan', 'Leave one of them out'],
    [['--report', 'x.html'], '--report', '--seed N'],
    [['--seed', '1', '--seeds', '2', '--save-plan', 'x'], '--save-plan', '--seed N'],
    [['--plan', '/no/such/file'], '--plan', 'ENOENT'],
    [['--plan', '/'], '--plan', 'EISDIR'],
    [['--seed', '1', '--save-plan', '/no/such/file'], '--save-plan', 'ENOENT'],
    [['--seed', '1', '--report', '/no/such/file'], '--report', 'ENOENT'],
    [['--seed', '1', '--log', '/no/such/file'], '--log', 'ENOENT'],
    [['--seed', '1', '--log', '/dev/full'], '--log', 'ENOSPC'],
    [['--seeds', '2', '--log', 'x'], '--log', '--seed N'],
    [['--drop'], '--drop', 'Add --fork FILE'],
    [['--fork', 'x', '--drop'], '--fork', 'Add --at EVENT'],
    [['--fork', 'x', '--at', '1'], '--fork', 'one of --drop, --change and --insert'],
    [['--fork', 'x', '--at', '1', '--drop', '--seed', '1'], '--fork', 'Leave one of them out'],
    [['--fork', '/no/such/file', '--at', '1', '--drop'], '/no/such/file', 'ENOENT'],
    [['--plan', 'a', '--report', './a'], './a', '--plan names this file too'],
    [['--plan', 'a', '--save-plan', 'a'], 'a', '--plan names this file too'],
    [['--fork', 'a', '--at', '1', '--drop', '--log', 'a'], 'a', '--fork names this file too'],
    [['--seed', '1', '--log', 'a', '--report', 'a'], 'a', '--log names this file too'],
    [['word'], 'word', 'one too many'],
    [['--mutations', '--plan', 'a'], '--plan', 'does not go with it'],
    [['--mutations', 'choose-longest-tale'], 'choose-longest-tale', 'Did you mean choose-longest-tail?'],
  ])('refuses %j', async (words, value, hint) => {
    const { code, stdout, stderr } = await simulate(...words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: /)
    expect(stderr).toContain(value)
    expect(stderr).toContain(hint)
  })

  test('refuses as JSON on request', async () => {
    const { code, stdout, stderr } = await simulate('--json', '--seedz', '3')
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ error: { tag: 'BadArgument', value: '--seedz' } })
  })

  test('refuses a plan that is none, and says where', async () => {
    writeFileSync(file('plan.json'), formatPlan(SHORT).replace('"cut"', '"cutt"'))
    expect(await simulate('--plan', file('plan.json'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /plan \S+plan\.json: faults\[\d+\]\.kind: there is no such fault \("cutt"\)\. Write one of kill-zone/,
      ),
    })
    writeFileSync(file('plan.json'), '{"version": 99}')
    expect(await simulate('--plan', file('plan.json'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a newer Loch wrote this plan (99)'),
    })
  })
})

describe('one run', () => {
  test('may be of the largest seed, after which there is none', async () => {
    const plan = (...words: readonly string[]) => plansFor(parseFlags(words).flags, () => 0)
    const seed = '9007199254740991'
    expect(plan('--seed', seed)()).toEqual(generatePlan(Number.MAX_SAFE_INTEGER))
    const next = plan('--seed', seed, '--seeds', '3')
    expect([next()?.seed, next()]).toEqual([Number.MAX_SAFE_INTEGER, undefined])
  })

  test('may be that of a kept plan, with the words about it', async () => {
    const kept = { found: 'in a test', about: 'nothing', plan: SHORT }
    writeFileSync(file('kept.json'), JSON.stringify(kept))
    const { code, stdout } = await simulate('--plan', file('kept.json'))
    expect({ code, held: stdout.includes('all held') }, stdout).toEqual({ code: 0, held: true })
    writeFileSync(file('kept.json'), JSON.stringify({ ...kept, plan: { ...SHORT, zones: 9 } }))
    const refused = await simulate('--plan', file('kept.json'))
    expect(refused.stderr).toContain(`plan ${file('kept.json')}: zones: `)
  })

  test('is told in full, and leaves its plan and its page', async () => {
    const words = ['--plan', planFile(SHORT), '--save-plan', file('saved.json'), '--report', file('page.html')]
    const { code, stdout, stderr } = await simulate(...words)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('3 zones, commits acknowledged when quorum')
    expect(stdout).toContain('6.880 s  fault    cut zone-3.bus for 1468 ms')
    expect(stdout).toMatch(/zone-\d +serves/)
    expect(stdout).toMatch(/all held · .* commits · .* digest [0-9a-f]{16}/)
    expect(readFileSync(file('saved.json'), 'utf8')).toBe(formatPlan(SHORT))
    expect(readFileSync(file('page.html'), 'utf8')).toContain('<title>Loch simulation, seed 3</title>')
  })

  test('that fails says what was violated, the shortest plan, the cause, and how to see it', async () => {
    const { code, stdout } = await simulate('--plan', planFile(FAULTED_PLAN))
    expect(code).toBe(1)
    expect(stdout).toMatch(/FAILED: seed 3\n {2}\S+ s corruption: redo of transaction/)
    expect(stdout).toMatch(/seed 3: the shortest plan that fails alike \(1 of 4 faults, \d+ runs\)/)
    const shortest = readPlan(readFileSync('plan-shortest.json', 'utf8'))
    expect(shortest).toMatchObject({ faults: [{ kind: 'lose-everything', forMs: 1 }], workload: { clients: 1 } })
    // This Postgres leaves a log that is no good whatever strikes.
    expect(stdout).toContain(' cause:\n  healed at any of the moments tried, it fails in this way or another\n')
    expect(stdout).toContain(' saved:\n  plan-shortest.json\n')
    const [replay, report] = ['', ' --report plan-shortest.html'].map(
      (more) => `npx loch simulate --plan plan-shortest.json${more}\n`,
    )
    expect(stdout).toContain(` show it:\n  ${replay}  ${report}`)
    // What is printed to show it shows it.
    const shown = await simulate('--plan', 'plan-shortest.json', '--report', 'plan-shortest.html')
    expect(shown).toMatchObject({ code: 1, stdout: expect.stringContaining('corruption: redo of transaction') })
    expect(existsSync('plan-shortest.html')).toBe(true)
  })

  test('that fails because of a fault says which, and when healing came too late', async () => {
    const { code, stdout } = await simulate('--plan', planFile(LOST_PLAN))
    expect(code).toBe(1)
    expect(stdout).toMatch(/FAILED: seed 3\n {2}no service within \d+ ms/)
    // A bound is no defect, and has no stack.
    expect(stdout).not.toMatch(/\n +at /)
    const [{ atMs }] = readPlan(readFileSync('plan-shortest.json', 'utf8')).faults as [Fault]
    expect(stdout).toContain(' cause: the last moment found at which healing all faults leaves nothing wrong\n')
    const inTime = `${moment(atMs)}  healing all faults now avoids it\n`
    const struck = `${moment(atMs)}  lose-everything with disks for 1 ms\n`
    // The moment of the blow itself, and not just some time before the end of the run.
    expect(stdout).toContain(`${inTime}${struck}${moment(atMs + 1)}  healing all faults now comes too late\n`)
  })

  test('that fails without any fault says so', async () => {
    const harmless = { kind: 'set-clock', atMs: 3_000, zone: 0, byMs: 100 } as const
    const { stdout } = await simulate('--plan', planFile({ ...FAILING_PLAN, faults: [harmless] }))
    // Whichever oracle finds it first: clients miss what they were told, or an image of the log does.
    expect(stdout).toMatch(/FAILED: seed 3\n {2}.*(?:stale-read|lost-commit|recovered from the log up to \d+, key)/)
    expect(stdout).toContain(' cause:\n  it fails without any fault\n')
  })

  test('of what shrinking has left is not shrunk again', async () => {
    writeFileSync('loch-seed-3.json', formatPlan(FAILING_PLAN))
    const { code, stdout } = await simulate('--plan', './loch-seed-3.json', '--report', 'page.html')
    expect(code).toBe(1)
    expect(stdout).not.toContain('shortest plan')
    expect(stdout).toContain('npx loch simulate --plan ./loch-seed-3.json --report ./loch-seed-3.html')
    expect(readFileSync('loch-seed-3.json', 'utf8')).toBe(formatPlan(FAILING_PLAN))
    expect(readFileSync('page.html', 'utf8')).toContain('kill-postgres')
  })

  test('that fails is left as it is on request', async () => {
    const path = planFile(FAILING_PLAN)
    const { code, stdout } = await simulate('--plan', path, '--no-shrink')
    expect(code).toBe(1)
    for (const { atMs } of FAILING_PLAN.faults) expect(stdout).toContain(`${moment(atMs)}  kill-postgres`)
    expect(stdout).toContain(`npx loch simulate --plan ${path} --report ${path.replace('.json', '.html')}`)
    expect(existsSync('plan-shortest.json')).toBe(false)
  })

  test('leaves its log, of the plan that is shown', async () => {
    const { stdout } = await simulate('--plan', planFile(FAILING_PLAN))
    expect(stdout).toContain('npx loch replay plan-shortest.loch')
    const shown = async (type: string) => {
      const words = ['replay', 'plan-shortest.loch', '--type', type, '--json']
      return JSON.parse((await printed((makeOutput) => loch(words, makeOutput))).stdout).payload
    }
    expect(await shown('plan')).toEqual(readPlan(readFileSync('plan-shortest.json', 'utf8')))
    expect(readFileSync('plan.json', 'utf8')).toBe(formatPlan(FAILING_PLAN))
    expect((await shown('verdict')).violation).toMatch(/stale-read|lost-commit|recovered from the log/)
  })

  test('names no log where there can be none', async () => {
    mkdirSync('plan.loch')
    const { code, stdout, stderr } = await simulate('--plan', planFile(FAILING_PLAN), '--no-shrink')
    expect(code).toBe(1)
    expect(stdout).not.toContain('npx loch replay')
    expect(stderr).toBe('no log of seed 3 is left: plan.loch cannot be written (EISDIR)\n')
  })

  test('leaves its log where it is told to, one that can be decided again', async () => {
    const { code } = await simulate('--plan', planFile(SHORT), '--log', file('run.loch'))
    expect(code).toBe(0)
    const again = await printed((makeOutput) => loch(['replay', file('run.loch'), '--re-execute'], makeOutput))
    expect(again).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('as it was recorded') })
  })

  test('prints nothing but one object with --json', async () => {
    const { code, stdout } = await simulate('--plan', planFile(FAULTED_PLAN), '--json')
    expect(code).toBe(1)
    const { seeds, failures } = JSON.parse(stdout)
    expect({ seeds, failures }).toMatchObject({ seeds: 1, failures: [{ seed: 3, faults: FAULTED_PLAN.faults }] })
    expect(stdout.trim()).not.toContain('\n')
    const plan = readPlan(readFileSync('plan-shortest.json', 'utf8'))
    const expected = { found: 'shortest', plan, file: 'plan-shortest.json', cause: 'never-saved' }
    expect(failures[0].explanation).toMatchObject(expected)
    expect(failures[0].commands).toEqual([
      'npx loch simulate --plan plan-shortest.json',
      'npx loch simulate --plan plan-shortest.json --report plan-shortest.html',
      'npx loch replay plan-shortest.loch',
    ])
    const good = await simulate('--plan', planFile(SHORT), '--json')
    expect(JSON.parse(good.stdout)).toMatchObject({ seeds: 1, failures: [], committedShare: 1 })
    expect(JSON.parse(good.stdout).simulatedSecondsPerCpuSecond).toBeGreaterThan(0)
  })
})

describe('a fork', () => {
  const log = () => file('run.loch')
  const fork = (...words: readonly string[]) => simulate('--fork', log(), ...words)
  beforeEach(async () => {
    expect((await simulate('--plan', planFile(SHORT), '--log', log(), '--json')).code).toBe(0)
  })

  test('is told as any run, and leaves a plan that tells it again', async () => {
    const { stdout, stderr } = await fork(
      '--at',
      '+5.2s',
      '--insert',
      '{"kind": "kill-postgres"}',
      '--log',
      file('fork.loch'),
    )
    expect(stderr).toBe('')
    expect(stdout).toMatch(/fault {4}kill-postgres/)
    const saved = file('loch-fork-3.json')
    const again = await simulate('--plan', saved, '--log', file('again.loch'))
    expect(again.stdout.split('digest')[1]).toBe(stdout.split('digest')[1])
    expect(readFileSync(file('again.loch')).equals(readFileSync(file('fork.loch')))).toBe(true)
  })

  test('that fails leaves what it came from as it was, be it a fork itself', async () => {
    const failing = planFile({ ...FAILING_PLAN, durationMs: 6_000 })
    const from = 'loch-seed-3.loch'
    expect((await simulate('--plan', failing, '--no-shrink', '--log', from)).code).toBe(1)
    const insert = ['--at', '+2.5s', '--insert', '{"kind": "kill-postgres"}', '--no-shrink']
    const before = readFileSync(from)
    const { stdout } = await simulate('--fork', from, ...insert)
    expect(stdout).toContain('npx loch replay loch-fork-3.loch')
    expect(readFileSync(from).equals(before)).toBe(true)
    const first = readFileSync('loch-fork-3.loch')
    const again = await simulate('--fork', 'loch-fork-3.loch', ...insert)
    expect(again.stdout).toContain('npx loch replay loch-fork-3-2.loch')
    expect(existsSync('loch-fork-3-2.json')).toBe(true)
    expect(readFileSync('loch-fork-3.loch').equals(first)).toBe(true)
  })

  test('leaves the plan of another one as it was', async () => {
    const insert = ['--at', '+5.2s', '--insert', '{"kind": "kill-postgres"}']
    await fork(...insert)
    const first = readFileSync('loch-fork-3.json')
    await fork(...insert.with(1, '+5.4s'))
    expect(readFileSync('loch-fork-3.json').equals(first)).toBe(true)
    expect(readPlan(readFileSync('loch-fork-3-2.json', 'utf8')).edits).not.toEqual(readPlan(first.toString()).edits)
  })

  test('of a run that today’s code does not come to is refused', async () => {
    const bytes = readFileSync(log())
    const change = (event: RunEvent) => (event.sequence === 9 ? { ...event, at: event.at + 1 } : event)
    writeFileSync(log(), rewritten(bytes, change))
    expect(await fork('--at', '50', '--drop')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/today's code does not come to the event: its run is another from event \d+ on/),
    })
  })

  test('says what is wrong with what it is told', async () => {
    expect(await fork('--at', '1', '--insert', '{')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--insert: this is not a JSON object'),
    })
    expect(await fork('--at', 'never', '--drop')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no event has this sequence'),
    })
  })
})
