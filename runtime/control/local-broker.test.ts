/** Keeping a NATS server: with servers that die as told, and with the real ones. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findNatsServer, type LocalBroker, type OpenBrokerOptions } from '../bus/spawn.ts'
import { TestScope } from '../bus/testing.ts'
import { HostUnfit } from '../errors.ts'
import { keepBroker } from './local-broker.ts'

let scope: TestScope
let directory: string
let reports: string[]
const report = (line: string) => void reports.push(line)
beforeEach(() => {
  scope = new TestScope()
  directory = mkdtempSync(join(tmpdir(), 'loch-kept-'))
  reports = []
})
afterEach(async () => {
  await scope.close()
  rmSync(directory, { recursive: true })
})

const unfit = new HostUnfit({ component: 'nats-server', value: 'path', problem: 'it is broken', remedy: 'Repair it.' })

/** Servers that are born as `birth` says; each can be ended, and those that are not closed are counted. */
class FakeServers {
  readonly asked: OpenBrokerOptions[] = []
  readonly deaths: Array<(reason: string) => void> = []
  open = 0
  birth: (options: OpenBrokerOptions) => LocalBroker['kind'] | HostUnfit = ({ prefer }) =>
    prefer === 'embedded' ? 'embedded' : 'nats-server'

  readonly start = (options: OpenBrokerOptions = {}) =>
    Effect.suspend(() => {
      this.asked.push(options)
      const kind = this.birth(options)
      if (typeof kind !== 'string') return Effect.fail(kind)
      const died = new Promise<string>((resolve) => void this.deaths.push(resolve))
      const acquire = Effect.sync((): LocalBroker => {
        this.open++
        return { kind, url: 'nats://127.0.0.1:7', port: 7, died }
      })
      return Effect.acquireRelease(acquire, () => Effect.sync(() => this.open--))
    })

  kill(): void {
    this.deaths.at(-1)!('it died')
  }
}

const skipped = findNatsServer() === undefined ? ' (skipped: nats-server is not installed)' : ''

const keep = (servers: FakeServers, calmAfterMs = 60_000) =>
  scope.open(keepBroker(directory, report, { start: servers.start, calmAfterMs }))

describe('a kept broker', () => {
  it('is the embedded one from the start where nats-server is installed and does not start', async () => {
    const servers = new FakeServers()
    servers.birth = ({ prefer }) => (prefer === 'embedded' ? 'embedded' : unfit)
    expect((await keep(servers)).kind).toBe('embedded')
    expect(reports).toEqual([expect.stringContaining('it is broken')])
    expect(servers.open).toBe(1)
  })

  it('comes back on the same port, and nothing is left of the dead one', async () => {
    const servers = new FakeServers()
    await keep(servers)
    for (let death = 1; death <= 3; death++) {
      servers.kill()
      await vi.waitFor(() => expect(servers.deaths).toHaveLength(death + 1))
      expect(servers.open).toBe(1)
    }
    expect(servers.asked.slice(1).every(({ port }) => port === 7)).toBe(true)
    await scope.close()
    expect(servers.open).toBe(0)
  })

  it('waits longer from death to death, is the embedded one in the end, and says so', async () => {
    const servers = new FakeServers()
    const broker = await keep(servers)
    for (let deaths = 1; broker.kind === 'nats-server'; deaths++) {
      servers.kill()
      await vi.waitFor(() => expect(servers.deaths).toHaveLength(deaths + 1), { timeout: 10_000 })
    }
    expect(servers.asked.map(({ prefer }) => prefer)).toEqual(['auto', 'auto', 'auto', 'auto', 'embedded'])
    expect(reports.map((line) => /in (\d+) ms/.exec(line)?.[1])).toEqual(['0', '100', '200', '400'])
    expect(servers.open).toBe(1)
  })

  it('outlives what was begun after it, also when it had to be opened again meanwhile', async () => {
    const servers = new FakeServers()
    await keep(servers)
    const release = vi.fn(() => expect(servers.open).toBe(1))
    await scope.open(Effect.acquireRelease(Effect.void, () => Effect.sync(release)))
    servers.kill()
    await vi.waitFor(() => expect(servers.deaths).toHaveLength(2))
    await scope.close()
    expect(release).toHaveReturned()
    expect(servers.open).toBe(0)
  })

  it('counts deaths anew after a calm life', async () => {
    const servers = new FakeServers()
    const broker = await keep(servers, 0)
    for (let deaths = 1; deaths <= 6; deaths++) {
      servers.kill()
      await vi.waitFor(() => expect(servers.deaths).toHaveLength(deaths + 1))
    }
    expect(broker.kind).toBe('nats-server')
  })

  it.skipIf(findNatsServer() === undefined)(`brings clients back to the address that they know${skipped}`, async () => {
    const broker = await scope.open(keepBroker(directory, report))
    const bus = await scope.connect(broker.url)
    const got: string[] = []
    bus.subscribe('a', ({ data }) => got.push(`${data}`))
    process.kill(natsServerChild(), 'SIGKILL')
    await vi.waitFor(() => expect(reports).toHaveLength(1), { timeout: 10_000 })
    await vi.waitFor(
      () => {
        bus.publish('a', Buffer.from('again'))
        expect(got).toContain('again')
      },
      { timeout: 20_000 },
    )
    expect(readdirSync(directory)).toEqual(['nats-server.conf'])
  })
})

function natsServerChild(): number {
  const pids = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
  const found = pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--config'))
  if (found === undefined) throw new Error('there is no nats-server among our children')
  return Number(found)
}
