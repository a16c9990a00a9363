import { afterEach, describe, expect, test } from 'vitest'
import { subjects } from '../../events/safekeeper-wire.ts'
import { FrameWriter, PROJECT, settle, TIMELINE } from './testing.ts'
import { Cluster } from './testing-cluster.ts'

let cluster = new Cluster()
async function begin(): Promise<Cluster> {
  cluster = new Cluster()
  await cluster.start()
  return cluster
}
afterEach(() => cluster.end())

const names = subjects(PROJECT, TIMELINE)

describe('appending', () => {
  test('one flush and one acknowledgement cover all frames that came together', async () => {
    await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('first')
    const before = cluster.disk('zone-1').syncs
    const acksBefore = writer.acks.length
    for (let count = 0; count < 20; count++) writer.send(writer.frames.frame('x'))
    await settle()
    expect(cluster.disk('zone-1').syncs).toBe(before + 1)
    expect(
      writer.acks
        .slice(acksBefore)
        .map(({ zone, flushed }) => `${zone} ${flushed}`)
        .sort(),
    ).toEqual(['zone-1 25', 'zone-2 25', 'zone-3 25'])
  })

  test('nothing is acknowledged that a power failure could take back', async () => {
    await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    for (let round = 0; round < 5; round++) {
      const end = await writer.append(`round ${round};`)
      cluster.stop('zone-1')
      cluster.disk('zone-1').powerFailure()
      await cluster.start('zone-1')
      expect(cluster.service('zone-1').status().flushed).toBe(end)
      // It has heard of this election before it died.
      expect(writer.lastAck('zone-1')).toMatchObject({ flushed: end, status: 'ok' })
    }
  })

  test('a frame before the election is answered with that, and is not written', async () => {
    await begin()
    const writer = cluster.writer(1)
    writer.send(new FrameWriter(TIMELINE, 1).frame('early'))
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'not-elected', flushed: 0, term: 0 })
    expect(cluster.service('zone-1').status()).toMatchObject({ state: 'empty', flushed: 0 })
  })

  test('a writer whose term is over is told so', async () => {
    await begin()
    const old = cluster.writer(1)
    await old.reign()
    await old.append('one')
    await cluster.writer(2).reign()
    await old.append('lost')
    expect(old.lastAck('zone-2')).toMatchObject({ status: 'fenced', term: 2 })
    expect(cluster.service('zone-2').status().flushed).toBe(3)
  })

  test('a missing frame is asked for, a repeated one is not written twice, a longer one is cut', async () => {
    await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    const first = writer.frames.frame('abc')
    const second = writer.frames.frame('def')
    writer.send(second, 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'gap', flushed: 0 })
    writer.send(first, 'zone-1')
    writer.send(first, 'zone-1')
    writer.send(second, 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'ok', flushed: 6 })
    // The same bytes in another cut, and two more.
    writer.send(new FrameWriter(TIMELINE, 1).frame('abcdefgh'), 'zone-1')
    const inside = new FrameWriter(TIMELINE, 1)
    inside.frame('a')
    writer.send(inside.frame('bcdef'), 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'ok', flushed: 8 })
    const read = await writer.read('zone-1', 0, 1_000)
    expect('frames' in read && read.frames.includes('gh')).toBe(true)
  })

  test('other bytes at a place that is known end all promises', async () => {
    for (const payload of ['abX', 'abXdef', 'aXcd']) {
      await begin()
      const writer = cluster.writer(1)
      await writer.reign()
      await writer.append('abcd')
      writer.send(new FrameWriter(TIMELINE, 1).frame(payload), 'zone-1')
      await settle()
      expect(writer.lastAck('zone-1')).toMatchObject({ status: 'failed', flushed: 0 })
      expect(cluster.service('zone-1').status().state).toBe('damaged')
      const acks = writer.acks.length
      await writer.append('more')
      expect(writer.acks.slice(acks).some(({ zone }) => zone === 'zone-1')).toBe(false)
      cluster.end()
    }
  })

  test('a frame that was broken on its way is dropped', async () => {
    const { world } = await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    const frame = writer.frames.frame('abc')
    const broken = Buffer.from(frame)
    broken[broken.length - 1]! ^= 1
    writer.send(broken)
    writer.send(frame.subarray(0, 40))
    writer.send(frame)
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'ok', flushed: 3 })
    expect(world.reports.filter((line) => line.includes('a frame was dropped'))).toHaveLength(3)
  })
})

describe('elections', () => {
  test('the longer tail of an older term loses, and is cut where the logs part', async () => {
    await begin()
    const first = cluster.writer(1)
    await first.reign()
    await first.append('common,')
    for (const payload of ['never', 'acknow', 'ledged']) first.send(first.frames.frame(payload), 'zone-3')
    await settle()
    expect(cluster.service('zone-3').status().flushed).toBe(24)
    const second = cluster.writer(2)
    await second.reign({ asked: ['zone-1', 'zone-2'] })
    await second.append('two,')
    const third = cluster.writer(3)
    await third.reign()
    expect(third.tail).toMatchObject({ lastTerm: 2, position: 11 })
    expect(cluster.service('zone-3').status().flushed).toBe(7)
    // The cut is on disk.
    cluster.stop('zone-3')
    cluster.disk('zone-3').powerFailure()
    await cluster.start('zone-3')
    third.send(second.frames.frame(''), 'zone-3')
    const tail = new FrameWriter(TIMELINE, 3)
    tail.frame('common,')
    third.send(tail.frame('two,'), 'zone-3')
    await third.append('three')
    for (const zone of ['zone-1', 'zone-2', 'zone-3']) expect(cluster.service(zone).status().flushed).toBe(16)
    const read = await third.read('zone-3', 7, 1_000)
    expect('frames' in read && read.frames.includes('two,')).toBe(true)
  })

  test('a refusal says why, and changes nothing', async () => {
    await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('one')
    const next = cluster.writer(2)
    const vote = await next.vote('zone-1')
    const message = {
      term: 2,
      compute: 'c',
      incarnation: vote.incarnation,
      history: [
        { term: 1, begin: 0 },
        { term: 2, begin: 3 },
      ],
    }
    const answer = await next.elected('zone-1', {
      ...message,
      truncateTo: 2,
      start: 2,
      startChain: undefined,
      archivedFrom: 0,
      dutyZone: '',
      written: 3,
    })
    expect(answer).toMatchObject({ ok: false, fault: 'the logs part at 3, the proposer says 2' })
    expect((await next.vote('zone-1')).flushed).toBe(vote.flushed)
  })

  test('a safekeeper far behind begins anew within the archive', async () => {
    await begin()
    const first = cluster.writer(1)
    await first.reign({ asked: ['zone-1', 'zone-2'], duty: 'zone-1' })
    await first.append('a'.repeat(100))
    const second = cluster.writer(2)
    await second.reign({ asked: ['zone-1', 'zone-2'], duty: 'zone-1' })
    await second.append('b'.repeat(100))
    expect(second.durable).toBe(200)
    const vote = await second.vote('zone-3')
    const history = [
      { term: 1, begin: 0 },
      { term: 2, begin: 100 },
    ]
    const { chain } = second.frames
    const order = { term: 2, compute: 'c', history, truncateTo: 0, start: 200, startChain: chain }
    const { incarnation } = vote
    const answer = await second.elected('zone-3', {
      ...order,
      incarnation,
      archivedFrom: 200,
      dutyZone: '',
      written: 200,
    })
    expect(vote.flushed).toBe(0)
    expect(answer).toMatchObject({ ok: true, flushed: 200, chain })
    await second.append('c')
    expect(second.lastAck('zone-3')).toMatchObject({ flushed: 201, status: 'ok' })
    expect(await second.read('zone-3', 0, 100)).toMatchObject({
      begin: 200,
      problem: expect.stringContaining('[200, 201)'),
    })
  })
})

describe('reading', () => {
  test('gives whole frames from the very position, as much as was asked for and at least one', async () => {
    await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    for (const payload of ['abc', 'defg', 'hi']) writer.send(writer.frames.frame(payload))
    await settle()
    const expected = new FrameWriter(TIMELINE, 1)
    const [abc, defg] = [expected.frame('abc'), expected.frame('defg')]
    expect(await writer.read('zone-1', 0, 7)).toEqual({ frames: Buffer.concat([abc, defg]) })
    expect(await writer.read('zone-1', 0, 1)).toEqual({ frames: abc })
    const inside = new FrameWriter(TIMELINE, 1)
    inside.frame('abcd')
    expect(await writer.read('zone-1', 4, 3)).toEqual({ frames: inside.frame('efg') })
    for (const from of [9, 10, 1_000]) expect(await writer.read('zone-1', from, 10)).toMatchObject({ flushed: 9 })
  })
})

describe('a disk that fails', () => {
  test('full: appends are refused until there is room, and all that was promised stands', async () => {
    const { world } = await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('one')
    cluster.disk('zone-1').fails = { write: 'ENOSPC' }
    const frame = writer.frames.frame('two')
    writer.send(frame)
    writer.send(frame)
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'failed', flushed: 3 })
    expect(writer.durable).toBe(0)
    expect(world.reports).toHaveLength(1)
    cluster.disk('zone-1').fails = {}
    writer.send(frame, 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'ok', flushed: 6 })
  })

  test('after a failed sync nothing is promised until it was opened anew', async () => {
    const { world } = await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('one')
    cluster.disk('zone-1').fails = { sync: 'EIO' }
    writer.send(writer.frames.frame('two'))
    await settle()
    cluster.disk('zone-1').fails = {}
    expect(writer.lastAck('zone-1')).toMatchObject({ status: 'failed', flushed: 0 })
    expect(cluster.service('zone-1').status().state).toBe('damaged')
    const acks = writer.acks.length
    await writer.append('three')
    expect(writer.acks.slice(acks).every(({ zone }) => zone !== 'zone-1')).toBe(true)
    let voted = false
    void cluster
      .writer(2)
      .vote('zone-1')
      .then(() => {
        voted = true
      })
    await settle()
    expect(voted).toBe(false)
    expect(world.reports.join()).toContain('safekeeper withdrawn')
    expect(await writer.read('zone-1', 0, 10)).toMatchObject({ problem: expect.stringContaining('EIO') })
    cluster.stop('zone-1')
    cluster.disk('zone-1').powerFailure()
    await cluster.start('zone-1')
    expect(await cluster.writer(2).vote('zone-1')).toMatchObject({ granted: true, flushed: 3 })
  })

  test('one that fails at the end is noted for the next life', async () => {
    const { world } = await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('one')
    writer.send(writer.frames.frame('two'))
    // It has arrived, and its flush is due.
    await Promise.resolve()
    cluster.disk('zone-1').fails = { sync: 'EIO' }
    cluster.stop('zone-1')
    cluster.disk('zone-1').fails = {}
    await cluster.start('zone-1')
    expect(world.reports.join()).toContain('a sync had failed: the last file was written again')
  })

  test('and if not even that can be noted, the operator is told what follows from it', async () => {
    const { world } = await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    await writer.append('one')
    cluster.disk('zone-1').fails = { sync: 'EIO', remove: 'EROFS' }
    await writer.append('two')
    cluster.disk('zone-1').fails = {}
    expect(world.reports.join()).toContain('a failed sync could not be noted: memory disk: EROFS')
    expect(await writer.read('zone-1', 0, 10)).toMatchObject({ problem: expect.stringMatching(/EIO.*EROFS/) })
  })

  /** Of two frames that zone-1 has promised, the last is not on its disk any more as it was. */
  const spoilLast = async () => {
    await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    for (const payload of ['one,', 'two,']) await writer.append(payload)
    const disk = cluster.disk('zone-1')
    const path = '/zone-1/0000000000000000.log'
    const file = disk.open(path, false)
    disk.write(file, [Buffer.from('T')], disk.readWhole(path)!.indexOf('two,'))
    disk.close(file)
    return { writer, disk }
  }

  test('of which the last that was promised is bad: once that was met, the next opening knows that something is lost', async () => {
    const { writer, disk } = await spoilLast()
    void writer.read('zone-1', 4, 10)
    await settle()
    expect(cluster.service('zone-1').status().state).toBe('damaged')
    cluster.stop('zone-1')
    disk.kill()
    await cluster.start('zone-1')
    expect(await cluster.writer(2).vote('zone-1')).toMatchObject({ fresh: true, flushed: 4 })
  })

  test('and if that cannot be noted, the operator is told what to do', async () => {
    const { writer, disk } = await spoilLast()
    disk.fails = { write: 'ENOSPC' }
    void writer.read('zone-1', 4, 10)
    await settle()
    expect(await writer.read('zone-1', 0, 4)).toMatchObject({ problem: expect.stringContaining('move /zone-1 away') })
  })

  test('damaged: what is good stays, the safekeeper says so, and is filled again', async () => {
    const { world } = await begin()
    const writer = cluster.writer(1)
    await writer.reign()
    for (const payload of ['one,', 'two,', 'three,']) await writer.append(payload)
    cluster.stop('zone-1')
    const disk = cluster.disk('zone-1')
    const path = '/zone-1/0000000000000000.log'
    const bytes = disk.readWhole(path)!
    bytes[bytes.indexOf('two,')]! ^= 1
    disk.place(path, bytes)
    await cluster.start('zone-1')
    expect(world.reports.join()).toContain('damaged from position 4 on')
    expect(cluster.service('zone-1').status()).toMatchObject({ state: 'following', flushed: 4 })
    // Its own writer fills it again, but only once the disk knows what it may have acknowledged in this term.
    await writer.announce(await writer.vote('zone-1'), 0, '')
    const again = new FrameWriter(TIMELINE, 1)
    again.frame('one,')
    writer.send(again.frame('two,'), 'zone-1')
    await settle()
    expect(writer.lastAck('zone-1')).toMatchObject({ flushed: 8, status: 'ok' })
    const next = cluster.writer(2)
    expect(await next.vote('zone-1')).toMatchObject({ fresh: true, flushed: 8 })
    await next.reign()
    const missing = new FrameWriter(TIMELINE, 2)
    missing.frame('one,two,')
    next.send(missing.frame('three,'), 'zone-1')
    await next.append('four')
    expect(world.reports.join()).not.toContain('withdrawn')
    expect(next.lastAck('zone-1')).toMatchObject({ flushed: 18 })
    expect((await cluster.writer(3).vote('zone-1')).fresh).toBe(false)
  })
})

test('messages that cannot be understood are dropped and reported', async () => {
  const { world } = await begin()
  for (const name of [names.vote, names.elected, names.read, names.duty]) {
    world.bus.publish(name('zone-1'), Buffer.from('nonsense'), { reply: 'nobody' })
  }
  await settle()
  expect(world.reports).toHaveLength(4)
  expect(cluster.service('zone-1').status().state).toBe('empty')
})

test('what was written is flushed when it stops', async () => {
  await begin()
  const writer = cluster.writer(1)
  await writer.reign({ asked: ['zone-1', 'zone-2'] })
  writer.send(writer.frames.frame('one'), 'zone-1')
  await Promise.resolve()
  cluster.stop('zone-1')
  cluster.disk('zone-1').powerFailure()
  await cluster.start('zone-1')
  expect(cluster.service('zone-1').status().flushed).toBe(3)
})
