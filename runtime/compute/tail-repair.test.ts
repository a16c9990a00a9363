import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { chainOver } from '../../events/frame.ts'
import { type AckStatus, encodeAck } from '../../events/safekeeper-wire.ts'
import { Fenced, ObjectMissing, QuorumLost } from '../errors.ts'
import type { Reign } from './reign.ts'
import { elect } from './safekeeper-requests.ts'
import { bringUpToTail } from './tail-repair.ts'
import { type Disk, entriesOf, type FakeSafekeeper, ReignWorld, SEED, SUBJECTS, settle, WRITER } from './testing.ts'

const TERM = 3
const HISTORY = [{ term: 1, begin: 0 }]
const ACK_SUBJECT = `${SUBJECTS.append}.repair.zone-3.${TERM}`
const log = entriesOf(30, 1_000)
const HAS = 12_000
const place = { position: HAS, chain: chainOver(log.subarray(0, HAS), SEED) }

let world: ReignWorld
let reign: Reign
let safekeepers: readonly FakeSafekeeper[]
let behind: FakeSafekeeper

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  world = new ReignWorld()
  const disk: Disk = { term: 1, history: HISTORY, bytes: log }
  safekeepers = world.open(disk, disk, { ...disk, bytes: log.subarray(0, HAS) })
  reign = world.reign(TERM, log, HISTORY, ['zone-2', 'zone-1'])
  behind = safekeepers[2]!
  await elect(world.ports, reign, 'zone-3', {
    incarnation: 'zone-3-1',
    truncateTo: HAS,
    start: HAS,
    startChain: undefined,
    archivedFrom: 0,
    dutyZone: '',
    written: reign.tail.position,
  })
})
afterEach(() => {
  expect(world.bus.subscribed).not.toContain(ACK_SUBJECT)
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const repair = () => bringUpToTail(world.ports, reign, 'zone-3', place)

/** An acknowledgement that comes instead of the safekeeper's own. */
function answerWith(ack: { zone?: string; term?: number; flushed?: number; status?: AckStatus }): void {
  behind.before = (verb) => {
    if (verb !== 'append') return undefined
    const { zone = 'zone-3', term = TERM, flushed = 0, status = 'ok' } = ack
    world.bus.publish(ACK_SUBJECT, encodeAck({ zone, term, flushed, archived: 0, status }))
    return 'silent'
  }
}

describe('a safekeeper behind the tail', () => {
  test('gets what it lacks, under the new term, and only that', async () => {
    await repair()
    expect(behind.bytes.equals(log)).toBe(true)
    expect(behind.state).toMatchObject({ flushed: log.length, chain: reign.tail.chain })
    expect(behind.frames[0]!.begin).toBe(HAS)
    for (const { term, writer, archived } of behind.frames) {
      expect({ term, writer, archived }).toEqual({ term: TERM, writer: WRITER.toString('latin1'), archived: 0 })
    }
    for (const other of safekeepers.slice(0, 2)) expect(other.frames).toEqual([])
  })

  test('gets it from another source when one is damaged midway, in one unbroken chain', async () => {
    let answers = 0
    world.bus.intercept = (subject, data) => {
      if (!subject.startsWith('_INBOX') || data[0] !== 0x4c || ++answers !== 2) return data
      return data.subarray(0, data.length - 1)
    }
    behind.framesPerRead = 1
    for (const safekeeper of safekeepers) safekeeper.framesPerRead = 1
    await repair()
    expect(behind.bytes.equals(log)).toBe(true)
    const begins = behind.frames.map(({ begin }) => begin)
    expect(begins).toEqual([...new Set(begins)])
  })

  test('gets it from the object store if no safekeeper has it', async () => {
    world.archive(log, 1, 0, SEED, 5_000)
    reign = { ...reign, holders: [] }
    await repair()
    expect(behind.bytes.equals(log)).toBe(true)
  })

  test('is there only when it has flushed', async () => {
    behind.flushes = false
    let done = false
    const repaired = repair().then(() => {
      done = true
    })
    await settle()
    expect(behind.state).toMatchObject({ end: log.length, flushed: HAS })
    expect(done).toBe(false)
    behind.flush()
    await repaired
  })
})

describe('it does not get there', () => {
  test('if nobody has the log', async () => {
    for (const safekeeper of safekeepers.slice(0, 2)) safekeeper.stop()
    await expect(repair()).rejects.toThrow(ObjectMissing)
  })

  test('if it says that it cannot append', async () => {
    answerWith({ status: 'failed', flushed: HAS })
    await expect(repair()).rejects.toThrow(QuorumLost)
    await expect(repair()).rejects.toMatchObject({ component: 'safekeeper zone-3', problem: 'it cannot append' })
  })

  test('if it has promised itself to a higher term: then this reign is over', async () => {
    answerWith({ status: 'fenced', term: TERM + 2, flushed: 0 })
    await expect(repair()).rejects.toThrow(Fenced)
  })

  test('if it has not flushed in time', async () => {
    behind.flushes = false
    const repaired = repair()
    repaired.catch(() => {})
    await settle()
    await vi.advanceTimersByTimeAsync(10_000)
    await expect(repaired).rejects.toThrow(QuorumLost)
    await expect(repaired).rejects.toMatchObject({ problem: expect.stringContaining('10000 ms') })
  })

  test.each([
    ['another zone', { zone: 'zone-2', flushed: log.length }],
    ['a part of it', { flushed: log.length - 1 }],
  ])('by the word of %s', async (_, ack) => {
    answerWith(ack)
    const repaired = repair()
    repaired.catch(() => {})
    await settle()
    world.bus.publish(ACK_SUBJECT, Buffer.from('nonsense'))
    await settle()
    await vi.advanceTimersByTimeAsync(10_000)
    await expect(repaired).rejects.toThrow(QuorumLost)
  })
})
