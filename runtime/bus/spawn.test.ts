/** Opening a NATS server of Loch's own. Cases that need nats-server say so in their names when it is not installed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Effect from 'effect/Effect'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configuration, findNatsServer, openBroker, parsePort } from './spawn.ts'
import { TestScope } from './testing.ts'

describe('openBroker', () => {
  let scope: TestScope
  beforeEach(() => {
    scope = new TestScope()
  })
  afterEach(() => scope.close())

  it('takes nats-server if it is installed, else the embedded broker', async () => {
    const broker = await scope.open(openBroker())
    expect(broker.kind).toBe(findNatsServer() === undefined ? 'embedded' : 'nats-server')
    expect((await scope.connect(broker.url)).status()).toBe('connected')
  })

  it('takes the embedded broker if told so', async () => {
    expect((await scope.open(openBroker({ prefer: 'embedded' }))).kind).toBe('embedded')
  })

  if (findNatsServer() === undefined) {
    it('says that nats-server is NOT INSTALLED, as it is not here', async () => {
      const error = await Effect.runPromise(Effect.flip(Effect.scoped(openBroker({ prefer: 'nats-server' }))))
      expect(error).toMatchObject({ _tag: 'HostUnfit', problem: 'nats-server is not installed' })
    })
  } else {
    natsServerCases()
  }

  function natsServerCases(): void {
    it('tells when nats-server died, and leaves nothing behind', async () => {
      const own = new TestScope()
      const broker = await own.open(openBroker({ prefer: 'nats-server' }))
      const { pid, configurationFile } = natsServerChild()
      expect(existsSync(configurationFile)).toBe(true)
      process.kill(pid, 'SIGKILL')
      expect(await broker.died).toMatch(/^nats-server ended \(SIGKILL/)
      await own.close()
      expect(existsSync(configurationFile)).toBe(false)
    })

    it('keeps its configuration in the directory that it is given, and takes nothing else away', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'loch-spawn-'))
      try {
        const own = new TestScope()
        await own.open(openBroker({ prefer: 'nats-server', directory }))
        expect(natsServerChild().configurationFile).toBe(join(directory, 'nats-server.conf'))
        expect(statSync(join(directory, 'nats-server.conf')).mode & 0o777).toBe(0o600)
        await own.close()
        expect(readdirSync(directory)).toEqual([])
      } finally {
        rmSync(directory, { recursive: true })
      }
    })

    it('ends nats-server with the scope, and does not call that a death', async () => {
      const own = new TestScope()
      const broker = await own.open(openBroker({ prefer: 'nats-server' }))
      let died = false
      void broker.died.then(() => {
        died = true
      })
      await own.close()
      await new Promise((resolve) => setImmediate(resolve))
      expect(died).toBe(false)
      const again = await scope.open(openBroker({ prefer: 'embedded', port: broker.port }))
      expect(again.port).toBe(broker.port)
    })

    it('keeps passwords out of the arguments of nats-server', async () => {
      const credentials = { kind: 'password', user: 'loch', password: 'open-sesame' } as const
      await scope.open(openBroker({ prefer: 'nats-server', credentials }))
      const { argv } = natsServerChild()
      expect(argv.join(' ')).not.toContain('open-sesame')
    })
  }

  it('finds the port in the log of nats-server', () => {
    const line = '[7] 2024/01/01 00:00:00.000000 [INF] Listening for client connections on 127.0.0.1:41337\n'
    expect(parsePort(`${line}[7] [INF] Server is ready\n`)).toBe(41_337)
    expect(parsePort('[7] [INF] Starting nats-server\n')).toBeUndefined()
  })

  it('quotes credentials in the configuration', () => {
    const text = configuration(0, { kind: 'password', user: 'a"b', password: 'c\\d' })
    expect(text).toContain('port: -1')
    expect(text).toContain('authorization { user: "a\\"b", password: "c\\\\d" }')
  })
})

interface NatsServerChild {
  readonly pid: number
  readonly argv: readonly string[]
  readonly configurationFile: string
}

/** The only nats-server among the children of this process. */
function natsServerChild(): NatsServerChild {
  const pids = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
  for (const pid of pids) {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const at = argv.indexOf('--config')
    if (at > 0) return { pid: Number(pid), argv, configurationFile: argv[at + 1]! }
  }
  throw new Error('there is no nats-server among our children')
}
