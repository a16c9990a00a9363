import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ZoneMessage } from './zone-config.ts'
import { DEATHS_IN_A_ROW_MAX, ZoneProcess, type ZoneProcessOptions } from './zone-process.ts'

/** A zone that does as its arguments say: how often it dies before it lives, and what it makes of orders. */
const FAKE_ZONE = `
import { appendFileSync, readFileSync } from 'node:fs'
const [file, deaths, manner] = process.argv.slice(2)
appendFileSync(file, 'life\\n')
const life = readFileSync(file, 'utf8').split('\\n').length - 1
if (life <= Number(deaths)) {
  const error = { tag: 'DiskFailed', component: 'safekeeper', value: 'disk', problem: 'full', remedy: 'Make room.' }
  process.send({ type: 'failed', error, fatal: false }, () => process.exit(3))
} else {
  process.on('message', ({ type }) => {
    console.log('order', type)
    if (manner === 'deaf') return
    if (type === 'stop') process.send({ type: 'stopped' })
    else process.exit(0)
  })
  process.on('disconnect', () => process.exit(1))
  process.send({ type: 'ready' })
}
`

let directory: string
let zones: ZoneProcess[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-zone-'))
  writeFileSync(join(directory, 'zone.mjs'), FAKE_ZONE)
  zones = []
})
afterEach(async () => {
  for (const zone of zones) await zone.end(0)
  rmSync(directory, { recursive: true, force: true })
})

interface Watched {
  readonly zone: ZoneProcess
  readonly messages: ZoneMessage[]
  readonly reports: string[]
  output: string
  cleanUps: number
  readonly lives: () => number
}

function startZone(deaths: number, manner = 'good', options: Partial<ZoneProcessOptions> = {}): Watched {
  const lives = join(directory, 'lives')
  const messages: ZoneMessage[] = []
  const reports: string[] = []
  const zone = new ZoneProcess({
    zone: 'zone-1',
    command: [join(directory, 'zone.mjs'), lives, String(deaths), manner],
    output: (chunk) => {
      watched.output += Buffer.from(chunk).toString()
    },
    report: (line) => reports.push(line),
    onMessage: (message) => messages.push(message),
    cleanUp: async () => {
      watched.cleanUps += 1
    },
    ...options,
  })
  const count = () => readFileSync(lives, 'utf8').split('\n').length - 1
  const watched: Watched = { zone, messages, reports, output: '', cleanUps: 0, lives: count }
  zones.push(zone)
  zone.start()
  return watched
}

const until = (condition: () => void) => vi.waitFor(condition, { timeout: 50_000, interval: 10 })
const untilUp = (watched: Watched) => until(() => expect(watched.zone.state).toBe('up'))

describe('a zone’s process', () => {
  it('is up once it says so', async () => {
    const watched = startZone(0)
    expect(watched.zone.state).toBe('starting')
    await untilUp(watched)
    expect(watched.messages).toEqual([{ type: 'ready' }])
    expect(watched.zone).toMatchObject({ restarts: 0, problem: undefined })
  })

  it('is started again when it is killed, after its remains were removed', async () => {
    const watched = startZone(0)
    await untilUp(watched)
    const first = watched.zone.pid!
    process.kill(first, 'SIGKILL')
    await until(() => expect(watched.zone).toMatchObject({ restarts: 1, state: 'up' }))
    expect(watched.zone.pid).not.toBe(first)
    expect(watched.cleanUps).toBe(1)
    expect(watched.reports).toEqual([expect.stringContaining('SIGKILL')])
  })

  it('waits longer from death to death', async () => {
    const watched = startZone(3)
    await untilUp(watched)
    expect(watched.reports.map((line) => /in (\d+) ms/.exec(line)?.[1])).toEqual(['100', '200', '400'])
    expect(watched.reports[0]).toContain('full. Make room.')
  })

  it('counts deaths anew after a calm life', async () => {
    const watched = startZone(3, 'good', { calmAfterMs: 0 })
    await untilUp(watched)
    expect(watched.reports.map((line) => /in (\d+) ms/.exec(line)?.[1])).toEqual(['100', '100', '100'])
  })

  it('that dies again and again is failing, with its reason, and recovers if the reason goes away', async () => {
    const watched = startZone(DEATHS_IN_A_ROW_MAX)
    await until(() => expect(watched.zone.state).toBe('failing'))
    expect(watched.zone.problem).toBe('safekeeper: full')
    expect(watched.reports.at(-1)).toContain(`${DEATHS_IN_A_ROW_MAX} times in a row`)
    await untilUp(watched)
  })

  it('stops its computes first, exits when told, and is not started again', async () => {
    const watched = startZone(0)
    await untilUp(watched)
    await watched.zone.quiesce(10_000)
    expect(watched.zone).toMatchObject({ state: 'stopping' })
    expect(watched.zone.pid).toBeDefined()
    await watched.zone.end(10_000)
    expect(watched.output).toBe('order stop\norder exit\n')
    expect(watched).toMatchObject({ cleanUps: 1, reports: [] })
    expect(watched.zone).toMatchObject({ state: 'stopped', pid: undefined })
    expect(watched.lives()).toBe(1)
  })

  it('that does not listen is waited for within bounds and killed', async () => {
    const watched = startZone(0, 'deaf')
    await untilUp(watched)
    await watched.zone.quiesce(50)
    await watched.zone.end(50)
    expect(watched.zone.state).toBe('stopped')
    expect(watched.reports).toEqual([expect.stringContaining('did not stop'), expect.stringContaining('was killed')])
  })

  it('is not started again when it is stopped between two lives', async () => {
    const watched = startZone(1_000)
    await until(() => expect(watched.zone.state).toBe('down'))
    await watched.zone.quiesce(10_000)
    await watched.zone.end(10_000)
    const lives = watched.lives()
    expect(watched.zone.state).toBe('stopped')
    expect(watched.lives()).toBe(lives)
  })
})
