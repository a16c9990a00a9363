import { describe, expect, test } from 'vitest'
import { chainOver, FRAME_HEADER_BYTES, WRITER_BYTES, writeFrameHeader } from '../../events/frame.ts'
import { bytes, heard, numbers, world } from './testing-network.ts'

describe('a client isolated in one direction', () => {
  test('is heard while it hears nothing, or hears while it is not heard', async () => {
    const { connect, network, kernel, pass } = world()
    const [a, b] = [connect('a'), connect('b')]
    const [atA, atB] = [heard(a, 'to.a'), heard(b, 'to.b')]
    await pass(50)
    network.isolate('a', kernel.nowMs + 1_000, ['down'])
    const say = (what: string) => {
      a.publish('to.b', bytes(what))
      b.publish('to.a', bytes(what))
    }
    say('1')
    await pass(500)
    expect([atA, atB]).toEqual([[], ['1']])
    await pass(600)
    network.isolate('a', kernel.nowMs + 1_000, ['up'])
    say('2')
    await pass(500)
    expect([atA, atB]).toEqual([['1', '2'], ['1']])
    await pass(600)
    expect(atB).toEqual(['1', '2'])
  })

  test('finds out, whichever direction it is', async () => {
    for (const direction of ['up', 'down'] as const) {
      const { connect, network, kernel, pass } = world(1, { silenceMaxMs: 10_000 })
      const a = connect('a')
      await pass(50)
      network.isolate('a', kernel.nowMs + 30_000, [direction])
      await pass(11_000)
      expect(a.status()).toBe('reconnecting')
    }
  })
})

describe('conditions that overlap', () => {
  test('leave a client cut off until the last cut ends', async () => {
    const { connect, network, pass } = world()
    const a = connect('a')
    await pass(50)
    network.cut('a')
    network.cut('a')
    network.endCut('a')
    await pass(1_000)
    expect(a.status()).toBe('reconnecting')
    network.endCut('a')
    await pass(500)
    expect(a.status()).toBe('connected')
  })

  test('leave it isolated when a cut ends', async () => {
    const { connect, network, kernel, pass } = world()
    const a = connect('a')
    await pass(50)
    network.isolate('a', kernel.nowMs + 5_000)
    network.cut('a')
    await pass(1_000)
    network.endCut('a')
    await pass(1_000)
    expect(a.status()).toBe('reconnecting')
    await pass(4_000)
    expect(a.status()).toBe('connected')
  })

  test('leave it as slow as the slowest says, for as long as each says', async () => {
    const { connect, network, kernel, pass } = world(1, {
      latency: { minMs: 1, meanMs: 1, tailShare: 0, tailMeanMs: 0 },
    })
    const [a, b] = [connect('a'), connect('b')]
    const seen = heard(b, 'x')
    await pass(50)
    network.slow('a', 1_000, kernel.nowMs + 10_000)
    network.slow('a', 2, kernel.nowMs + 100)
    a.publish('x', bytes('late'))
    await pass(500)
    expect(seen).toEqual([])
    await pass(9_500)
    expect(seen).toEqual(['late'])
    a.publish('x', bytes('soon'))
    await pass(20)
    expect(seen).toEqual(['late', 'soon'])
  })
})

test('messages come twice for a while, the second time later, and nothing is missing', async () => {
  const { connect, network, kernel, pass } = world()
  const [a, b] = [connect('a'), connect('b')]
  const seen = heard(b, 'x')
  await pass(50)
  network.repeat('b', kernel.nowMs + 100)
  for (const number of numbers(50)) a.publish('x', bytes(number))
  await pass(5_000)
  expect(seen.slice(0, 50)).toEqual(numbers(50))
  expect(seen.length).toBe(50 + network.mangling.repeated)
  expect(network.mangling.repeated).toBeGreaterThan(1)
  const before = seen.length
  for (const number of numbers(50)) a.publish('x', bytes(number))
  await pass(5_000)
  expect(seen.length).toBe(before + 50)
})

test('bits of frames flip for a while, and those of nothing else', async () => {
  const { connect, network, kernel, pass } = world()
  const [a, b] = [connect('a'), connect('b')]
  const seen: Buffer[] = []
  b.subscribe('x', ({ data }) => seen.push(Buffer.from(data)))
  const payload = Buffer.alloc(100, 7)
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  payload.copy(frame, FRAME_HEADER_BYTES)
  const chains = { chainBefore: 0, chainAfter: chainOver(payload, 0) }
  const header = { term: 1, begin: 0, length: payload.length, flags: 0, archived: 0, ...chains }
  writeFrameHeader(frame, 0, header, Buffer.alloc(WRITER_BYTES))
  await pass(50)
  network.corrupt('b', kernel.nowMs + 100)
  for (let count = 0; count < 60; count++) a.publish('x', count % 2 === 0 ? frame : payload)
  await pass(200)
  for (let count = 0; count < 30; count++) a.publish('x', frame)
  await pass(200)
  const damaged = seen.filter((data) => !data.equals(frame) && !data.equals(payload))
  expect(seen).toHaveLength(90)
  expect(damaged.length).toBe(network.mangling.corrupted)
  expect(damaged.length).toBeGreaterThan(0)
  expect(seen.slice(60).every((data) => data.equals(frame))).toBe(true)
})

test('what is published while its client dials goes out after its subscriptions; what was before is lost', async () => {
  const { connect, network, pass } = world(1, { dialMeanMs: 1_000 })
  const [a, b] = [connect('a'), connect('b')]
  const seen = [heard(a, 'x'), heard(b, 'x')]
  await pass(50)
  network.cut('a')
  await pass(500)
  a.publish('x', bytes('lost'))
  network.endCut('a')
  await pass(110)
  expect(a.status()).toBe('reconnecting')
  a.publish('x', bytes('late'))
  await pass(10_000)
  expect(seen).toEqual([['late'], ['late']])
  expect(network.publishedLate).toBe(1)
})
