/**
 * What Loch may expect of the bus, whichever server carries it: the embedded broker or nats-server. Cases are driven by
 * the official client library through nats.ts; the bytes below it are in contract-protocol.ts.
 */
import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import * as Scope from 'effect/Scope'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BadArgument } from '../errors.ts'
import type { Credentials } from './broker/credentials.ts'
import { type BusMessage, type BusStatus, PAYLOAD_BYTES_MAX } from './bus.ts'
import { protocolContract } from './contract-protocol.ts'
import { connectBus, type NatsBus } from './nats.ts'
import { eventually, type OpenServer, QUIET, RawClient, TestScope, type TestServer } from './testing.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)
const flush = (bus: NatsBus) => Effect.runPromise(bus.flush())

/** Registers all cases for one server. */
export function busContract(name: string, open: OpenServer): void {
  deliveryContract(name, open)
  requestContract(name, open)
  connectionContract(name, open)
  protocolContract(name, open)
}

/** A scope and a server for each case. */
function withServer(open: OpenServer) {
  const own = { scope: new TestScope(), server: { url: '', port: 0 } as TestServer }
  beforeEach(async () => {
    own.scope = new TestScope()
    own.server = await own.scope.open(open({}))
  })
  afterEach(() => own.scope.close())
  return { own, connect: () => own.scope.connect(own.server.url) }
}

function deliveryContract(name: string, open: OpenServer): void {
  describe(`delivery by ${name}`, () => {
    const { connect } = withServer(open)

    it('brings every message to every subscriber, in order and unchanged', async () => {
      const publisher = await connect()
      const received = await Promise.all(
        [1, 2, 3].map(async () => {
          const subscriber = await connect()
          const seen: Buffer[] = []
          subscriber.subscribe('log.append', ({ data }) => seen.push(Buffer.from(data)))
          await flush(subscriber)
          return seen
        }),
      )
      const frames = Array.from({ length: 1_000 }, (_, at) => Buffer.alloc(8_192 + at, at))
      for (const frame of frames) publisher.publish('log.append', frame)
      await flush(publisher)
      for (const seen of received) {
        await eventually('all frames', () => seen.length === frames.length)
        expect(seen.every((frame, at) => frame.equals(frames[at]!))).toBe(true)
      }
    })

    it('carries payloads of all sizes up to the limit', async () => {
      const bus = await connect()
      const sizes = [
        0,
        1,
        2,
        63,
        4_095,
        4_096,
        16_383,
        16_384,
        16_385,
        65_535,
        65_536,
        65_537,
        300_000,
        PAYLOAD_BYTES_MAX,
      ]
      const seen: Buffer[] = []
      bus.subscribe('sizes', ({ data }) => seen.push(Buffer.from(data)))
      const payloads = sizes.map((size) =>
        Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + size) & 0xff)),
      )
      for (const payload of payloads) bus.publish('sizes', payload)
      await eventually('all sizes', () => seen.length === sizes.length)
      expect(seen.every((data, at) => data.equals(payloads[at]!))).toBe(true)
    })

    it('matches wildcards', async () => {
      const bus = await connect()
      const seen: Record<string, string[]> = {}
      for (const pattern of ['a', 'a.*', 'a.>', '*.b', '*.*', '>', 'a.*.c', 'a.b.c.>']) {
        const subjects: string[] = []
        seen[pattern] = subjects
        bus.subscribe(pattern, ({ subject }) => subjects.push(subject))
      }
      for (const subject of ['a', 'a.b', 'x.b', 'a.b.c', 'a.b.c.d.e']) bus.publish(subject, bytes(''))
      await flush(bus)
      expect(seen).toEqual({
        a: ['a'],
        'a.*': ['a.b'],
        'a.>': ['a.b', 'a.b.c', 'a.b.c.d.e'],
        '*.b': ['a.b', 'x.b'],
        '*.*': ['a.b', 'x.b'],
        '>': ['a', 'a.b', 'x.b', 'a.b.c', 'a.b.c.d.e'],
        'a.*.c': ['a.b.c'],
        'a.b.c.>': ['a.b.c.d.e'],
      })
    })

    it('gives each message to one member of a queue, spread over all, and to all others besides', async () => {
      const bus = await connect()
      const counts = [0, 0, 0, 0]
      const count = (member: number) => () => {
        counts[member]!++
      }
      bus.subscribe('job.*', count(0), { queue: 'workers' })
      bus.subscribe('job.*', count(1), { queue: 'workers' })
      bus.subscribe('job.>', count(2), { queue: 'workers' })
      bus.subscribe('job.a', count(3))
      for (let at = 0; at < 300; at++) bus.publish('job.a', bytes('x'))
      await flush(bus)
      expect(counts[0]! + counts[1]! + counts[2]!).toBe(300)
      expect(Math.min(counts[0]!, counts[1]!, counts[2]!)).toBeGreaterThan(0)
      expect(counts[3]).toBe(300)
    })

    it('carries headers, reply subjects and subjects of any script', async () => {
      const bus = await connect()
      const seen: BusMessage[] = []
      bus.subscribe('größe.湖', (message) => seen.push(message))
      bus.publish('größe.湖', bytes('x'), { reply: 'back', headers: { 'Loch-Term': '7', Trace: 'é' } })
      bus.publish('größe.湖', bytes('y'))
      await flush(bus)
      expect(seen.map(({ subject, reply, headers }) => ({ subject, reply, headers }))).toEqual([
        { subject: 'größe.湖', reply: 'back', headers: { 'Loch-Term': '7', Trace: 'é' } },
        { subject: 'größe.湖', reply: undefined, headers: undefined },
      ])
    })

    it('delivers nothing after unsubscribe', async () => {
      const bus = await connect()
      let seen = 0
      const subscription = bus.subscribe('a', () => {
        seen++
        subscription.unsubscribe()
      })
      for (let at = 0; at < 10; at++) bus.publish('a', bytes(''))
      await flush(bus)
      subscription.unsubscribe()
      expect(seen).toBe(1)
    })

    it('refuses what cannot be sent, by name, and goes on', async () => {
      const bus = await connect()
      expect(() => bus.publish('a', new Uint8Array(PAYLOAD_BYTES_MAX + 1))).toThrow(BadArgument)
      for (const subject of ['', 'a b', 'a\r\nPING', 'a..b', 'a.*', 'a.>']) {
        expect(() => bus.publish(subject, bytes('')), subject).toThrow(BadArgument)
      }
      for (const subject of ['', 'a b', '>.a', 'a.', 'a\tb']) {
        expect(() => bus.subscribe(subject, () => {}), subject).toThrow(BadArgument)
      }
      await flush(bus)
      expect(bus.status()).toBe('connected')
    })
  })
}

function requestContract(name: string, open: OpenServer): void {
  describe(`requests over ${name}`, () => {
    const { own, connect } = withServer(open)

    it('brings each request its own answer', async () => {
      const [server, client] = [await connect(), await connect()]
      server.subscribe('double.*', (message) => message.respond(bytes(`${text(message.data)}${text(message.data)}`)))
      await flush(server)
      const ask = (at: number) => client.request('double.it', bytes(String(at)), { timeoutMs: 5_000 })
      const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => Effect.runPromise(ask(at))))
      expect(answers.map(({ data }) => text(data))).toEqual(Array.from({ length: 200 }, (_, at) => `${at}${at}`))
    })

    it.each(['a.*', 'x..y', '>'])('answers nobody where the sender named no subject for it: %s', async (reply) => {
      const server = await connect()
      const replies: Array<string | undefined> = []
      server.subscribe('ask', (message) => {
        replies.push(message.reply)
        message.respond(bytes('hi'))
      })
      await flush(server)
      const stranger = await RawClient.open(own.scope, own.server.port)
      await stranger.exchange(`${QUIET}PUB ask ${reply} 2\r\nhi\r\n`)
      await eventually('asked', () => replies.length === 1)
      expect(replies).toEqual([undefined])
      await flush(server)
      expect(server.status()).toBe('connected')
    })

    it('says at once when nobody serves', async () => {
      const bus = await connect()
      const error = await Effect.runPromise(Effect.flip(bus.request('nobody.home', bytes(''), { timeoutMs: 30_000 })))
      expect(error).toMatchObject({ _tag: 'NoAnswer', value: 'nobody.home', problem: 'nobody serves this subject' })
    })

    it('says when no answer came in time', async () => {
      const bus = await connect()
      bus.subscribe('silent', () => {})
      const error = await Effect.runPromise(Effect.flip(bus.request('silent', bytes(''), { timeoutMs: 20 })))
      expect(error).toMatchObject({ _tag: 'NoAnswer', value: 'silent', problem: 'no answer came within 20 ms' })
    })

    it('lets the outside world discover its services', async () => {
      const [server, client] = [await connect(), await connect()]
      const service = await server.services.add({ name: 'loch', version: '1.2.3', description: 'test' })
      service.addEndpoint('echo', {
        subject: 'loch.echo',
        handler: (error, message) => error ?? message.respond(message.data),
      })
      await flush(server)
      const pinged: unknown = JSON.parse(
        text((await Effect.runPromise(client.request('$SRV.PING', bytes(''), { timeoutMs: 5_000 }))).data),
      )
      expect(pinged).toMatchObject({ name: 'loch', version: '1.2.3' })
      const info: unknown = JSON.parse(
        text((await Effect.runPromise(client.request('$SRV.INFO.loch', bytes(''), { timeoutMs: 5_000 }))).data),
      )
      expect(info).toMatchObject({ endpoints: [{ name: 'echo', subject: 'loch.echo' }] })
      const echoed = await Effect.runPromise(client.request('loch.echo', bytes('hi'), { timeoutMs: 5_000 }))
      expect(text(echoed.data)).toBe('hi')
      const stats: unknown = JSON.parse(
        text((await Effect.runPromise(client.request('$SRV.STATS.loch', bytes(''), { timeoutMs: 5_000 }))).data),
      )
      expect(stats).toMatchObject({ endpoints: [{ name: 'echo', num_requests: 1 }] })
    })
  })
}

function connectionContract(name: string, open: OpenServer): void {
  describe(`connections to ${name}`, () => {
    let scope: TestScope
    beforeEach(() => {
      scope = new TestScope()
    })
    afterEach(() => scope.close())

    const refusal = (url: string) => Effect.runPromise(Effect.flip(Effect.scoped(connectBus(url, { name: 'test' }))))

    it.each<[string, Credentials, string]>([
      ['password', { kind: 'password', user: 'loch', password: 'p"@:/ \\ß' }, 'loch:wrong@'],
      ['token', { kind: 'token', token: 't"@:/ \\ß' }, 'wrong@'],
    ])('are let in by %s only, and errors do not repeat it', async (_, credentials, wrong) => {
      const { url, port } = await scope.open(open({ credentials }))
      const bus = await scope.connect(url)
      expect(bus.url).toBe(url)
      for (const bad of [`nats://127.0.0.1:${port}`, `nats://${wrong}127.0.0.1:${port}`]) {
        const error = await refusal(bad)
        expect(error).toMatchObject({ _tag: 'BusUnavailable', value: `nats://127.0.0.1:${port}` })
        expect(error.problem).toBe('the NATS server refuses our credentials')
        expect(JSON.stringify(error)).not.toContain('wrong')
      }
    })

    it('come back after the server was restarted, with their subscriptions', async () => {
      const first = new TestScope()
      const { url, port } = await first.open(open({}))
      const bus = await scope.connect(url)
      const changes: BusStatus[] = []
      bus.onStatus((status) => changes.push(status))
      bus.subscribe('echo', (message) => message.respond(message.data))
      await flush(bus)
      await first.close()
      await eventually('disconnected', () => bus.status() === 'reconnecting')
      bus.publish('echo', bytes('into the void'))
      const down = await Effect.runPromise(Effect.flip(bus.request('echo', bytes('x'), { timeoutMs: 5_000 })))
      expect(down).toMatchObject({ _tag: 'BusUnavailable' })
      await scope.open(open({ port }))
      await eventually('connected', () => bus.status() === 'connected')
      const answer = await Effect.runPromise(bus.request('echo', bytes('hi'), { timeoutMs: 5_000 }))
      expect(text(answer.data)).toBe('hi')
      expect(changes).toEqual(['reconnecting', 'connected'])
    })

    it('deliver what was published before they were closed', async () => {
      const { url } = await scope.open(open({}))
      const subscriber = await scope.connect(url)
      let seen = 0
      subscriber.subscribe('last.words', () => {
        seen++
      })
      await flush(subscriber)
      const short = Scope.makeUnsafe()
      const bus = await Effect.runPromise(Scope.provide(connectBus(url, { name: 'short' }), short))
      for (let at = 0; at < 100; at++) bus.publish('last.words', new Uint8Array(8_192))
      await Effect.runPromise(Scope.close(short, Exit.void))
      await eventually('all of them', () => seen === 100)
      await eventually('closed', () => bus.status() === 'closed')
      bus.publish('last.words', bytes('too late, and no error'))
      const late = await Effect.runPromise(Effect.flip(bus.request('last.words', bytes(''), { timeoutMs: 1_000 })))
      expect(late._tag).toBe('BusUnavailable')
    })

    it('are refused by an address that somebody else holds', async () => {
      const { port } = await scope.open(open({}))
      const error = await Effect.runPromise(Effect.flip(Effect.scoped(open({ port }))))
      expect(error).toMatchObject({ _tag: 'AddressTaken', value: `127.0.0.1:${port}` })
    })
  })
}
