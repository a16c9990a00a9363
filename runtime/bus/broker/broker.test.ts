/** What the embedded broker does beyond the contract that it shares with nats-server: its bounds, its counts, its end. */
import * as Effect from 'effect/Effect'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually, QUIET, RawClient, TestScope } from '../testing.ts'
import { type Broker, type BrokerOptions, startBroker } from './broker.ts'

describe('the embedded broker', () => {
  let scope: TestScope
  beforeEach(() => {
    scope = new TestScope()
  })
  afterEach(() => scope.close())

  const start = (options: Partial<BrokerOptions> = {}): Promise<Broker> =>
    scope.open(startBroker({ host: '127.0.0.1', port: 0, ...options }))
  const raw = (broker: Broker) => RawClient.open(scope, broker.port)

  it('cuts off a client for which too much waits, and no other', async () => {
    const broker = await start({ limits: { pendingBytesMax: 1_000_000 } })
    const [slow, quick, publisher] = [await raw(broker), await raw(broker), await raw(broker)]
    await slow.exchange(`${QUIET}SUB flood 1\r\n`)
    await quick.exchange(`${QUIET}SUB flood 1\r\n`)
    slow.pauseReading()
    const message = `PUB flood 50000\r\n${'x'.repeat(50_000)}\r\n`
    let sent = 0
    for (; broker.stats().cut['Slow Consumer'] === undefined && sent < 2_000; sent++) await publisher.exchange(message)
    expect(broker.stats().cut).toEqual({ 'Slow Consumer': 1 })
    await eventually('cut off', () => broker.stats().connections === 2)
    const delivered = await quick.exchange('')
    expect(delivered.split('MSG flood 1 50000').length - 1).toBe(sent)
  })

  it('gives a slow client all that waits, in order, once it reads again', async () => {
    const broker = await start()
    const [slow, publisher] = [await raw(broker), await raw(broker)]
    await slow.exchange(`${QUIET}SUB flood 1\r\n`)
    slow.pauseReading()
    // More than the kernel holds for a socket, of sizes that are copied and sizes that are not.
    const bodies = Array.from({ length: 1_500 }, (_, at) => `${at}:`.padEnd(at % 3 === 0 ? 20_000 : 2_000 + at, 'x'))
    for (const body of bodies) await publisher.send(`PUB flood ${body.length}\r\n${body}\r\n`)
    await publisher.exchange('')
    slow.resumeReading()
    const expected = bodies.map((body) => `MSG flood 1 ${body.length}\r\n${body}\r\n`).join('')
    await eventually('all of it', () => slow.received.length >= expected.length)
    expect(slow.received === expected).toBe(true)
  })

  it('cuts off a client that takes nothing for too long', async () => {
    const broker = await start({ limits: { writeDeadlineMs: 50 } })
    const [slow, publisher] = [await raw(broker), await raw(broker)]
    await slow.exchange(`${QUIET}SUB flood 1\r\n`)
    slow.pauseReading()
    const message = `PUB flood 500000\r\n${'x'.repeat(500_000)}\r\n`
    for (let sent = 0; sent < 40; sent++) await publisher.exchange(message)
    await eventually('cut off', () => broker.stats().cut['Slow Consumer'] === 1)
    await eventually('gone', () => broker.stats().connections === 1)
  })

  it('pings, and cuts off who does not answer', async () => {
    const broker = await start({ limits: { pingIntervalMs: 20, pingsUnansweredMax: 2 } })
    const [silent, answering] = [await raw(broker), await scope.connect(broker.url)]
    await eventually('cut off', () => silent.closed)
    expect(silent.received).toBe("PING\r\nPING\r\n-ERR 'Stale Connection'\r\n")
    // The client may see its end before the broker has.
    await eventually('forgotten', () => broker.stats().connections === 1)
    expect(broker.stats().cut).toEqual({ 'Stale Connection': 1 })
    expect(answering.status()).toBe('connected')
  })

  it('waits only so long for credentials, and takes no command before', async () => {
    const credentials = { kind: 'token', token: 't' } as const
    const broker = await start({ credentials, limits: { authenticationMs: 30 } })
    const [silent, hasty] = [await raw(broker), await raw(broker)]
    expect(JSON.parse(silent.info.slice(5))).toMatchObject({ auth_required: true })
    await hasty.send('SUB > 1\r\n')
    await eventually('refused', () => hasty.closed)
    expect(hasty.received).toBe("-ERR 'Authorization Violation'\r\n")
    await eventually('cut off', () => silent.closed)
    expect(silent.received).toBe("-ERR 'Authentication Timeout'\r\n")
    expect(broker.stats().subscriptions).toBe(0)
  })

  it('takes a bounded number of connections and of subscriptions for each', async () => {
    const broker = await start({ limits: { connectionsMax: 2, subscriptionsPerClientMax: 3 } })
    const [greedy, modest, third] = [await raw(broker), await raw(broker), await raw(broker)]
    await eventually('refused', () => third.closed)
    expect(third.received).toBe("-ERR 'maximum connections exceeded'\r\n")
    const subscribe = [1, 2, 3, 3].map((sid) => `SUB a ${sid}\r\n`).join('')
    expect(await greedy.exchange(`${QUIET}${subscribe}`)).toBe('')
    expect(await greedy.exchange('SUB a 4\r\n')).toBe("-ERR 'maximum subscriptions exceeded'\r\n")
    expect(await modest.exchange(QUIET)).toBe('')
    expect(broker.stats().subscriptions).toBe(0)
  })

  it('counts what it carries', async () => {
    const broker = await start()
    const client = await raw(broker)
    await client.exchange(`${QUIET}SUB a 1\r\nSUB a 2\r\nPUB a 5\r\nhello\r\nPUB b 1\r\nx\r\n`)
    expect(broker.stats()).toEqual({
      messagesIn: 2,
      bytesIn: 6,
      messagesOut: 2,
      bytesOut: 10,
      cut: {},
      connections: 1,
      connectionsEver: 1,
      subscriptions: 2,
    })
  })

  it('ends with its scope: clients get what was sent to them, and the address is free again', async () => {
    const own = new TestScope()
    const broker = await own.open(startBroker({ host: '127.0.0.1', port: 0 }))
    const [subscriber, publisher] = [await raw(broker), await raw(broker)]
    await subscriber.exchange(`${QUIET}SUB a 1\r\n`)
    const body = 'x'.repeat(1_000_000)
    await publisher.exchange(`${QUIET}PUB a ${body.length}\r\n${body}\r\n`)
    await own.close()
    await eventually('closed', () => subscriber.closed && publisher.closed)
    expect(subscriber.received).toBe(`MSG a 1 ${body.length}\r\n${body}\r\n`)
    const again = await start({ port: broker.port })
    expect(again.port).toBe(broker.port)
  })

  it('is not held up at its end by a client that reads nothing', async () => {
    const own = new TestScope()
    const broker = await own.open(startBroker({ host: '127.0.0.1', port: 0 }))
    const [stuck, publisher] = [await raw(broker), await raw(broker)]
    await stuck.exchange(`${QUIET}SUB a 1\r\n`)
    stuck.pauseReading()
    for (let sent = 0; sent < 40; sent++) await publisher.exchange(`PUB a 500000\r\n${'x'.repeat(500_000)}\r\n`)
    await own.close()
    await eventually('all gone', () => broker.stats().connections === 0)
  })

  it('says which address it cannot listen on, and why', async () => {
    const broker = await start()
    const taken = await Effect.runPromise(
      Effect.flip(Effect.scoped(startBroker({ host: '127.0.0.1', port: broker.port }))),
    )
    expect(taken).toMatchObject({ _tag: 'AddressTaken', value: `127.0.0.1:${broker.port}` })
    const foreign = await Effect.runPromise(Effect.flip(Effect.scoped(startBroker({ host: '192.0.2.1', port: 0 }))))
    expect(foreign.problem).toContain('EADDRNOTAVAIL')
  })
})
