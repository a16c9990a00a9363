import * as Effect from 'effect/Effect'
import * as Exit from 'effect/Exit'
import { describe, expect, test } from 'vitest'
import { type BusMessage, type BusStatus, PAYLOAD_BYTES_MAX } from '../../runtime/bus/bus.ts'
import { BadArgument } from '../../runtime/errors.ts'
import { drawNetworkSettings } from './network-settings.ts'
import { kernelOf, start } from './testing.ts'
import { bytes, heard, numbers, text, world } from './testing-network.ts'

describe('delivery', () => {
  test('brings every message to every subscriber, in order and unchanged, whatever becomes of the buffer', async () => {
    const { connect, pass, kernel } = world()
    const [publisher, one, two] = [connect('p'), connect('s1'), connect('s2')]
    const seen = [heard(one, 'log.append'), heard(two, 'log.append')]
    await pass(50)
    const buffer = Buffer.alloc(4)
    for (let at = 0; at < 500; at++) {
      kernel.after(publisher.process, at * 0.03, () => {
        buffer.write(String(at).padEnd(4))
        publisher.publish('log.append', buffer)
      })
    }
    await pass(500)
    for (const one of seen) expect(one.map((data) => data.trim())).toEqual(numbers(500))
  })

  test('takes time', async () => {
    const { connect, pass, kernel } = world()
    const bus = connect('a')
    const at: number[] = []
    bus.subscribe('a', () => at.push(kernel.nowMs))
    await pass(50)
    const sentMs = kernel.nowMs
    bus.publish('a', bytes('x'))
    await pass(50)
    expect(at[0]! - sentMs).toBeGreaterThan(0.1)
    expect(at[0]! - sentMs).toBeLessThan(25)
  })

  test('matches wildcards', async () => {
    const { connect, pass } = world()
    const bus = connect('a')
    const seen: Record<string, string[]> = {}
    for (const pattern of ['a', 'a.*', 'a.>', '*.b', '>']) {
      const subjects: string[] = []
      seen[pattern] = subjects
      bus.subscribe(pattern, ({ subject }) => subjects.push(subject))
    }
    for (const subject of ['a', 'a.b', 'x.b', 'a.b.c']) bus.publish(subject, bytes(''))
    await pass(100)
    expect(seen).toEqual({
      a: ['a'],
      'a.*': ['a.b'],
      'a.>': ['a.b', 'a.b.c'],
      '*.b': ['a.b', 'x.b'],
      '>': ['a', 'a.b', 'x.b', 'a.b.c'],
    })
  })

  test('gives each message to one member of a queue, spread over all, and to all others besides', async () => {
    const { connect, pass } = world()
    const bus = connect('a')
    const counts = [0, 0, 0]
    const count = (member: number) => () => {
      counts[member]!++
    }
    bus.subscribe('job.*', count(0), { queue: 'workers' })
    bus.subscribe('job.>', count(1), { queue: 'workers' })
    bus.subscribe('job.a', count(2))
    for (let at = 0; at < 100; at++) bus.publish('job.a', bytes('x'))
    await pass(100)
    expect(counts[0]! + counts[1]!).toBe(100)
    expect(Math.min(counts[0]!, counts[1]!)).toBeGreaterThan(20)
    expect(counts[2]).toBe(100)
  })

  test('carries headers and reply subjects', async () => {
    const { connect, pass } = world()
    const bus = connect('a')
    const seen: BusMessage[] = []
    bus.subscribe('größe', (message) => seen.push(message))
    bus.publish('größe', bytes('x'), { reply: 'back', headers: { Term: '7' } })
    bus.publish('größe', bytes('y'))
    await pass(50)
    expect(seen.map(({ subject, reply, headers }) => ({ subject, reply, headers }))).toEqual([
      { subject: 'größe', reply: 'back', headers: { Term: '7' } },
      { subject: 'größe', reply: undefined, headers: undefined },
    ])
  })

  test('is over with unsubscribe', async () => {
    const { connect, pass } = world()
    const bus = connect('a')
    let seen = 0
    const subscription = bus.subscribe('a', () => {
      seen++
      subscription.unsubscribe()
    })
    for (let at = 0; at < 10; at++) bus.publish('a', bytes(''))
    await pass(50)
    subscription.unsubscribe()
    expect(seen).toBe(1)
  })

  test('refuses what cannot be sent', () => {
    const bus = world().connect('a')
    expect(() => bus.publish('a', new Uint8Array(PAYLOAD_BYTES_MAX + 1))).toThrow(BadArgument)
    expect(() => bus.publish('a', new Uint8Array(PAYLOAD_BYTES_MAX), { headers: { a: 'b' } })).toThrow(BadArgument)
    for (const subject of ['', 'a b', 'a..b', 'a.*']) expect(() => bus.publish(subject, bytes(''))).toThrow(BadArgument)
    for (const subject of ['', '>.a', 'a.']) expect(() => bus.subscribe(subject, () => {})).toThrow(BadArgument)
  })

  test('ends the run if a handler throws', async () => {
    const { connect, pass } = world()
    const bus = connect('a')
    bus.subscribe('a', () => {
      throw new Error('a defect')
    })
    bus.publish('a', bytes(''))
    await expect(pass(50)).rejects.toThrow('a defect')
  })

  test('does not echo to a fast lane', async () => {
    const { network, processNamed, pass } = world()
    const lane = network.connect(processNamed('a'), 'a-lane', { isLane: true })
    const other = network.connect(processNamed('a'), 'a-other', { isLane: true })
    const seen = [heard(lane, 'a'), heard(other, 'a')]
    await pass(50)
    lane.publish('a', bytes('x'))
    await pass(50)
    expect(seen).toEqual([[], ['x']])
  })
})

describe('requests', () => {
  test('get their own answers', async () => {
    const { connect, pass } = world()
    const [server, client] = [connect('s'), connect('c')]
    server.subscribe('double.*', (message) => message.respond(bytes(`${text(message.data)}!`)))
    await pass(50)
    const answers = numbers(50).map((at) => start(client.request('double.it', bytes(at), { timeoutMs: 5_000 })))
    await pass(100)
    const told = answers.map(({ exit }) => (exit && Exit.isSuccess(exit) ? text(exit.value.data) : exit))
    expect(told).toEqual(numbers(50).map((at) => `${at}!`))
  })

  test('are told at once that nobody serves, and in time that nothing came', async () => {
    const { connect, pass, kernel } = world()
    const bus = connect('a')
    bus.subscribe('silent', () => {})
    const begunMs = kernel.nowMs
    const errors: Array<readonly [number, unknown]> = []
    for (const subject of ['nobody.home', 'silent']) {
      const asked = Effect.flip(bus.request(subject, bytes(''), { timeoutMs: 3_000 }))
      void Effect.runPromise(asked).then((error) => errors.push([kernel.nowMs - begunMs, error]))
    }
    await pass(5_000)
    expect(errors.map(([, error]) => error)).toMatchObject([
      { _tag: 'NoAnswer', value: 'nobody.home', problem: 'nobody serves this subject' },
      { _tag: 'NoAnswer', value: 'silent', problem: 'no answer came within 3000 ms' },
    ])
    expect(errors[0]![0]).toBeLessThan(50)
    expect(errors[1]![0]).toBe(3_000)
  })

  test('cannot be sent while the connection is down', async () => {
    const { connect, network, pass } = world()
    const bus = connect('a')
    await pass(10)
    network.cut('a')
    await pass(10)
    const asked = start(Effect.flip(bus.request('x', bytes(''), { timeoutMs: 1_000 })))
    await pass(10)
    expect(asked.exit).toMatchObject({ value: { _tag: 'BusUnavailable' } })
  })
})

describe('a flush', () => {
  test('ends when the server has what was published, or the connection is gone', async () => {
    const { connect, network, pass } = world()
    const bus = connect('a')
    for (let at = 0; at < 10; at++) bus.publish('a', bytes(''))
    const flushed = start(bus.flush())
    await pass(50)
    expect(flushed.exit).toMatchObject({ _tag: 'Success' })
    expect(network.published).toBe(10)
    const broken = start(bus.flush())
    network.cut('a')
    await pass(50)
    expect(broken.exit).toMatchObject({ _tag: 'Failure' })
  })
})

describe('a connection that breaks', () => {
  test('comes back with its subscriptions, and what was published meanwhile is lost', async () => {
    const { connect, network, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(a, 'x')
    const changes: BusStatus[] = []
    a.onStatus((status) => changes.push(status))
    await pass(50)
    network.cut('a')
    await pass(3_000)
    b.publish('x', bytes('lost'))
    a.publish('x', bytes('lost, too'))
    await pass(50)
    network.endCut('a')
    await pass(500)
    b.publish('x', bytes('there'))
    await pass(50)
    expect(seen).toEqual(['there'])
    expect(changes).toEqual(['reconnecting', 'connected'])
  })

  test('may still bring a part of what was sent, from the beginning, later than others have reconnected', async () => {
    const outcomes = new Set<string>()
    let wasLate = false
    for (let seed = 0; seed < 60; seed++) {
      const { connect, network, pass, kernel } = world(seed)
      const [a, b] = [connect('a'), connect('b')]
      const seen: Array<readonly [string, number]> = []
      b.subscribe('x', ({ data }) => seen.push([text(data), kernel.nowMs]))
      await pass(50)
      for (let at = 0; at < 10; at++) kernel.after(a.process, at * 0.01, () => a.publish('x', bytes(String(at))))
      kernel.after(a.process, 0.1, () => network.breakConnections('a'))
      await pass(0.1)
      let backMs = Infinity
      a.onStatus((status) => {
        if (status === 'connected') backMs = kernel.nowMs
      })
      await pass(2_000)
      const got = seen.map(([data]) => data)
      expect(got).toEqual(numbers(got.length))
      outcomes.add(got.length === 0 ? 'none' : got.length === 10 ? 'all' : 'part')
      if (seen.some(([, atMs]) => atMs > backMs)) wasLate = true
    }
    expect([...outcomes].sort()).toEqual(['all', 'none', 'part'])
    expect(wasLate).toBe(true)
  })

  test('breaks with all others when the server dies, which takes with it what it had', async () => {
    const { connect, network, kernel, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(b, 'x')
    await pass(50)
    a.publish('x', bytes('lost'))
    network.restartServer(kernel.nowMs + 1_000)
    await pass(900)
    expect([a.status(), b.status()]).toEqual(['reconnecting', 'reconnecting'])
    await pass(300)
    expect([a.status(), b.status()]).toEqual(['connected', 'connected'])
    a.publish('x', bytes('there'))
    await pass(50)
    expect(seen).toEqual(['there'])
  })

  test('is that of a slow consumer, for whom too much waits', async () => {
    const { connect, network, processNamed, kernel, pass } = world(1, { pendingBytesMax: 10_000 })
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(b, 'x')
    const changes: BusStatus[] = []
    b.onStatus((status) => changes.push(status))
    await pass(50)
    processNamed('b').pausedUntilMs = kernel.nowMs + 1_000
    for (let at = 0; at < 20; at++) kernel.after(a.process, at, () => a.publish('x', Buffer.alloc(1_000, 'x')))
    await pass(500)
    expect(changes).toEqual([])
    await pass(1_000)
    expect(changes).toEqual(['reconnecting', 'connected'])
    expect(network.slowConsumers).toBe(1)
    expect(seen).toEqual([])
    a.publish('x', bytes('again'))
    await pass(50)
    expect(seen).toEqual(['again'])
  })
})

test('what was slow arrives at once when healed, in order, however much there is', async () => {
  const { connect, network, kernel, pass } = world()
  const [a, b] = [connect('a'), connect('b')]
  const seen = heard(b, 'x')
  await pass(50)
  network.slow('a', 1_000_000, kernel.nowMs + 5_000)
  for (let at = 0; at < 20; at++) kernel.after(a.process, at, () => a.publish('x', bytes(String(at).padEnd(1_000))))
  await pass(5_000)
  expect(seen).toEqual([])
  network.heal()
  await pass(100)
  expect(seen.map((data) => data.trim())).toEqual(numbers(20))
})

describe('an isolated client', () => {
  test('hears and is heard when the isolation ends, in order', async () => {
    const { connect, network, kernel, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    const seen = { a: heard(a, 'to-a'), b: heard(b, 'to-b') }
    await pass(50)
    network.isolate('a', kernel.nowMs + 5_000)
    for (let at = 0; at < 20; at++) {
      kernel.after(a.process, at * 10, () => a.publish('to-b', bytes(String(at))))
      kernel.after(b.process, at * 10, () => b.publish('to-a', bytes(String(at))))
    }
    await pass(4_900)
    expect(seen).toEqual({ a: [], b: [] })
    await pass(200)
    expect(seen).toEqual({ a: numbers(20), b: numbers(20) })
    expect(a.status()).toBe('connected')
  })

  test('is heard at once when healed early', async () => {
    const { connect, network, kernel, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(b, 'x')
    await pass(50)
    network.isolate('a', kernel.nowMs + 20_000)
    a.publish('x', bytes('1'))
    await pass(1_000)
    network.heal()
    await pass(100)
    expect(seen).toEqual(['1'])
  })

  test('gives up after a long silence, and the server after a longer one', async () => {
    const { connect, network, kernel, pass } = world(1, { silenceMaxMs: 10_000 })
    const [a, b] = [connect('a'), connect('b')]
    let asks = 0
    a.subscribe('x', (message) => {
      asks++
      message.respond(message.data)
    })
    const seen = heard(b, 'y')
    await pass(50)
    network.isolate('a', kernel.nowMs + 15_000)
    a.publish('y', bytes('late'))
    await pass(9_000)
    expect(a.status()).toBe('connected')
    // Taken for a client that is there, so nobody says that nobody serves.
    const asked = start(Effect.flip(b.request('x', bytes(''), { timeoutMs: 500 })))
    await pass(1_500)
    expect(asked.exit).toMatchObject({ value: { problem: 'no answer came within 500 ms' } })
    expect(a.status()).toBe('reconnecting')
    await pass(5_000)
    expect(a.status()).toBe('connected')
    expect(seen).toEqual(['late'])
    // What was meant for the connection that it gave up does not reach it over the new one.
    expect(asks).toBe(0)
    network.isolate('a', kernel.nowMs + 30_000)
    await pass(21_000)
    const refused = start(Effect.flip(b.request('x', bytes(''), { timeoutMs: 500 })))
    await pass(50)
    expect(refused.exit).toMatchObject({ value: { problem: 'nobody serves this subject' } })
  })

  test('that the server gave up, and that was not silent for long enough to notice, hears of it', async () => {
    const { connect, network, kernel, pass } = world(1, { silenceMaxMs: 10_000 })
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(a, 'x')
    await pass(50)
    // The server looks after 20 s and finds the second silence.
    network.isolate('a', kernel.nowMs + 1_000)
    await pass(19_500)
    network.isolate('a', kernel.nowMs + 1_000)
    await pass(2_000)
    expect(a.status()).toBe('connected')
    b.publish('x', bytes('after'))
    await pass(100)
    expect(seen).toEqual(['after'])
  })

  test('that the server gave up hears of it at once when healed early', async () => {
    const { connect, network, kernel, pass } = world(1, { silenceMaxMs: 10_000 })
    const a = connect('a')
    await pass(50)
    network.isolate('a', kernel.nowMs + 1_000)
    await pass(15_000)
    network.isolate('a', kernel.nowMs + 9_000)
    await pass(6_000)
    network.heal()
    const states: string[] = []
    a.onStatus((status) => states.push(status))
    await pass(500)
    expect(states).toEqual(['reconnecting', 'connected'])
  })
})

describe('a process', () => {
  test('that was killed hears nothing, and its subscriptions end', async () => {
    const { connect, network, processNamed, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(a, 'x')
    await pass(50)
    b.publish('x', bytes('1'))
    processNamed('a').isAlive = false
    network.ended(processNamed('a'), false)
    await pass(2_000)
    const asked = start(Effect.flip(b.request('x', bytes(''), { timeoutMs: 500 })))
    await pass(50)
    expect(seen).toEqual([])
    expect(asked.exit).toMatchObject({ value: { problem: 'nobody serves this subject' } })
  })

  test('that was killed is gone at the latest when something is meant for it, though nobody said so', async () => {
    const { connect, processNamed, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    heard(a, 'x')
    await pass(50)
    processNamed('a').isAlive = false
    const asked = start(Effect.flip(b.request('x', bytes(''), { timeoutMs: 500 })))
    await pass(50)
    expect(asked.exit).toMatchObject({ value: { problem: 'nobody serves this subject' } })
  })

  test('whose host lost power is taken for living for long', async () => {
    const { connect, network, processNamed, pass } = world(1, { silenceMaxMs: 1_000 })
    const [a, b] = [connect('a'), connect('b')]
    heard(a, 'x')
    await pass(50)
    processNamed('a').isAlive = false
    network.ended(processNamed('a'), true)
    const ask = () => start(Effect.flip(b.request('x', bytes(''), { timeoutMs: 500 })))
    const first = ask()
    await pass(2_100)
    expect(first.exit).toMatchObject({ value: { problem: 'no answer came within 500 ms' } })
    const second = ask()
    await pass(100)
    expect(second.exit).toMatchObject({ value: { problem: 'nobody serves this subject' } })
  })

  test('that is paused hears all in order when it goes on', async () => {
    const { connect, processNamed, kernel, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(b, 'x')
    await pass(50)
    processNamed('b').pausedUntilMs = kernel.nowMs + 1_000
    for (let at = 0; at < 100; at++) kernel.after(a.process, at, () => a.publish('x', bytes(String(at))))
    await pass(900)
    expect(seen).toEqual([])
    await pass(200)
    expect(seen).toEqual(numbers(100))
  })
})

test('settings differ between seeds, and are those of the seed', () => {
  const drawn = Array.from({ length: 10 }, (_, seed) => drawNetworkSettings(kernelOf(seed).draws))
  expect(new Set(drawn.map((settings) => JSON.stringify(settings))).size).toBeGreaterThan(5)
  expect(drawNetworkSettings(kernelOf(3).draws)).toEqual(drawn[3])
})

test('a slow client gets everything later', async () => {
  const { connect, network, kernel, pass } = world()
  const [a, b] = [connect('a'), connect('b')]
  const at: number[] = []
  b.subscribe('x', () => at.push(kernel.nowMs))
  await pass(50)
  network.slow('b', 1_000, kernel.nowMs + 10_000)
  const sentMs = kernel.nowMs
  a.publish('x', bytes(''))
  await pass(20_000)
  expect(at[0]! - sentMs).toBeGreaterThan(50)
})
