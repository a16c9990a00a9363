/** Votes: what is on disk before one leaves, what it says of the disk and of the time, and what it does not promise. */
import { afterEach, describe, expect, test } from 'vitest'
import { subjects } from '../../events/safekeeper-wire.ts'
import { FrameWriter, MemoryDisk, PROJECT, settle, TIMELINE } from './testing.ts'
import { Cluster } from './testing-cluster.ts'

let cluster = new Cluster()
async function begin(): Promise<Cluster> {
  cluster = new Cluster()
  await cluster.start()
  return cluster
}
afterEach(() => cluster.end())

const names = subjects(PROJECT, TIMELINE)

describe('voting', () => {
  test('the term is on disk before the answer leaves, and what arrived before is flushed', async () => {
    await begin()
    const first = cluster.writer(1)
    await first.reign()
    // On its way when the vote is asked for.
    first.send(first.frames.frame('one'), 'zone-1')
    const answer = cluster.writer(7).vote('zone-1')
    expect(await answer).toMatchObject({ granted: true, term: 7, lastTerm: 1, flushed: 3 })
    cluster.stop('zone-1')
    cluster.disk('zone-1').powerFailure()
    await cluster.start('zone-1')
    expect(await cluster.writer(7).vote('zone-1')).toMatchObject({ granted: false, term: 7, flushed: 3 })
    expect(await cluster.writer(6).vote('zone-1')).toMatchObject({ granted: false, term: 7 })
  })

  test('a vote says for how long no writer has heard anything', async () => {
    const { world } = await begin()
    const silentMs = async (term: number) => (await cluster.writer(term).vote('zone-1')).silentMs
    world.monotonicMs += 700
    // Since it was opened.
    expect(await silentMs(1)).toBe(700)
    world.monotonicMs += 50.9
    // Since it has voted; what is refused tells a writer nothing.
    expect(await silentMs(2)).toBe(50)
    world.monotonicMs += 10
    expect(await silentMs(1)).toBe(10)
    const writer = cluster.writer(3)
    await writer.reign()
    world.monotonicMs += 1_000
    await writer.append('one')
    world.monotonicMs += 20
    expect(await silentMs(4)).toBe(20)
    world.monotonicMs += 1_000
    writer.send(writer.frames.frame('two'), 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'fenced' })
    expect(await silentMs(5)).toBe(1_000)
    world.monotonicMs += 30
    world.bus.publish(names.status('zone-1'), new Uint8Array(0))
    await settle()
    expect(await silentMs(6)).toBe(0)
  })

  test('no answer leaves if the term cannot be put on disk', async () => {
    await begin()
    cluster.disk('zone-1').fails = { sync: 'EIO' }
    let answered = false
    void cluster
      .writer(7)
      .vote('zone-1')
      .then(() => {
        answered = true
      })
    await settle()
    expect(answered).toBe(false)
    expect(cluster.service('zone-1').status().state).toBe('damaged')
  })

  test('is refused while the disk is full, and nothing else is lost by that', async () => {
    const { world } = await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('one')
    cluster.disk('zone-1').fails = { write: 'ENOSPC' }
    expect(await cluster.writer(7).vote('zone-1')).toMatchObject({ granted: false, term: 1, flushed: 3 })
    expect(world.reports.join()).toContain('ENOSPC')
    cluster.disk('zone-1').fails = {}
    expect(await writer.append('two')).toBe(6)
    expect(writer.lastAck('zone-1')).toMatchObject({ flushed: 6, term: 1, status: 'ok' })
    expect(await cluster.writer(7).vote('zone-1')).toMatchObject({ granted: true, term: 7, flushed: 6 })
    cluster.stop('zone-1')
    cluster.disk('zone-1').powerFailure()
    await cluster.start('zone-1')
    expect(await cluster.writer(7).vote('zone-1')).toMatchObject({ granted: false, term: 7 })
  })

  test('an election that a full disk cannot take in is taken in when it is announced again', async () => {
    await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('one,')
    const next = cluster.writer(2)
    await next.reign({ asked: ['zone-2', 'zone-3'] })
    const vote = await next.vote('zone-1')
    cluster.disk('zone-1').fails = { write: 'ENOSPC' }
    expect(await next.announce(vote, 0, '')).toMatchObject({ ok: false, fault: expect.stringContaining('ENOSPC') })
    next.send(next.frames.frame('two'))
    await settle()
    expect(next.lastAck('zone-1')).toMatchObject({ status: 'not-elected', flushed: 0 })
    cluster.disk('zone-1').fails = {}
    expect(await next.announce(vote, 0, '')).toMatchObject({ ok: true, flushed: 4 })
    const again = new FrameWriter(TIMELINE, 2)
    again.frame('one,')
    next.send(again.frame('two'), 'zone-1')
    await settle()
    expect(next.lastAck('zone-1')).toMatchObject({ status: 'ok', flushed: 7 })
  })

  test('a disk without a memory learns the highest term before it votes', async () => {
    const { world } = await begin()
    await cluster.writer(5).reign()
    world.past = { term: 5, hadDisk: true }
    cluster.stop('zone-1')
    cluster.disks.set('zone-1', new MemoryDisk())
    await cluster.start('zone-1')
    expect(await cluster.writer(4).vote('zone-1')).toMatchObject({ granted: false, term: 5, fresh: true })
    expect(await cluster.writer(5).vote('zone-1')).toMatchObject({ granted: false, term: 5 })
  })

  test('a disk without a memory is believed again within a term, once it holds what was written before it came', async () => {
    const { world } = await begin()
    const writer = cluster.writer(5)
    await writer.reign()
    await writer.append('one')
    await writer.append('two')
    world.past = { term: 5, hadDisk: true }
    cluster.stop('zone-1')
    cluster.disks.set('zone-1', new MemoryDisk())
    await cluster.start('zone-1')
    const frames = new FrameWriter(TIMELINE, 5)
    await writer.announce(await writer.vote('zone-1'), 0, '')
    writer.send(frames.frame('one'), 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ flushed: 3, status: 'ok' })
    expect(await writer.vote('zone-1')).toMatchObject({ fresh: true, flushed: 3 })
    // Opened anew while it is fresh, it must be told again.
    cluster.stop('zone-1')
    await cluster.start('zone-1')
    writer.send(frames.frame('two'), 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ flushed: 0, status: 'not-elected' })
    await writer.announce(await writer.vote('zone-1'), 0, '')
    await writer.append('more')
    expect(writer.lastAck('zone-1')).toMatchObject({ flushed: 3, status: 'gap' })
    expect(await writer.vote('zone-1')).toMatchObject({ fresh: true, flushed: 3 })
    const again = new FrameWriter(TIMELINE, 5)
    for (const payload of ['one', 'two']) writer.send(again.frame(payload), 'zone-1')
    await settle()
    expect(await writer.vote('zone-1')).toMatchObject({ fresh: false, flushed: 6 })
    cluster.stop('zone-1')
    await cluster.start('zone-1')
    expect(await cluster.writer(6).vote('zone-1')).toMatchObject({ fresh: false, flushed: 6 })
  })

  test('the first disk of a zone is believed, however late it comes', async () => {
    const { world } = await begin()
    const writer = cluster.writer(5)
    await writer.reign({ asked: ['zone-1', 'zone-2'] })
    for (const hadDisk of [false, true]) {
      world.past = { term: 5, hadDisk }
      cluster.stop('zone-3')
      cluster.disks.set('zone-3', new MemoryDisk())
      await cluster.start('zone-3')
      expect(await writer.vote('zone-3')).toMatchObject({ term: 5, flushed: 0, fresh: hadDisk })
    }
  })

  test('an election that was meant for the disk as it was before is refused', async () => {
    await begin()
    const writer = cluster.writer(1)
    const before = await writer.vote('zone-1')
    await writer.reign({ asked: ['zone-2', 'zone-3'] })
    cluster.stop('zone-1')
    await cluster.start('zone-1')
    const refused = { ok: false, fault: 'this disk was opened anew since its vote' }
    expect(await writer.announce(before, 0, '')).toMatchObject(refused)
    expect(await writer.announce(await writer.vote('zone-1'), 0, '')).toMatchObject({ ok: true })
  })
})
