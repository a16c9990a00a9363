/** Catching up within a term: a safekeeper that missed frames gets them from the archive, a peer or the writer, and says so. */
import { afterEach, expect, test } from 'vitest'
import { FrameWriter, MemoryDisk, settle, TIMELINE } from './testing.ts'
import { Cluster } from './testing-cluster.ts'
import type { TestWriter } from './testing-writer.ts'

let cluster = new Cluster()
async function begin(options: { readonly synchronous: boolean }): Promise<Cluster> {
  cluster = new Cluster(options)
  await cluster.start()
  return cluster
}
afterEach(() => cluster.end())

async function behind(options: { readonly duty: string }): Promise<TestWriter> {
  await begin({ synchronous: true })
  const writer = cluster.writer(1)
  await writer.reign({ duty: options.duty })
  await writer.append('all,')
  for (const payload of ['missed one,', 'missed two,']) {
    const frame = writer.frames.frame(payload)
    for (const zone of ['zone-1', 'zone-2']) writer.send(frame, zone)
    await settle()
  }
  return writer
}
const again = async (writer: TestWriter, start: number) =>
  writer.elected('zone-3', {
    term: 1,
    compute: 'c',
    incarnation: (await writer.vote('zone-3')).incarnation,
    history: [{ term: 1, begin: 0 }],
    truncateTo: 0,
    start,
    startChain: undefined,
    archivedFrom: 0,
    dutyZone: '',
    written: start,
  })

test('what the writer no longer has is fetched from the archive', async () => {
  const writer = await behind({ duty: 'zone-1' })
  expect(await again(writer, 26)).toMatchObject({ ok: true, flushed: 4 })
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'following', flushed: 26 })
  expect(writer.lastAck('zone-3')).toMatchObject({ status: 'ok', flushed: 26 })
  await writer.append('more')
  expect(writer.lastAck('zone-3')).toMatchObject({ status: 'ok', flushed: 30 })
})

test('or from a zone that follows the same term, if it is not archived', async () => {
  const writer = await behind({ duty: '' })
  await again(writer, 26)
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'following', flushed: 26 })
  const read = await writer.read('zone-3', 4, 1_000)
  expect('frames' in read && read.frames.includes('missed two,')).toBe(true)
})

test('never from one that follows another', async () => {
  const writer = await behind({ duty: '' })
  cluster.stop('zone-2')
  await cluster.writer(2).vote('zone-1')
  await again(writer, 26)
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'catchingUp', flushed: 4 })
  await cluster.start('zone-2')
  cluster.world.fireTimers()
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'following', flushed: 26 })
})

test('gaps are no news meanwhile', async () => {
  const writer = await behind({ duty: '' })
  for (const zone of ['zone-1', 'zone-2']) cluster.stop(zone)
  await again(writer, 26)
  await settle()
  await writer.append('new')
  expect(writer.lastAck('zone-3')).toMatchObject({ status: 'ok', flushed: 4 })
  await cluster.start('zone-1', 'zone-2')
})

/** `zone` is away for more than a writer keeps. */
async function longAway(writer: TestWriter, zone: string): Promise<void> {
  cluster.stop(zone)
  for (let count = 0; count < 4; count++) await writer.append('x'.repeat(300_000))
  await cluster.start(zone)
}
const frameOf = (writer: TestWriter, payload: string) => writer.frames.frame(payload, writer.durable)

test('begins by itself when the next frame shows that too much was missed', async () => {
  await begin({ synchronous: true })
  const writer = cluster.writer(1)
  await writer.reign({ duty: 'zone-1' })
  await longAway(writer, 'zone-3')
  const next = frameOf(writer, 'next')
  writer.send(next)
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'following', flushed: 1_200_000 })
  expect(writer.lastAck('zone-3')).toMatchObject({ status: 'ok', flushed: 1_200_000 })
  // From here on the writer has it at hand.
  writer.send(frameOf(writer, 'more'), 'zone-3')
  await settle()
  expect(writer.lastAck('zone-3')).toMatchObject({ status: 'gap' })
  writer.send(next, 'zone-3')
  await settle()
  expect(writer.lastAck('zone-3')).toMatchObject({ status: 'ok', flushed: 1_200_004 })
})

test('a duty whose move it did not hear of goes on where its log begins, be that trimmed meanwhile', async () => {
  const { world } = await begin({ synchronous: true })
  cluster.stop('zone-3')
  world.logLimits = { segmentBytes: 200_000, keptBytesMin: 200_000, preparedBytes: 4_096 }
  await cluster.start('zone-3')
  const writer = cluster.writer(1)
  await writer.reign({ duty: 'zone-3' })
  await writer.moveDuty('zone-1', 'zone-1', 0)
  const missed = Array.from({ length: 8 }, () => 'x'.repeat(150_000))
  for (const payload of missed) {
    const frame = frameOf(writer, payload)
    for (const zone of ['zone-1', 'zone-2']) writer.send(frame, zone)
    await settle()
  }
  world.store.down = true
  for (const zone of ['zone-1', 'zone-2']) cluster.stop(zone)
  writer.send(frameOf(writer, 'next'))
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'catchingUp' })
  const sentAgain = new FrameWriter(TIMELINE, 1)
  for (const payload of missed) {
    writer.send(sentAgain.frame(payload, writer.durable), 'zone-3')
    await settle()
  }
  world.store.down = false
  world.fireTimers()
  await settle()
  expect(await writer.read('zone-3', 0, 1_000)).toMatchObject({ problem: expect.stringMatching(/it holds \[[1-9]/) })
  expect(cluster.service('zone-3').status()).toMatchObject({ flushed: 1_200_000, state: 'archiving' })
})

test('a new disk is filled within the term', async () => {
  const { world } = await begin({ synchronous: true })
  const writer = cluster.writer(1)
  await writer.reign({ duty: 'zone-1' })
  cluster.disks.set('zone-3', new MemoryDisk())
  world.past = { term: 1, hadDisk: true }
  await longAway(writer, 'zone-3')
  await writer.announce(await writer.vote('zone-3'), 0, 'zone-1')
  writer.send(frameOf(writer, 'next'))
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'following', flushed: 1_200_000 })
})

test('a disk that cannot be synced meanwhile is said to be damaged, and not tried again and again', async () => {
  const { world } = await begin({ synchronous: true })
  const writer = cluster.writer(1)
  await writer.reign({ duty: 'zone-1' })
  const disk = new MemoryDisk()
  cluster.disks.set('zone-3', disk)
  world.past = { term: 1, hadDisk: true }
  await longAway(writer, 'zone-3')
  const { read } = world.store
  world.store.read = (...wanted) => {
    disk.fails.sync = 'EIO'
    return read(...wanted)
  }
  await writer.announce(await writer.vote('zone-3'), 0, 'zone-1')
  // No frame comes that would meet the failed sync by itself.
  await again(writer, 1_200_000)
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'damaged', flushed: 0 })
})

test('what is not archived is left to the writer', async () => {
  await begin({ synchronous: true })
  const writer = cluster.writer(1)
  await writer.reign({ duty: '' })
  await longAway(writer, 'zone-3')
  writer.send(frameOf(writer, 'next'))
  await settle()
  expect(writer.lastAck('zone-3')).toMatchObject({ status: 'gap', flushed: 0 })
})

test('and fetched from another zone if it is more than any writer keeps', async () => {
  await begin({ synchronous: true })
  const writer = cluster.writer(1)
  await writer.reign({ duty: '' })
  cluster.stop('zone-3')
  for (let count = 0; count < 12; count++) await writer.append('x'.repeat(740_000))
  await cluster.start('zone-3')
  writer.send(frameOf(writer, 'next'))
  await expect.poll(() => cluster.service('zone-3').status()).toMatchObject({ state: 'following', flushed: 8_880_000 })
})

test('is over when another writer is elected', async () => {
  const writer = await behind({ duty: '' })
  for (const zone of ['zone-1', 'zone-2']) cluster.stop(zone)
  await again(writer, 26)
  await settle()
  await cluster.start('zone-1', 'zone-2')
  const next = cluster.writer(2)
  await next.reign()
  cluster.world.fireTimers()
  await settle()
  expect(cluster.service('zone-3').status()).toMatchObject({ state: 'following', term: 2, flushed: 4 })
})
