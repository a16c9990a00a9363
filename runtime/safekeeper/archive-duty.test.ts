import { afterEach, describe, expect, test } from 'vitest'
import { chainSeed, FrameFlag } from '../../events/frame.ts'
import { logKey } from '../log/keys.ts'
import { PUTS_IN_FLIGHT } from './archiver.ts'
import { FrameWriter, settle, TIMELINE } from './testing.ts'
import { Cluster, ZONES } from './testing-cluster.ts'

let cluster = new Cluster()
async function begin(options: { readonly synchronous: boolean }): Promise<Cluster> {
  cluster = new Cluster(options)
  await cluster.start()
  return cluster
}
afterEach(() => cluster.end())

const keys = () => [...cluster.world.store.objects.keys()].sort()

for (const synchronous of [true, false]) {
  describe(`archive duty with a store that creates ${synchronous ? 'synchronously' : 'later'}`, () => {
    test('what is acknowledged is on a majority and in the archive', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-2' })
      expect(await writer.append('one,')).toBe(writer.durable)
      expect(await writer.append('two,')).toBe(writer.durable)
      expect(await cluster.archivedText()).toBe('one,two,')
      expect(world.reports).toEqual([])
      expect(cluster.service('zone-2').status()).toMatchObject({ state: 'archiving', archived: 8, flushed: 8 })
      expect(cluster.service('zone-1').status()).toMatchObject({ state: 'following', archived: 0, flushed: 8 })
    })

    test('what was just received is archived without reading the disk', async () => {
      await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-2' })
      const disk = cluster.disk('zone-2')
      const { read } = disk
      let reads = 0
      disk.read = (...where) => {
        reads++
        return read.apply(disk, where)
      }
      for (const payload of ['one,', 'two,', 'three']) await writer.append(payload)
      expect(writer.durable).toBe(13)
      expect(reads).toBe(0)
      expect(await cluster.archivedText()).toBe('one,two,three')
    })

    test('frames that came together are one object', async () => {
      await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-2' })
      for (let count = 0; count < 30; count++) writer.send(writer.frames.frame('x'.repeat(count + 1)))
      await settle()
      expect(keys()).toEqual([logKey(TIMELINE, 1, 0)])
      expect(writer.durable).toBe(writer.frames.position)
    })

    test('large frames are not merged beyond what one object takes', async () => {
      await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-2' })
      for (let count = 0; count < 3; count++) writer.send(writer.frames.frame('x'.repeat(500_000)))
      await settle()
      expect(keys()).toHaveLength(3)
      expect(writer.durable).toBe(1_500_000)
    })

    test('bytes of an older term are archived under its name, up to its end', async () => {
      await begin({ synchronous })
      const first = cluster.writer(1)
      await first.reign()
      await first.append('one,')
      const second = cluster.writer(2)
      await second.reign()
      await second.append('two,')
      const third = cluster.writer(3)
      await third.reign({ duty: 'zone-3' })
      await third.append('three')
      expect(keys()).toEqual([logKey(TIMELINE, 1, 0), logKey(TIMELINE, 2, 4), logKey(TIMELINE, 3, 8)])
      expect(third.durable).toBe(13)
      expect(await cluster.archivedText()).toBe('one,two,three')
    })

    test('two that archive the same term leave one log', async () => {
      await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      await writer.append('one,')
      for (const payload of ['two,', 'three,']) await writer.append(payload)
      // Moved, and the zone that had it does not hear of it.
      expect(await writer.moveDuty('zone-2', 'zone-2', 2)).toMatchObject({ held: true })
      await settle()
      for (const payload of ['four,', 'five,', 'six']) await writer.append(payload)
      expect(cluster.service('zone-1').status()).toMatchObject({ state: 'archiving', archived: 27 })
      expect(cluster.service('zone-2').status()).toMatchObject({ state: 'archiving', archived: 27 })
      expect(await cluster.archivedText()).toBe('one,two,three,four,five,six')
      expect(cluster.world.reports).toEqual([])
    })

    test('moves away at once when another zone is named', async () => {
      await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      await writer.append('one,')
      expect(await writer.moveDuty('zone-1', 'zone-2', 4)).toMatchObject({ held: false, archived: 4 })
      expect(await writer.moveDuty('zone-2', 'zone-2', 4)).toMatchObject({ held: true })
      await writer.append('two,')
      expect(cluster.service('zone-1').status()).toMatchObject({ state: 'following' })
      expect(writer.durable).toBe(8)
    })

    test('is not held where the log begins too late, nor for another term', async () => {
      await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ asked: ['zone-1', 'zone-2'], duty: 'zone-1' })
      await writer.append('one,')
      const order = { term: 1, compute: 'c', history: [{ term: 1, begin: 0 }], truncateTo: 0, start: 4 }
      const { incarnation } = await writer.vote('zone-3')
      const place = { startChain: writer.frames.chain, archivedFrom: 4, written: 4 }
      await writer.elected('zone-3', { ...order, ...place, incarnation, dutyZone: '' })
      expect(await writer.moveDuty('zone-3', 'zone-3', 2)).toMatchObject({ held: false })
      expect(await writer.moveDuty('zone-3', 'zone-3', 4)).toMatchObject({ held: true })
      expect(await cluster.writer(2).moveDuty('zone-2', 'zone-2', 4)).toMatchObject({ held: false, term: 1 })
      expect(await cluster.writer(0).moveDuty('zone-2', 'zone-2', 4)).toMatchObject({ held: false, term: 1 })
    })

    test('our own object, whose answer got lost, is recognised', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      world.store.loseNextAnswer = true
      await writer.append('one,')
      expect(writer.durable).toBe(4)
      await writer.append('two,')
      expect(writer.durable).toBe(8)
      expect(await cluster.archivedText()).toBe('one,two,')
    })

    test('an object that is cut shorter is continued where it ends', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      world.store.objects.set(logKey(TIMELINE, 1, 0), new FrameWriter(TIMELINE, 1).frame('on'))
      await writer.append('one,')
      expect(keys()).toEqual([logKey(TIMELINE, 1, 0), logKey(TIMELINE, 1, 2)])
      expect(writer.durable).toBe(4)
    })

    test('an object that reaches further is built upon once the log is there', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      world.store.objects.set(logKey(TIMELINE, 1, 0), new FrameWriter(TIMELINE, 1).frame('one,two,th'))
      await writer.append('one,')
      await writer.append('two,')
      await writer.append('three')
      expect(writer.durable).toBe(13)
      expect(await cluster.archivedText()).toBe('one,two,three')
    })

    test('an object of an older term that runs past its end is good for what is before it', async () => {
      const { world } = await begin({ synchronous })
      const first = cluster.writer(1)
      await first.reign()
      await first.append('one,')
      const second = cluster.writer(2)
      await second.reign({ asked: ['zone-1', 'zone-2'] })
      // Archived by one that was cut off, only after the new election has looked.
      world.store.objects.set(logKey(TIMELINE, 1, 0), new FrameWriter(TIMELINE, 1).frame('one,gone'))
      await second.moveDuty('zone-1', 'zone-1', 0)
      await second.append('two,')
      expect(second.durable).toBe(8)
      expect(await cluster.archivedText()).toBe('one,two,')
    })

    test('bytes of another log under our name end the duty, and are not touched', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      const strange = new FrameWriter(TIMELINE, 1).frame('ONE,')
      world.store.objects.set(logKey(TIMELINE, 1, 0), strange)
      await writer.append('one,')
      expect(writer.durable).toBe(0)
      expect(world.reports.join()).toContain('it holds other bytes')
      expect(cluster.service('zone-1').status()).toMatchObject({ state: 'following', archived: 0, flushed: 4 })
      expect(world.store.objects.get(logKey(TIMELINE, 1, 0))).toBe(strange)
    })

    test('a store that is down is asked again for ever, which is said once', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      world.store.down = true
      for (const payload of ['one,', 'two,']) await writer.append(payload)
      for (let round = 0; round < 3; round++) {
        world.fireTimers()
        await settle()
      }
      expect(writer.durable).toBe(0)
      expect(cluster.service('zone-1').status()).toMatchObject({ flushed: 8, archived: 0 })
      expect(world.reports.filter((line) => line.includes('held up'))).toHaveLength(1)
      world.store.down = false
      world.fireTimers()
      await settle()
      expect(writer.durable).toBe(8)
      expect(await cluster.archivedText()).toBe('one,two,')
    })

    test('ends with the term: what comes later does not count', async () => {
      const { world } = await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      world.store.down = true
      world.store.holds = true
      await writer.append('one,')
      await cluster.writer(2).vote('zone-1')
      world.store.down = false
      world.store.holds = false
      for (const answer of world.store.held.splice(0)) answer()
      world.fireTimers()
      await settle()
      expect(cluster.service('zone-1').status()).toMatchObject({ state: 'following', archived: 0, term: 2 })
      expect(writer.lastAck('zone-1')).toMatchObject({ archived: 0 })
    })

    test('goes on after a restart when it is given again', async () => {
      await begin({ synchronous })
      const writer = cluster.writer(1)
      await writer.reign({ duty: 'zone-1' })
      await writer.append('one,')
      cluster.stop('zone-1')
      await cluster.start('zone-1')
      await writer.append('two,')
      expect(writer.durable).toBe(4)
      expect(cluster.service('zone-1').status()).toMatchObject({ state: 'following', archived: 0 })
      expect(await writer.moveDuty('zone-1', 'zone-1', 4)).toMatchObject({ held: true })
      await settle()
      expect(writer.durable).toBe(8)
    })
  })
}

describe('with a synchronous store', () => {
  test('the archive is told of before the own flush', async () => {
    await begin({ synchronous: true })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-2' })
    await writer.append('one,')
    const acks = writer.acks.filter(({ zone }) => zone === 'zone-2').map(({ flushed, archived }) => [flushed, archived])
    expect(acks).toEqual([
      [0, 4],
      [4, 4],
    ])
  })

  test('of several objects each is told of before all are stored', async () => {
    await begin({ synchronous: true })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-2' })
    for (let count = 0; count < 3; count++) writer.send(writer.frames.frame('x'.repeat(500_000)))
    await settle()
    const told = new Set(writer.acks.filter(({ zone }) => zone === 'zone-2').map(({ archived }) => archived))
    expect([...told]).toEqual([500_000, 1_000_000, 1_500_000])
  })

  test('no commit waits for a flush that may be put off', async () => {
    await begin({ synchronous: true })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-2' })
    writer.frames.flags = FrameFlag.flushLater
    // The second comes while the first gives way, and would else wait for the timer, which nobody fires here.
    writer.send(writer.frames.frame('first'))
    await new Promise((resolve) => setImmediate(resolve))
    writer.send(writer.frames.frame('second'))
    await settle()
    expect(keys()).toHaveLength(2)
    expect(cluster.service('zone-2').status().flushed).toBe(0)
    expect(writer.durable).toBe(writer.frames.position)
  })

  test('an endless stream of frames does not keep the own flush waiting', async () => {
    await begin({ synchronous: true })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-2' })
    for (let round = 0; round < 30; round++) {
      writer.send(writer.frames.frame('x'.repeat(10)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(cluster.service('zone-2').status().flushed).toBeGreaterThan(150)
    await settle()
  })

  test('an object torn by a crash is written again', async () => {
    const { world } = await begin({ synchronous: true })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-1' })
    const torn = new FrameWriter(TIMELINE, 1).frame('one,two,').subarray(0, 70)
    world.store.objects.set(logKey(TIMELINE, 1, 0), torn)
    await writer.append('one,')
    expect(writer.durable).toBe(4)
    expect(world.reports.join()).toContain('had been torn')
    expect(await cluster.archivedText()).toBe('one,')
  })
})

describe('with a store that creates later', () => {
  test('several objects are on their way, and only what is contiguous counts', async () => {
    const { world } = await begin({ synchronous: false })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-1' })
    world.store.holds = true
    for (let count = 0; count < PUTS_IN_FLIGHT + 5; count++) await writer.append('1234567890')
    expect(world.store.held).toHaveLength(PUTS_IN_FLIGHT)
    const [first, second, third, ...rest] = world.store.held.splice(0)
    third!()
    await settle()
    expect(writer.durable).toBe(0)
    first!()
    await settle()
    expect(writer.durable).toBe(10)
    second!()
    await settle()
    expect(writer.durable).toBe(30)
    // What had gathered meanwhile went together as soon as there was room.
    world.store.holds = false
    for (const answer of [...rest, ...world.store.held.splice(0)]) answer()
    await settle()
    expect(writer.durable).toBe(10 * (PUTS_IN_FLIGHT + 5))
    expect(keys()).toHaveLength(PUTS_IN_FLIGHT + 1)
    expect((await cluster.archivedText()).length).toBe(writer.durable)
  })

  test('what others have archived of an object counts before the rest is done, and is not sent in vain', async () => {
    const { world } = await begin({ synchronous: false })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-1' })
    const other = new FrameWriter(TIMELINE, 1)
    for (const [position, payload] of [
      [0, 'on'],
      [2, 'e,'],
      [4, 'two,'],
    ] as const)
      world.store.objects.set(logKey(TIMELINE, 1, position), other.frame(payload))
    world.store.holds = true
    await writer.append('one,two,three,')
    expect(world.store.held).toHaveLength(1)
    world.store.held.splice(0)[0]!()
    await settle()
    expect(writer.durable).toBe(8)
    expect(world.store.held).toHaveLength(1)
    world.store.held.splice(0)[0]!()
    await settle()
    expect(writer.durable).toBe(14)
    expect(keys()).toHaveLength(4)
  })

  test('an object whose checksum is wrong is kept and ends the duty', async () => {
    const { world } = await begin({ synchronous: false })
    const writer = cluster.writer(1)
    await writer.reign({ duty: 'zone-1' })
    const torn = new FrameWriter(TIMELINE, 1).frame('one,').subarray(0, 66)
    world.store.objects.set(logKey(TIMELINE, 1, 0), torn)
    await writer.append('one,')
    expect(writer.durable).toBe(0)
    expect(world.store.objects.get(logKey(TIMELINE, 1, 0))).toBe(torn)
    expect(world.reports.join()).toContain('its checksum is wrong')
  })
})

test('the log survives a power failure of all zones', async () => {
  await begin({ synchronous: true })
  const first = cluster.writer(1)
  await first.reign({ duty: 'zone-1' })
  await first.append('one,')
  for (const zone of ZONES) cluster.stop(zone)
  for (const disk of cluster.disks.values()) disk.powerFailure()
  await cluster.start()
  const second = cluster.writer(2)
  await second.reign({ duty: 'zone-2' })
  expect(second.tail?.position).toBe(4)
  await second.append('two,')
  expect(second.durable).toBe(8)
  expect(await cluster.archivedText()).toBe('one,two,')
})

test('the log survives the loss of all disks', async () => {
  await begin({ synchronous: true })
  const first = cluster.writer(1)
  await first.reign({ duty: 'zone-1' })
  await first.append('one,')
  for (const zone of ZONES) cluster.stop(zone)
  const rest = new Cluster({ synchronous: true })
  for (const [key, bytes] of cluster.world.store.objects) rest.world.store.objects.set(key, bytes)
  rest.world.past = { term: 1, hadDisk: true }
  cluster = rest
  await cluster.start()
  const second = cluster.writer(2)
  await second.reign()
  expect(second.tail).toMatchObject({ source: 'archive', position: 4 })
  expect(second.tail?.chain).not.toBe(chainSeed(TIMELINE))
})
