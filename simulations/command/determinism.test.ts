/**
 * The same seed in two processes comes to the same, in all that happens: the compiled program itself shows it, as it does to
 * whoever asks. The rest is what campaigns in processes of their own do when they end in one way or another.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { formatPlan, readPlan } from '../plan/read.ts'
import { FAILING_PLAN, FAULTED_PLAN } from './testing/failing-plan.ts'

const launcher = fileURLToPath(new URL('../../bin/loch.mjs', import.meta.url))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-simulate-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `begun` may do something to the program while it runs, by its pid. */
function simulate(words: readonly string[], begun: (pid: number) => void = () => {}): Promise<Ended> {
  const child = spawn(process.execPath, [launcher, 'simulate', ...words], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    ended.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    ended.stderr += chunk
  })
  begun(child.pid!)
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...ended })))
}

function childrenOf(pid: number): readonly number[] {
  try {
    const words = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return words === '' ? [] : words.split(' ').map(Number)
  } catch {
    return []
  }
}

/** The processes that simulate: not the compiler, which the launcher may start before them. */
function workersOf(pid: number): readonly number[] {
  return childrenOf(pid).filter((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'latin1').includes('worker.js')
    } catch {
      return false
    }
  })
}

async function untilWorks(pid: number): Promise<number> {
  await expect.poll(() => workersOf(pid).length, { timeout: 60_000 }).toBeGreaterThan(0)
  return workersOf(pid)[0]!
}

/** On a busy machine shrinking and the search for a cause may take all of the time that they have. */
const EXPLAINED_MS_MAX = 240_000

describe('in processes of their own', () => {
  test('two runs of one seed are the same', async () => {
    const { code, stdout, stderr } = await simulate(['--seed', '5', '--seeds', '4', '--check-determinism', '--json'])
    expect({ code, summary: JSON.parse(stdout) }, stderr).toMatchObject({
      code: 0,
      summary: { seeds: 4, failures: [] },
    })
    expect(JSON.parse(stdout).commits).toBeGreaterThan(0)
  })

  test('two runs of one seed leave the same log, byte for byte', async () => {
    const logOf = async (name: string) => {
      const { code, stderr } = await simulate(['--seed', '6', '--log', name, '--json'])
      expect(code, stderr).toBe(0)
      return readFileSync(join(directory, name))
    }
    const [one, other] = await Promise.all([logOf('one.loch'), logOf('other.loch')])
    expect(one.length).toBeGreaterThan(100_000)
    expect(one.equals(other)).toBe(true)
    expect(one.includes(directory)).toBe(false)
  })

  test(
    'a failure of one run ends the rest, and is told',
    async () => {
      const path = join(directory, 'plan.json')
      writeFileSync(path, formatPlan(FAILING_PLAN))
      const { code, stdout } = await simulate(['--plan', path, '--check-determinism'])
      expect(code).toBe(1)
      expect(stdout).toContain('FAILED: seed 3')
      expect(stdout).toContain('npx loch simulate --plan plan-shortest.json --check-determinism\n')
      expect(stdout).toContain('npx loch replay plan-shortest.loch')
      expect(stdout).toMatch(/1 seed in .* 1 failure\n$/)
      // Two processes agreed that it fails; another one wrote down how.
      expect(readFileSync(join(directory, 'plan-shortest.loch')).includes('verdict')).toBe(true)
    },
    EXPLAINED_MS_MAX,
  )

  test('a process that is killed is a failure of its seed', async () => {
    const { code, stdout } = await simulate(
      ['--seed', '1', '--processes', '1', '--json'].concat('--seeds', '1000'),
      (pid) => {
        untilWorks(pid).then((worker) => process.kill(worker, 'SIGKILL'))
      },
    )
    expect(code).toBe(1)
    const { failures } = JSON.parse(stdout)
    expect(failures).toMatchObject([{ violation: 'its process was ended by SIGKILL' }])
    expect(failures[0].commands[0]).toBe(`npx loch simulate --seed ${failures[0].seed}`)
  })

  test('an interrupt ends shrinking with what it has found', async () => {
    const path = join(directory, 'plan.json')
    writeFileSync(path, formatPlan(FAULTED_PLAN))
    const { code, stdout, stderr } = await simulate(['--plan', path], (pid) => {
      untilWorks(pid).then(() => process.kill(pid, 'SIGINT'))
    })
    expect(code, stderr).toBe(1)
    expect(stdout).toContain('seed 3: the shortest plan found until the search was ended')
    expect(stdout).toContain('npx loch simulate --plan plan-shortest.json\n')
    expect(readPlan(readFileSync(join(directory, 'plan-shortest.json'), 'utf8')).seed).toBe(3)
  })

  test('an interrupt ends it with its summary, and leaves no process', async () => {
    let workers: readonly number[] = []
    const { code, stdout } = await simulate(['--processes', '2'], (pid) => {
      untilWorks(pid).then(() => {
        workers = workersOf(pid)
        process.kill(pid, 'SIGINT')
      })
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+ seeds? in .* 0 failures\n$/)
    expect(workers.length).toBeGreaterThan(0)
    for (const worker of workers) await expect.poll(() => childrenOf(worker)).toEqual([])
    const isAlive = (pid: number) => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }
    await expect.poll(() => workers.filter(isAlive)).toEqual([])
  })

  test('a time ends it', async () => {
    const { code, stdout } = await simulate(['--for', '1s', '--processes', '1', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout).seeds).toBeGreaterThanOrEqual(1)
  })
})
