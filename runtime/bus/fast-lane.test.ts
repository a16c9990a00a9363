/** The lane against a server of a few lines, which cuts and breaks off as told, and against the real broker. */
import * as net from 'node:net'
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Scope from 'effect/Scope'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { run } from '../system/run.ts'
import { type BusMessage, PAYLOAD_BYTES_MAX, type PublishOptions, type Subscription } from './bus.ts'
import { type FastLane, type Lane, type LaneOptions, openFastLane } from './fast-lane.ts'
import { openBroker } from './spawn.ts'

const INFO = 'INFO {"max_payload":1048576}\r\n'
const cleanUps: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** Greets every connection, with nothing if `info` is empty; hands out sockets and what clients said. */
async function fakeServer(info = INFO, answersPings = false) {
  const sockets: net.Socket[] = []
  const heard: string[] = []
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      heard.push(chunk.toString('latin1'))
      if (answersPings && chunk.includes('PING')) socket.write('PONG\r\n')
    })
    socket.write(info)
    sockets.push(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)))
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as net.AddressInfo
  return { url: `nats://me:secret@127.0.0.1:${port}`, sockets, said: () => heard.join('') }
}

/** Remembers what it is asked, and hands a message to whoever subscribed. */
class FakeBus implements Lane {
  readonly published: string[] = []
  readonly handlers = new Map<string, (message: BusMessage) => void>()

  publish(subject: string, data: Uint8Array, options: PublishOptions = {}): void {
    this.published.push(`${subject} ${options.reply} ${data}`)
  }

  subscribe(subject: string, handler: (message: BusMessage) => void): Subscription {
    this.handlers.set(subject, handler)
    return { subject, unsubscribe: () => this.handlers.delete(subject) }
  }
}

function open(url: string, options: Partial<LaneOptions> = {}): FastLane {
  const lane = openFastLane(url, { name: 'test', bus: new FakeBus(), report: () => {}, ...options })
  cleanUps.push(() => lane.close())
  return lane
}

describe('the fast lane', () => {
  test.each(['tls://127.0.0.1:1', 'nats://127.0.0.1:1,nats://127.0.0.1:2'])(
    'is the bus where plain NATS to one server does not do: %s',
    (url) => {
      const bus = new FakeBus()
      const lane = open(url, { bus })
      lane.publish('a.b', Buffer.from('1'), { reply: 'c' })
      expect(bus.published).toEqual(['a.b c 1'])
      const { unsubscribe } = lane.subscribe('d', () => {})
      expect([...bus.handlers.keys()]).toEqual(['d'])
      unsubscribe()
      expect(bus.handlers.size).toBe(0)
    },
  )

  test.each(['INFO {"tls_required":true}\r\n', 'INFO {"tls_available":true}\r\n', 'INFO nonsense\r\n'])(
    'says nothing to a server that encrypts, and leaves everything to the bus: %s',
    async (info) => {
      const server = await fakeServer(info)
      const bus = new FakeBus()
      const reported: string[] = []
      const lane = open(server.url, { bus, report: (line) => reported.push(line) })
      const got: string[] = []
      const early = lane.subscribe('early', ({ data }) => got.push(`${data}`))
      await vi.waitFor(() => expect([...bus.handlers.keys()]).toEqual(['early']))
      await vi.waitFor(() => expect(server.sockets[0]!.destroyed).toBe(true))
      lane.subscribe('late', () => {})
      lane.publish('a.b', Buffer.from('1'))
      bus.handlers.get('early')!({ subject: 'early', data: Buffer.from('heard'), respond: () => {} })
      expect(got).toEqual(['heard'])
      expect(bus.published).toEqual(['a.b undefined 1'])
      early.unsubscribe()
      expect([...bus.handlers.keys()]).toEqual(['late'])
      expect(server.said()).toBe('')
      expect(reported.join()).toContain('TLS')
    },
  )

  test('introduces itself with the credentials, and subscribes again after a reconnect', async () => {
    const server = await fakeServer()
    const lane = open(server.url)
    lane.subscribe('a.b', () => {})
    await vi.waitFor(() => expect(server.said()).toMatch(/CONNECT .*"user":"me","pass":"secret".*\r\nSUB a\.b 1\r\n/s))
    server.sockets[0]!.destroy()
    await vi.waitFor(() => expect(server.said().match(/SUB a\.b 1\r\n/g)).toHaveLength(2))
  })

  test('understands messages that are cut at any byte, and many in one piece', async () => {
    const server = await fakeServer()
    const lane = open(server.url)
    const got: string[] = []
    lane.subscribe('x', ({ data, reply }) => got.push(`${data}/${reply ?? ''}`))
    await vi.waitFor(() => expect(server.said()).toContain('SUB x 1'))
    const text = 'MSG x 1 5\r\nhello\r\nPING\r\nMSG x 1 back.to.me 4\r\n\r\n\r\n\r\nMSG x 1 0\r\n\r\n'
    const expected = ['hello/', '\r\n\r\n/back.to.me', '/']
    for (let cut = 0; cut <= text.length; cut++) {
      got.length = 0
      const socket = server.sockets.at(-1)!
      socket.write(text.slice(0, cut))
      await new Promise((resolve) => setImmediate(resolve))
      socket.write(text.slice(cut) + text)
      await vi.waitFor(() => expect(got).toEqual([...expected, ...expected]))
    }
    expect(server.said()).toContain('PONG')
  })

  test('answers nobody where the sender named no subject for it', async () => {
    const server = await fakeServer()
    const lane = open(server.url)
    const got: string[] = []
    lane.subscribe('x', (message) => {
      got.push(`${message.reply}`)
      message.respond(Buffer.from('hi'))
    })
    await vi.waitFor(() => expect(server.said()).toContain('SUB x 1'))
    server.sockets[0]!.write('MSG x 1 a.* 1\r\na\r\nMSG x 1 x..y 1\r\nb\r\nMSG x 1 back 1\r\nc\r\n')
    await vi.waitFor(() => expect(server.said()).toContain('PUB back 2\r\nhi\r\n'))
    expect(got).toEqual(['undefined', 'undefined', 'back'])
    expect(server.said().match(/PUB/g)).toHaveLength(1)
  })

  test('gives up a connection that speaks something else or refuses, and comes back', async () => {
    const server = await fakeServer()
    const reported: string[] = []
    open(server.url, { report: (line) => reported.push(line) })
    await vi.waitFor(() => expect(server.sockets).toHaveLength(1))
    server.sockets[0]!.write('MSG x 1 nonsense\r\n')
    await vi.waitFor(() => expect(server.sockets).toHaveLength(2))
    server.sockets[1]!.write("-ERR 'Authorization Violation'\r\n")
    await vi.waitFor(() => expect(server.sockets).toHaveLength(3))
    expect(reported.join()).toContain('Authorization Violation')
  })

  test.each([
    ['does not answer its pings', INFO],
    ['never says INFO', ''],
  ])('gives up a server that %s, and comes back', async (_, info) => {
    const server = await fakeServer(info)
    const lane = open(server.url, { pingIntervalMs: 10 })
    lane.subscribe('a.b', () => {})
    await vi.waitFor(() => expect(server.sockets.length).toBeGreaterThan(1))
    await vi.waitFor(() => expect(server.sockets[0]!.destroyed).toBe(true))
    if (info !== '') expect(server.said()).toMatch(/SUB a\.b 1\r\nPING\r\nPING\r\n/)
  })

  test('keeps a connection on which it hears anything at all', async () => {
    const server = await fakeServer(INFO, true)
    open(server.url, { pingIntervalMs: 25 })
    await vi.waitFor(() => expect(server.said().match(/PING/g)?.length).toBeGreaterThan(10), { timeout: 10_000 })
    expect(server.sockets).toHaveLength(1)
  })

  test('carries every size through the real broker, with the reply subject', async () => {
    const scope = Effect.runSync(Scope.make())
    cleanUps.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    const opened = openBroker({ credentials: { kind: 'password', user: 'u', password: 'p' }, prefer: 'embedded' })
    const broker = await run(Effect.provideService(opened, Scope.Scope, scope))
    const [one, other] = [open(broker.url), open(broker.url)]
    const got: Array<{ readonly size: number; readonly sum: number; readonly reply: string | undefined }> = []
    one.subscribe('sizes', ({ data, reply }) => {
      got.push({ size: data.length, sum: data.reduce((sum, byte) => sum + byte, 0), reply })
    })
    await vi.waitFor(() => {
      other.publish('sizes', Buffer.alloc(0))
      expect(got.length).toBeGreaterThan(0)
    })
    const quiet = got.length
    const sizes = [1, 64 * 1024, 65_537, 700_000, PAYLOAD_BYTES_MAX]
    for (const size of sizes) other.publish('sizes', Buffer.alloc(size, 3), { reply: `r.${size}` })
    const expected = sizes.map((size) => ({ size, sum: 3 * size, reply: `r.${size}` }))
    await vi.waitFor(() => expect(got.slice(quiet).filter(({ size }) => size > 0)).toEqual(expected), {
      timeout: 10_000,
    })
  })
})
