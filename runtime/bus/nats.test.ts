/** Addresses of NATS servers, and what is said when one cannot be connected to. */
import * as net from 'node:net'
import * as Effect from 'effect/Effect'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BadArgument, BusUnavailable, describe as explain } from '../errors.ts'
import { addressOf, parseAddress } from './address.ts'
import { startBroker } from './broker/broker.ts'
import { connectBus } from './nats.ts'
import { connectFailed } from './nats-errors.ts'
import { eventually, TestScope } from './testing.ts'

describe('parseAddress', () => {
  it.each([
    ['host', ['host:4222'], '', '', ''],
    ['nats://host:7', ['host:7'], '', '', ''],
    ['nats://[::1]:7/', ['[::1]:7'], '', '', ''],
    ['nats://u:p@a:1, nats://b', ['a:1', 'b:4222'], 'u', 'p', ''],
    ['nats://secret@a:1', ['a:1'], '', '', 'secret'],
    ['nats://u%40x:p%3A%2F@a:1', ['a:1'], 'u@x', 'p:/', ''],
  ])('reads %s', (text, servers, user, password, token) => {
    expect(parseAddress(text)).toMatchObject({ servers, user, password, token, tls: false })
  })

  it('knows TLS by its scheme, and shows no credentials', () => {
    expect(parseAddress('tls://u:secret@a:1,tls://secret@b')).toMatchObject({
      tls: true,
      shown: 'tls://a:1,tls://b:4222',
    })
  })

  it.each([
    '',
    'http://a',
    'nats://',
    'nats://a:99999',
    'nats://a/path',
    'nats://a?x=1',
    'nats://u:%ZZ@a',
    'a,,b',
    'nats://u:secret@a:x',
  ])('refuses %j without repeating a password', (text) => {
    const refused = parseAddress(text)
    if (!(refused instanceof BadArgument)) throw new Error(`was taken: ${text}`)
    expect(explain(refused)).toContain('nats://host:port')
    expect(JSON.stringify(refused)).not.toMatch(/secret|%ZZ/)
  })

  it('writes what it reads', () => {
    for (const text of ['nats://a:1', 'nats://u%40x:p%3A%2F@a:1', 'nats://t%40@a:1', 'tls://a:1']) {
      const address = parseAddress(text)
      expect(address instanceof BadArgument ? '' : addressOf(address, 'a:1')).toBe(text)
    }
  })
})

describe('connectBus', () => {
  let scope: TestScope
  beforeEach(() => {
    scope = new TestScope()
  })
  afterEach(() => scope.close())

  const refusal = (url: string) =>
    Effect.runPromise(Effect.flip(Effect.scoped(connectBus(url, { name: 'test', connectTimeoutMs: 300 }))))

  /** Something that listens and behaves like no NATS server. */
  async function impostor(greeting: string, end: boolean): Promise<number> {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.write(greeting)
      if (end) socket.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    await scope.open(Effect.acquireRelease(Effect.void, () => Effect.sync(() => server.close())))
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  it('says that nobody listens', async () => {
    const own = new TestScope()
    const { port } = await own.open(startBroker({ host: '127.0.0.1', port: 0 }))
    await own.close()
    const error = await refusal(`nats://u:secret@127.0.0.1:${port}`)
    expect(explain(error)).toBe(
      `bus: nobody listens at this address (nats://127.0.0.1:${port}). Start the NATS server, or correct the address.`,
    )
  })

  it('says that the server does not answer in time', async () => {
    const error = await refusal(`127.0.0.1:${await impostor('', false)}`)
    expect(error).toMatchObject({ _tag: 'BusUnavailable', problem: 'the server cannot be reached in time' })
  })

  it('says that it is no NATS server', async () => {
    const error = await refusal(`127.0.0.1:${await impostor('220 mail.example.org ESMTP\r\n', false)}`)
    expect(error.problem).toMatch(/not a NATS server/)
  })

  it.each(['ERR_TLS_CERT_ALTNAME_INVALID', 'DEPTH_ZERO_SELF_SIGNED_CERT'])(
    'tells a certificate that cannot be trusted from a server that is none: %s',
    (code) => {
      const address = parseAddress('nats://u:secret@host')
      if (address instanceof BadArgument) throw address
      const error = connectFailed(address, Object.assign(new Error('Host: localhost. is not in the cert'), { code }))
      expect(explain(error)).toContain('TLS could not be agreed on (Host: localhost. is not in the cert)')
      expect(explain(error)).toContain('NODE_EXTRA_CA_CERTS')
    },
  )

  it('refuses a malformed address', async () => {
    expect(await refusal('http://a')).toMatchObject({ _tag: 'BadArgument' })
  })

  it('refuses a server that carries too little', async () => {
    const { url, port } = await scope.open(
      startBroker({ host: '127.0.0.1', port: 0, limits: { payloadBytesMax: 65_536 } }),
    )
    const error = await refusal(url)
    expect(error).toBeInstanceOf(BusUnavailable)
    expect(explain(error)).toContain(`at most 65536 bytes (nats://127.0.0.1:${port}). Set max_payload: 1MB`)
  })

  it('gives up a request whose fibre is interrupted, and drops its late answer', async () => {
    const { url } = await scope.open(startBroker({ host: '127.0.0.1', port: 0 }))
    const bus = await scope.connect(url)
    const answers: (() => void)[] = []
    bus.subscribe('late', (message) => answers.push(() => message.respond(message.data)))
    const abort = new AbortController()
    const asked = Effect.runPromise(bus.request('late', new Uint8Array(1), { timeoutMs: 60_000 }), {
      signal: abort.signal,
    })
    const outcome = asked.then(
      () => 'answered',
      () => 'interrupted',
    )
    await eventually('asked', () => answers.length === 1)
    abort.abort()
    expect(await outcome).toBe('interrupted')
    answers[0]!()
    await Effect.runPromise(bus.flush())
    expect(bus.status()).toBe('connected')
  })

  it('reports what the server complains about', async () => {
    const { port } = await scope.open(
      startBroker({ host: '127.0.0.1', port: 0, limits: { subscriptionsPerClientMax: 1 } }),
    )
    const lines: string[] = []
    const bus = await scope.connect(`127.0.0.1:${port}`, { report: (line) => lines.push(line) })
    bus.subscribe('a', () => {})
    bus.subscribe('b', () => {})
    await eventually('reported', () => lines.length > 0)
    expect(lines[0]).toMatch(/^NATS reported an error/)
  })
})
