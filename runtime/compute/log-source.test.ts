import { beforeEach, describe, expect, test } from 'vitest'
import { chainOver } from '../../events/frame.ts'
import { Damaged, ObjectMissing } from '../errors.ts'
import { type Place, readTail } from './log-source.ts'
import type { Reign } from './reign.ts'
import { type Disk, entriesOf, type FakeSafekeeper, ReignWorld, SEED, SUBJECTS, settle, ZONES } from './testing.ts'

const HISTORY = [{ term: 1, begin: 0 }]
const ENTRY_BYTES = 1_000
const START: Place = { position: 0, chain: SEED }

let world: ReignWorld
let log: Buffer
let reign: Reign
let safekeepers: readonly FakeSafekeeper[]

/** Takes what is read, and insists on its being the log, whole entries, gapless and never twice. */
class Taken {
  end: number
  pieces = 0
  constructor(from: number) {
    this.end = from
  }
  take = async (bytes: Buffer, position: number): Promise<void> => {
    expect(position).toBe(this.end)
    expect(bytes.length % ENTRY_BYTES).toBe(0)
    expect(bytes.equals(log.subarray(position, position + bytes.length))).toBe(true)
    this.end += bytes.length
    this.pieces++
  }
}

beforeEach(() => {
  world = new ReignWorld()
  log = entriesOf(40, ENTRY_BYTES)
  const disk: Disk = { term: 1, history: HISTORY, bytes: log }
  safekeepers = world.open(disk, disk, disk)
  reign = world.reign(2, log, HISTORY, ['zone-2', 'zone-1'])
})

async function read(from: Place = START): Promise<Taken> {
  const taken = new Taken(from.position)
  await readTail(world.ports, reign, from, taken.take)
  return taken
}

const placeAt = (position: number): Place => ({ position, chain: chainOver(log.subarray(0, position), SEED) })

/** Has the `nth` answer of `zone` to a read changed on its way. */
function disturb(zone: string, nth: number, change: (answer: Buffer) => Buffer): void {
  let answers = 0
  world.bus.intercept = (subject, data) => {
    if (!subject.startsWith('_INBOX') || data[0] !== 0x4c) return data
    // Requests are answered in order, and the last reader was this zone if its reads grew.
    const keeper = safekeepers.find((one) => one.zone === zone)!
    if (keeper.reads.length === answers) return data
    answers = keeper.reads.length
    return answers === nth ? change(Buffer.from(data)) : data
  }
}

const flipLast = (answer: Buffer): Buffer => {
  answer.writeUInt8(answer.readUInt8(answer.length - 1) ^ 1, answer.length - 1)
  return answer
}

describe('the tail', () => {
  test("is read whole, from the compute's own zone first", async () => {
    expect((await read()).end).toBe(log.length)
    const [own, ...others] = safekeepers.map(({ reads }) => reads.length)
    expect(own).toBeGreaterThan(1)
    expect(others).toEqual([0, 0])
  })

  test('is read from where the fold begins', async () => {
    expect((await read(placeAt(13_000))).end).toBe(log.length)
    expect(safekeepers[0]!.reads[0]).toBe(13_000)
  })

  test('needs nobody if the fold begins at its end', async () => {
    expect((await read(placeAt(log.length))).pieces).toBe(0)
    expect(safekeepers.flatMap(({ reads }) => reads)).toEqual([])
  })

  test('is handed over piece by piece, the next only when the last has been taken', async () => {
    let taking = 0
    await readTail(world.ports, reign, START, async () => {
      expect(++taking).toBe(1)
      await settle()
      taking--
    })
  })

  test('is on its way while what came before is being folded', async () => {
    const asked: number[] = []
    await readTail(world.ports, reign, START, async (_, position) => {
      await settle()
      if (position === 0) asked.push(safekeepers[0]!.reads.length)
    })
    expect(asked).toEqual([2])
  })

  test('is asked only of those who have it whole', async () => {
    reign = { ...reign, holders: ['zone-3'] }
    await read()
    expect(safekeepers.map(({ reads }) => reads.length > 0)).toEqual([false, false, true])
  })
})

describe('a source that fails is left for the next', () => {
  test.each([
    ['damaged bytes', flipLast],
    ['a damaged header', (answer: Buffer) => answer.fill(0xff, 16, 18)],
    ['half an answer', (answer: Buffer) => answer.subarray(0, answer.length - 10)],
    ['another stretch', (answer: Buffer) => answer.subarray(64 + answer.readUInt32LE(24))],
    ['an answer of another kind', () => Buffer.from([0x93, 1, 2, 3])],
  ])('because of %s', async (_, change) => {
    disturb('zone-1', 1, change)
    expect((await read()).end).toBe(log.length)
    expect(safekeepers[1]!.reads.length).toBeGreaterThan(0)
    expect(world.store.requests.list).toBe(0)
  })

  test('because it goes further than the tail', async () => {
    reign = world.reign(2, log.subarray(0, 20_000), HISTORY, ['zone-1', 'zone-2'])
    log = log.subarray(0, 20_000)
    world.archive(log, 1, 0, SEED)
    const taken = await read()
    expect(taken.end).toBe(20_000)
  })

  test('because it is gone', async () => {
    safekeepers[0]!.stop()
    expect((await read()).end).toBe(log.length)
  })

  test('because it no longer holds the begin', async () => {
    safekeepers[0]!.state.begin = 1_000
    safekeepers[0]!.bytes = log.subarray(1_000)
    expect((await read()).end).toBe(log.length)
    expect(safekeepers[1]!.reads[0]).toBe(0)
  })

  test('which goes on where the first one failed: nothing is handed over twice', async () => {
    disturb('zone-1', 2, flipLast)
    const taken = await read()
    expect(taken.end).toBe(log.length)
    expect(safekeepers[1]!.reads[0]).toBeGreaterThan(0)
  })

  test('and at last for the object store, and why is reported', async () => {
    world.archive(log, 1, 0, SEED, 7_000)
    world.bus.intercept = (subject, data) =>
      subject.startsWith('_INBOX') && data[0] === 0x4c ? flipLast(Buffer.from(data)) : data
    expect((await read()).end).toBe(log.length)
    expect(safekeepers.map(({ reads }) => reads.length > 0)).toEqual([true, true, false])
    expect(world.reported.join('\n')).toMatch(/zone-1.*damaged[\s\S]*zone-2.*damaged/)
  })

  test('and one that holds only the end goes on where the archive ends', async () => {
    for (const safekeeper of safekeepers) safekeeper.stop()
    const disk: Disk = { term: 1, history: HISTORY, bytes: log.subarray(20_000), begin: placeAt(20_000) }
    safekeepers = world.open(disk, disk, disk)
    world.archive(log.subarray(0, 28_000), 1, 0, SEED, 7_000)
    expect((await read()).end).toBe(log.length)
    expect(safekeepers[0]!.reads).toContain(28_000)
  })

  test('and the object store goes on where the last one failed', async () => {
    world.archive(log, 1, 0, SEED, 7_000)
    safekeepers[1]!.stop()
    disturb('zone-1', 2, flipLast)
    expect((await read()).end).toBe(log.length)
  })
})

describe('reading fails', () => {
  test('with what the object store says if nobody has it', async () => {
    for (const safekeeper of safekeepers) safekeeper.stop()
    await expect(read()).rejects.toThrow(ObjectMissing)
    expect(world.reported.join('\n')).toMatch(/zone-1.*nobody serves[\s\S]*zone-2.*nobody serves/)
  })

  test('if it ends in another chain than was elected', async () => {
    reign = { ...reign, tail: { ...reign.tail, chain: reign.tail.chain ^ 1 } }
    await expect(read()).rejects.toThrow(Damaged)
    await expect(read(placeAt(log.length))).rejects.toMatchObject({
      problem: 'the log read is not the log that was elected',
    })
  })

  test('if the object store ends in another chain than was elected', async () => {
    world.archive(log, 1, 0, SEED, 7_000)
    reign = { ...reign, holders: [], tail: { ...reign.tail, chain: reign.tail.chain ^ 1 } }
    await expect(read()).rejects.toThrow(Damaged)
  })

  test('if the fold begins beyond its end', async () => {
    const from = { position: log.length + 1_000, chain: 1 }
    await expect(read(from)).rejects.toThrow(Damaged)
  })

  test('with the error of whoever takes it, who is not asked again', async () => {
    let calls = 0
    const take = async () => {
      if (++calls === 3) throw new Error('the fold is broken')
    }
    await expect(readTail(world.ports, reign, START, take)).rejects.toThrow('the fold is broken')
    expect(calls).toBe(3)
    expect(safekeepers[1]!.reads).toEqual([])
  })
})

test('a zone is asked at its own subject', async () => {
  const asked = new Set<string>()
  world.bus.intercept = (subject, data) => {
    asked.add(subject.startsWith('_INBOX') ? 'inbox' : subject)
    return data
  }
  reign = { ...reign, holders: [ZONES[2]] }
  await read()
  expect(asked).toEqual(new Set(['inbox', SUBJECTS.read('zone-3')]))
})
