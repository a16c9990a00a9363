import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { commonPoint } from '../../actors/compute/election.ts'
import { type Durability, RESEND_AFTER_MS } from '../../actors/compute/proposer.ts'
import { chainOver } from '../../events/frame.ts'
import type { Fenced } from '../errors.ts'
import { KernelDevice } from '../fuse/device.ts'
import { LateReplies } from '../fuse/late-replies.ts'
import { establishReign, type Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { RingSink } from './ring-sink.ts'
import { LEASE_ASK_INTERVAL_MS, LEASE_DURATION_MS } from './serving-lease.ts'
import { type Disk, entriesOf, FakeSafekeeper, ReignWorld, SEED, SUBJECTS, settle, WRITER, ZONES } from './testing.ts'
import { WritingLog } from './writing-log.ts'

const before = entriesOf(20, 1_000, 1)
const disk: Disk = { term: 1, history: [{ term: 1, begin: 0 }], bytes: before }
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loch-writing-log-'))
const device = path.join(directory, 'fuse')

let world: ReignWorld
let safekeepers: FakeSafekeeper[]
let reign: Reign
let log: WritingLog
let sink: RingSink
let events: string[]
let descriptor: number

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
  world = new ReignWorld()
  events = []
  descriptor = fs.openSync(device, 'w+')
})

afterAll(() => fs.rmSync(directory, { recursive: true }))
afterEach(() => {
  log.close()
  fs.closeSync(descriptor)
  vi.useRealTimers()
})

/** A reign of term 2 whose first entry is about to be sent, as the volume's thread does over the bus. */
async function begin(durability: Durability = 'quorum', zonesUp = 3): Promise<void> {
  safekeepers = [...world.open(...ZONES.slice(0, zonesUp).map(() => disk))]
  reign = await establishReign(world.ports, world.grant(2, durability))
  await settle()
  log = writingLog(world.ports)
  sink = new RingSink(log.shared, reign.term, WRITER, (parts) => {
    world.bus.publish(log.subject, Buffer.concat(parts), { reply: log.reply })
    return true
  })
}

function writingLog(ports: ReignPorts): WritingLog {
  return new WritingLog(ports, reign, new LateReplies(new KernelDevice(descriptor)), {
    fenced: (error: Fenced) => events.push(`fenced: ${error.problem}`),
    leaseLapsed: () => events.push('lapsed'),
    leaseRenewed: () => events.push('renewed'),
  })
}

/** One entry, sent; resolves to where it ends once everything has come to rest. */
async function append(): Promise<number> {
  sink.appendWrite(1, 0, Buffer.alloc(500, 5), 0, 500)
  sink.send()
  await settle()
  return log.shared.end
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    world.nowMs += 50
    await vi.advanceTimersByTimeAsync(50)
    await settle()
  }
}

/** Log bytes from the reign's start on, as a safekeeper holds them. */
const written = (safekeeper: FakeSafekeeper) => safekeeper.bytes.subarray(before.length - safekeeper.state.begin)

test('a commit: written, on a majority of the disks, its fsync answered', async () => {
  await begin()
  const end = await append()
  expect(log.shared.durable).toBe(end)
  log.shared.enqueueSync(77, 0, end + 532)
  await append()
  const reply = fs.readFileSync(device)
  expect([reply.length, reply.readInt32LE(4), reply.readUInt32LE(8)]).toEqual([16, 0, 77])
  for (const safekeeper of safekeepers) expect(safekeeper.state).toMatchObject({ flushed: end + 532, term: 2 })
  expect(chainOver(written(safekeepers[0]!), reign.tail.chain)).toBe(sink.chain)
  expect(world.reported).toEqual([])
})

test('how far it is durable is noted of its timeline, for replay', async () => {
  await begin()
  const noted: unknown[][] = []
  const recorded = writingLog({ ...world.ports, recorder: { noted: (...what) => noted.push(what) } })
  recorded.close()
  expect(noted).toEqual([['timeline.main', 'progress', { durablePosition: before.length, term: 2 }]])
})

test('the log begins where the election said, and acknowledgements come under the term', async () => {
  await begin('archived')
  expect([log.shared.base, log.shared.baseChain]).toEqual([before.length, chainOver(before, SEED)])
  expect(log.subject).toBe(SUBJECTS.append)
  expect(log.reply).toBe(`${SUBJECTS.append}.ack.2`)
  const end = await append()
  expect(log.writer.proposer).toMatchObject({ durability: 'archived', termStart: before.length, dutyZone: 'zone-2' })
  expect(log.shared.durable).toBe(before.length)
  for (const { state } of safekeepers) state.archived = end
  await append()
  expect(log.shared.durable).toBe(end)
})

describe('a safekeeper', () => {
  test('that lost the first frame gets it again, though nothing follows', async () => {
    await begin()
    world.bus.intercept = (subject, data) => (subject === SUBJECTS.append ? undefined : data)
    const end = await append()
    expect(log.shared.durable).toBe(before.length)
    world.bus.intercept = (_, data) => data
    await pass(RESEND_AFTER_MS + 50)
    expect(log.shared.durable).toBe(end)
    for (const { state } of safekeepers) expect(state.flushed).toBe(end)
  })

  test('that comes back with the log of the term before is told of the election and gets the rest', async () => {
    await begin('quorum', 2)
    const end = await append()
    const late = new FakeSafekeeper(world.bus, 'zone-3', disk)
    await pass(2 * RESEND_AFTER_MS + 500)
    expect(late.elections).toMatchObject([{ term: 2, truncateTo: before.length, dutyZone: 'zone-2' }])
    expect(late.state).toMatchObject({ flushed: end, term: 2 })
    expect(chainOver(late.bytes, SEED)).toBe(sink.chain)
  })

  test('that missed more than the ring holds is told up to where to fetch it, though nothing follows', async () => {
    await begin()
    const [, , third] = safekeepers
    await append()
    third!.before = () => 'silent'
    for (let count = 0; count < 20; count++) {
      sink.appendWrite(1, 0, Buffer.alloc(500_000, 5), 0, 500_000)
      sink.send()
      await settle()
    }
    expect(log.shared.holds(third!.state.end)).toBe(false)
    expect(log.shared.durable).toBe(log.shared.end)
    third!.before = () => undefined
    await pass(RESEND_AFTER_MS + 50)
    expect(third!.elections.at(-1)).toMatchObject({ term: 2, start: log.shared.end })
    expect(third!.state.end).toBeLessThan(log.shared.end)
    expect(world.reported).toEqual([])
  })

  test('that comes back without any log is told up to where to fetch it: the ring begins with the term', async () => {
    await begin('quorum', 2)
    const end = await append()
    const late = new FakeSafekeeper(world.bus, 'zone-3')
    await pass(2 * RESEND_AFTER_MS + 500)
    expect(late.state.end).toBe(0)
    expect(late.elections.at(-1)).toMatchObject({ term: 2, truncateTo: 0, start: end })
  })

  test('that comes back with a log that nobody continued has it cut', async () => {
    await begin('quorum', 2)
    const end = await append()
    const diverged = Buffer.concat([before, entriesOf(5, 700, 9)])
    const late = new FakeSafekeeper(world.bus, 'zone-3', { ...disk, bytes: diverged })
    expect(commonPoint(reign.history, Number.POSITIVE_INFINITY, disk.history, diverged.length)).toBe(before.length)
    await pass(2 * RESEND_AFTER_MS + 500)
    expect(late.state.flushed).toBe(end)
    expect(chainOver(late.bytes, SEED)).toBe(sink.chain)
  })

  test('whose disk was replaced while nothing is written is told of the election, and what it must hold', async () => {
    await begin()
    const end = await append()
    safekeepers[2]!.stop()
    const replaced = new FakeSafekeeper(world.bus, 'zone-3', {
      term: 2,
      history: [],
      bytes: Buffer.alloc(0),
      fresh: true,
    })
    await pass(2 * LEASE_ASK_INTERVAL_MS + 500)
    expect(replaced.elections[0]).toMatchObject({ term: 2, truncateTo: 0, written: end })
    expect(replaced.state).toMatchObject({ mustHold: end, fresh: true })
  })

  test('whose disk has lost what it had acknowledged gets it again, though nothing follows', async () => {
    await begin()
    const end = await append()
    safekeepers[1]!.stop()
    // It said of each sync that it was done, so that its log ends early and nothing in it is wrong.
    const history = [...disk.history, { term: 2, begin: before.length }]
    const forgetful = new FakeSafekeeper(world.bus, 'zone-2', { term: 2, history, bytes: before, confirmed: false })
    await pass(1_000)
    expect(written(forgetful)).toEqual(written(safekeepers[0]!))
    expect(forgetful.elections).toMatchObject([{ term: 2, written: end }])
    expect(forgetful.state.confirmed).toBe(true)
  })

  test('that was started anew says only when it is asked how far the archive has got', async () => {
    await begin('archived')
    const end = await append()
    log.shared.enqueueSync(77, 0, end)
    safekeepers[1]!.stop()
    const history = [...disk.history, { term: 2, begin: before.length }]
    const anew = new FakeSafekeeper(world.bus, 'zone-2', { term: 2, history, bytes: safekeepers[1]!.bytes })
    anew.state.archived = end
    await pass(1_000)
    expect([anew.frames, log.shared.durable]).toEqual([[], end])
    expect(fs.readFileSync(device).readUInt32LE(8)).toBe(77)
  })

  test('of a former term says nothing of the archive that counts', async () => {
    await begin('archived')
    const end = await append()
    safekeepers[1]!.stop()
    const former = new FakeSafekeeper(world.bus, 'zone-2', disk)
    former.before = (verb) => (verb === 'elected' ? 'silent' : undefined)
    former.state.archived = end
    await pass(1_000)
    expect(log.shared.durable).toBe(before.length)
  })

  test('that refuses again and again is not asked more than twice a second', async () => {
    await begin('quorum', 2)
    await append()
    const late = new FakeSafekeeper(world.bus, 'zone-3', disk)
    let asked = 0
    late.before = (verb) => {
      if (verb === 'elected') asked++
      return verb === 'elected' ? 'silent' : undefined
    }
    await pass(3_000)
    expect(asked).toBeGreaterThan(1)
    expect(asked).toBeLessThanOrEqual(7)
    expect(events).toEqual([])
  })
})

describe('another reign', () => {
  const fenced = ['fenced: term 3 has been promised']

  test('ends this one at its next append: once, and with EIO for who waits', async () => {
    await begin()
    const end = await append()
    log.shared.enqueueSync(1, 0, end + 532)
    for (const safekeeper of safekeepers) safekeeper.promise(3)
    await append()
    expect(events).toEqual(fenced)
    expect(fs.readFileSync(device).readInt32LE(4)).toBe(-5)
    expect(log.shared.failure).toBe(5)
    await append()
    await pass(5_000)
    expect(events.filter((event) => event !== 'lapsed')).toEqual(fenced)
  })

  test('is noticed without an append, by asking', async () => {
    await begin()
    for (const safekeeper of safekeepers) safekeeper.promise(3)
    await pass(600)
    expect(events).toEqual(fenced)
    expect(log.shared.failure).toBe(5)
  })

  test('is noticed from a safekeeper that comes back with its term', async () => {
    await begin('quorum', 2)
    const late = new FakeSafekeeper(world.bus, 'zone-3', { ...disk, term: 3 })
    await append()
    expect(late.elections).toEqual([])
    expect(events).toEqual(fenced)
  })
})

describe('the serving lease', () => {
  test('lives on what is heard, and lapses when nobody is', async () => {
    await begin()
    await append()
    await pass(3 * LEASE_DURATION_MS)
    expect(events).toEqual([])
    for (const safekeeper of safekeepers) safekeeper.before = () => 'silent'
    await pass(LEASE_DURATION_MS + 1_000)
    expect(events).toEqual(['lapsed'])
    for (const safekeeper of safekeepers) safekeeper.before = () => undefined
    await pass(1_000)
    expect(events).toEqual(['lapsed', 'renewed'])
  })

  test('lapses though somebody keeps setting the clock back', async () => {
    await begin()
    const { ports } = world
    log.close()
    let setBackMs = 0
    log = writingLog({ ...ports, nowMs: () => world.nowMs - setBackMs })
    for (const safekeeper of safekeepers) safekeeper.before = () => 'silent'
    for (let passedMs = 0; passedMs < LEASE_DURATION_MS + 1_000; passedMs += 500) {
      setBackMs += 1_000
      await pass(500)
    }
    expect(events).toEqual(['lapsed'])
  })

  test('lives on acknowledgements alone', async () => {
    await begin()
    for (const safekeeper of safekeepers) safekeeper.before = (verb) => (verb === 'status' ? 'silent' : undefined)
    for (let round = 0; round < 4; round++) {
      await append()
      await pass(LEASE_DURATION_MS / 2)
    }
    expect(events).toEqual([])
  })
})

test('a closed log says nothing any more and has no timer left', async () => {
  await begin()
  const end = await append()
  const waiting = log.writer.whenDurable(end + 532)
  log.close()
  for (const safekeeper of safekeepers) safekeeper.promise(3)
  await append()
  await pass(5_000)
  expect(await waiting).toBe(false)
  expect(events).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
