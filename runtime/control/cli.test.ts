import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { processStartTicks } from '../postgres/processes.ts'
import { main } from './cli.ts'
import { toJson } from './commands/sql.ts'
import { computeRow, formatStatus } from './commands/status.ts'
import { ownName } from './ownership.ts'
import { createProgress } from './progress.ts'

async function loch(...words: readonly string[]) {
  const printed = { stdout: '', stderr: '' }
  const code = await main(words, (json) => ({
    json,
    text: (text) => {
      printed.stdout += text
    },
    line: (line) => {
      printed.stdout += `${line}\n`
    },
    complain: (line) => {
      printed.stderr += `${line}\n`
    },
    bytes: () => {},
  }))
  return { code, ...printed }
}

describe('the command line', () => {
  it('helps, overall and for each command', async () => {
    const { code, stdout } = await loch('--help')
    expect(code).toBe(0)
    for (const command of ['up', 'status', 'sql', 'stop', 'logs', 'compute', 'journals', 'log', 'replay']) {
      expect(stdout).toContain(`loch ${command}`)
      expect((await loch(command, '--help')).stdout).toContain('--data DIR')
    }
  })

  it('answers what it does not understand with exit code 2 and a hint', async () => {
    expect(await loch('statsu')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('`loch status`'),
    })
    expect(await loch('up', '--jso')).toMatchObject({ code: 2, stderr: expect.stringContaining('--json') })
  })

  it('prints errors as one line of JSON on request', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'loch-cli-'))
    try {
      for (const command of ['status', 'logs', 'journals', 'compute']) {
        const { code, stdout, stderr } = await loch(command, '--json', '--data', directory)
        expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
        expect(JSON.parse(stdout)).toMatchObject({ error: { tag: 'Refused', value: directory } })
        expect(stdout.trim()).not.toContain('\n')
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  describe('on a Loch that is still starting', () => {
    let directory: string
    let starting: ChildProcess
    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'loch-cli-'))
      mkdirSync(join(directory, 'run'))
      starting = spawn('sleep', ['600'])
      await new Promise((resolve) => starting.once('spawn', resolve))
      const claim = { ...ownName(), pid: starting.pid, startTicks: processStartTicks(starting.pid!) }
      writeFileSync(join(directory, 'run', 'owner.1'), JSON.stringify(claim))
    })
    afterEach(() => {
      starting.kill('SIGKILL')
      rmSync(directory, { recursive: true })
    })

    it('stops it', async () => {
      const { code, stdout } = await loch('stop', '--json', '--data', directory)
      expect({ code, result: JSON.parse(stdout) }).toMatchObject({
        code: 0,
        result: { stopped: true, wasRunning: true, pid: starting.pid },
      })
      expect(processStartTicks(starting.pid!)).toBeUndefined()
    })

    it('says so', async () => {
      const { code, stderr } = await loch('status', '--data', directory)
      expect(code).toBe(1)
      expect(stderr).toContain(`still starting, or already stopping: process ${starting.pid}`)
    })
  })

  it('has nothing against stopping what does not run', async () => {
    const { code, stdout } = await loch('stop', '--json', '--data', join(tmpdir(), 'loch-that-never-was'))
    expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { stopped: true, wasRunning: false } })
  })
})

describe('output', () => {
  it('of SQL as JSON keeps columns that share a name', () => {
    const fields = [
      { name: 'x', typeId: 23 },
      { name: 'x', typeId: 23 },
    ]
    const line = toJson({ fields, rows: [['1', null]], command: 'SELECT 1', notices: [] })
    expect(JSON.parse(line)).toEqual({ command: 'SELECT 1', fields: ['x', 'x'], rows: [['1', null]], notices: [] })
  })

  it('of status shows zones that are down with the reason, and the durability of every compute', () => {
    const compute = {
      id: 'main-7',
      endpoint: 'main',
      timeline: 'main',
      role: 'primary',
      state: 'serving.idle',
      term: 7,
      durability: 'quorum',
      pid: 11,
      postgresPid: 12,
      listen: '127.0.0.1:5624',
      positions: { end: 300, durable: 200, archived: 100 },
    } as const
    const zone = { restarts: 0, leader: false, safekeepers: [], computes: [] }
    const text = formatStatus({
      project: 'main',
      instance: '01234567',
      version: '1.2.3',
      pid: 1,
      startedAtMs: 0,
      memoryBytes: 2 ** 20,
      data: '/data',
      objectStore: 'file:///data/objects',
      listen: '127.0.0.1:5624',
      broker: 'embedded',
      zones: [
        { ...zone, zone: 'zone-1', state: 'up', pid: 11, computes: [compute] },
        { ...zone, zone: 'zone-2', state: 'down', problem: 'no answer came within 1000 ms' },
      ],
    })
    expect(text).toMatch(/zone-2 +down .*no answer came within 1000 ms/)
    expect(text).toMatch(/main-7 +zone-1 +primary +serving\.idle +7 +11 +12 +300 +200 +100 +quorum/)
    expect(computeRow('zone-1', compute)).toHaveLength(12)
  })

  it('of progress tells every step with its time, a failed one too, to people and to programs', async () => {
    for (const json of [false, true]) {
      let text = ''
      const progress = createProgress({ json, terminal: false, write: (more) => (text += more) })
      await Effect.runPromise(progress.step('Open', Effect.void))
      await Effect.runPromise(Effect.exit(progress.step('Break', Effect.fail('no'))))
      if (json) {
        const steps = text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown)
        expect(steps).toMatchObject([
          { step: 'Open', ok: true },
          { step: 'Break', ok: false },
        ])
      } else {
        expect(text).toMatch(/✓ Open +\d+ ms\n✗ Break +\d+ ms\n/)
      }
    }
  })
})
