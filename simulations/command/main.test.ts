/** The command line `loch simulate`, in this process: what it prints, writes and refuses. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RunEvent } from '../../events/run-log.ts'
import { main as loch } from '../../runtime/control/cli.ts'
import type { Output } from '../../runtime/control/output.ts'
import { rewritten } from '../../runtime/replay/testing.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { formatPlan } from '../plan/read.ts'
import { main } from './main.ts'
import { FAILING_PLAN } from './testing/failing-plan.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-simulate-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function simulate(...words: readonly string[]) {
  return printed((makeOutput) => main(words, makeOutput, directory))
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

const SHORT: Plan = { ...generatePlan(3), durationMs: 6_000 }

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
    [['--seeds', '2', '--log', 'x'], '--log', '--seed N'],
    [['--drop'], '--drop', 'Add --fork FILE'],
    [['--fork', 'x', '--drop'], '--fork', 'Add --at EVENT'],
    [['--fork', 'x', '--at', '1'], '--fork', 'one of --drop, --change and --insert'],
    [['--fork', 'x', '--at', '1', '--drop', '--seed', '1'], '--fork', 'Leave one of them out'],
    [['--fork', '/no/such/file', '--at', '1', '--drop'], '/no/such/file', 'ENOENT'],
    [['word'], 'word', 'one too many'],
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
        /plan: faults\[\d+\]\.kind: there is no such fault \("cutt"\)\. Write one of kill-zone/,
      ),
    })
    writeFileSync(file('plan.json'), '{"version": 99}')
    expect(await simulate('--plan', file('plan.json'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a newer Loch wrote this plan (99)'),
    })
  })
})

describe('one run', () => {
  test('is told in full, and leaves its plan and its page', async () => {
    const words = ['--plan', planFile(SHORT), '--save-plan', file('saved.json'), '--report', file('page.html')]
    const { code, stdout, stderr } = await simulate(...words)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('3 zones, commits acknowledged when quorum')
    expect(stdout).toContain('5.102 s  fault    cut zone-3.lane for 1468 ms')
    expect(stdout).toMatch(/zone-\d +serves/)
    expect(stdout).toMatch(/all held · .* commits · .* digest [0-9a-f]{16}/)
    expect(readFileSync(file('saved.json'), 'utf8')).toBe(formatPlan(SHORT))
    expect(readFileSync(file('page.html'), 'utf8')).toContain('<title>Loch simulation, seed 3</title>')
  })

  test('that fails says what, why, and how to see it again', async () => {
    const path = planFile(FAILING_PLAN)
    const { code, stdout } = await simulate('--plan', path)
    expect(code).toBe(1)
    // Whichever oracle finds it first: clients miss what they were told, or an image of the log does.
    expect(stdout).toMatch(/FAILED: seed 3\n {2}.*(?:stale-read|lost-commit|recovered from the log up to \d+, key)/)
    expect(stdout).toContain('kill-postgres')
    expect(stdout).toContain(`npx loch simulate --plan ${path} --report plan-3.html`)
    const log = file('loch-plan-3.loch')
    expect(stdout).toContain(`npx loch replay ${log}`)
    const words = ['replay', log, '--type', 'verdict', '--json']
    const verdict = await printed((makeOutput) => loch(words, makeOutput))
    const { payload } = JSON.parse(verdict.stdout)
    expect(stdout).toContain(payload.violation.split('\n')[0])
    expect(verdict.code).toBe(0)
  })

  test('leaves its log where it is told to, one that can be decided again', async () => {
    const { code } = await simulate('--plan', planFile(SHORT), '--log', file('run.loch'))
    expect(code).toBe(0)
    const again = await printed((makeOutput) => loch(['replay', file('run.loch'), '--re-execute'], makeOutput))
    expect(again).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('as it was recorded') })
    const failing = await simulate('--plan', planFile(FAILING_PLAN), '--log', file('other.loch'))
    expect(failing.stdout).toContain(`npx loch replay ${file('other.loch')}`)
    expect(existsSync(file('loch-plan-3.loch'))).toBe(false)
  })

  test('prints nothing but one object with --json', async () => {
    const { code, stdout } = await simulate('--plan', planFile(FAILING_PLAN), '--json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ seeds: 1, failures: [{ seed: 3, faults: FAILING_PLAN.faults }] })
    expect(stdout.trim()).not.toContain('\n')
    const good = await simulate('--plan', planFile(SHORT), '--json')
    expect(JSON.parse(good.stdout)).toMatchObject({ seeds: 1, failures: [], committedShare: 1 })
    expect(existsSync(file('page.html'))).toBe(false)
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
