import { beforeEach, describe, expect, test } from 'vitest'
import { voteResponse } from '../../actors/safekeeper/acceptor.ts'
import { logKey } from '../../runtime/log/keys.ts'
import { openDisk } from '../../runtime/safekeeper/disk-open.ts'
import { giveVote, takeElection } from '../../runtime/safekeeper/elections.ts'
import { Keeper } from '../../runtime/safekeeper/keeper.ts'
import { FrameWriter, TIMELINE } from '../../runtime/safekeeper/testing.ts'
import { append, DIRECTORY, SMALL } from '../../runtime/safekeeper/testing-disk.ts'
import type { Said } from '../cluster/said-watch.ts'
import { SimDisk } from '../world/sim-disk.ts'
import { kernelOf, processOf } from '../world/testing.ts'
import { ArchiveIndex } from './archive-index.ts'
import { CommitCopies } from './commit-copies.ts'
import { CommittedLog } from './committed-log.ts'
import { Promises } from './promises.ts'

const ZONE = 'zone-1'
let disk: SimDisk
let keeper: Keeper
let writer: FrameWriter
let log: CommittedLog
let archive: ArchiveIndex
let promises: Promises
let copies: CommitCopies
let words: string[]

function open(): Keeper {
  const files = disk.files(processOf(ZONE))
  const opened = openDisk(files, DIRECTORY, TIMELINE, () => 'disk-1', SMALL)
  return new Keeper(files, DIRECTORY, ZONE, 'zone-1-1', opened)
}

function elect(term: number): void {
  giveVote(keeper, { term, compute: 'a' })
  const { end } = keeper.state
  const history = [...keeper.state.history, { term, begin: end }]
  const place = { truncateTo: end, start: end, startChain: undefined, archivedFrom: 0, written: end }
  takeElection(keeper, { term, compute: 'a', incarnation: 'zone-1-1', history, dutyZone: '', ...place })
}

const vote = (fields: object = {}): Said => ({
  kind: 'vote',
  ...voteResponse(keeper.state, false),
  silentMs: 0,
  ...fields,
})
const ack = (fields: object = {}): Said => {
  const { term, flushed } = keeper.state
  return { kind: 'ack', zone: ZONE, term, flushed, archived: 0, status: 'ok', ...fields }
}
const say = (said: Said) => promises.said(ZONE, disk, said)

function fill(text = 'x'.repeat(300)): Buffer {
  append(keeper, writer, text)
  keeper.state.end = writer.position
  keeper.state.chain = writer.chain
  keeper.flush()
  return Buffer.alloc(0)
}

beforeEach(() => {
  disk = new SimDisk(kernelOf(1), { evictShare: 0 })
  words = []
  const violated = (problem: string) => void words.push(problem)
  log = new CommittedLog({ nowMs: () => 0, violated })
  archive = new ArchiveIndex(TIMELINE)
  promises = new Promises({ directory: DIRECTORY, log, archive, violated })
  copies = new CommitCopies({ promises, archive, durability: 'archived', zones: 1, violated })
  keeper = open()
  keeper.remember({ term: 0, hadDisk: false })
  writer = new FrameWriter(TIMELINE, 1)
  elect(1)
})

describe('what is on the disk', () => {
  test('may be told', () => {
    fill()
    promises.opened(ZONE, disk)
    say(vote())
    say(ack())
    expect(words).toEqual([])
  })

  test('a term that is not, may not', () => {
    say(vote({ term: 2 }))
    expect(words).toEqual([expect.stringContaining('tells of term 2 (vote), but its disk says 1')])
  })

  test('a term does not go back, and is not voted for again', () => {
    keeper.promise(3)
    say(vote({ granted: true }))
    say(vote())
    expect(words).toEqual([])
    say(vote({ granted: true }))
    say(ack({ term: 1, flushed: 0 }))
    expect(words).toEqual([
      expect.stringContaining('votes for term 3, but it has told of term 3'),
      expect.stringContaining('tells of term 1 (ack), but it has told of term 3'),
    ])
  })

  test('flushed is what survives, of that term, over those bytes', () => {
    fill()
    say(ack({ flushed: 301 }))
    say(vote({ chain: 5 }))
    say(vote({ lastTerm: 7 }))
    expect(words).toEqual([
      expect.stringContaining('calls 301 flushed (ack), but its disk holds [0, 300)'),
      expect.stringContaining('other bytes'),
      expect.stringContaining('names another'),
    ])
  })

  test('the log of a term is that of its writer', () => {
    fill()
    const { chain } = writer
    log.opened({
      term: 1,
      compute: 'a',
      history: [{ term: 1, begin: 0 }],
      lastTerm: 0,
      position: 0,
      chain: 0,
      fromSnapshot: false,
    })
    say(ack())
    expect(words).toEqual([expect.stringContaining('holds other bytes up to 0 than the writer of term 1')])
    log.durable(1, 300, chain + 1)
    say(ack())
    expect(words.at(-1)).toContain('other bytes up to 300')
  })

  test('archived is what is in the bucket', () => {
    fill('abc')
    say(ack({ archived: 3 }))
    expect(words).toEqual([expect.stringContaining('calls 3 archived')])
    archive.created(logKey(TIMELINE, 1, 0), new FrameWriter(TIMELINE, 1).frame('abc'))
    say(ack({ archived: 3 }))
    expect(words).toHaveLength(1)
  })

  test('nothing lies behind the end when a disk has been opened', () => {
    fill()
    const [, file] = [...disk.certainNames].find(([name]) => name.endsWith('.log'))!
    file.write(Buffer.from('remains'), 500)
    file.sync()
    promises.opened(ZONE, disk)
    expect(words).toEqual([expect.stringContaining('something else than zeros')])
  })
})

describe('copies of the committed log', () => {
  const opened = (term: number, position: number, chain: number) => {
    const history = [{ term, begin: position }]
    const reign = { term, compute: 'a', history, lastTerm: 0, position, chain, fromSnapshot: false }
    log.opened(reign)
    copies.opened(reign)
  }
  const durable = (position: number, chain: number) => {
    log.durable(1, position, chain)
    copies.durable(1, position, chain)
  }
  const seed = () => new FrameWriter(TIMELINE, 1).chain

  test('are counted on disks and in the bucket', () => {
    say(ack({ flushed: 0 }))
    opened(1, 0, seed())
    const frame = new FrameWriter(TIMELINE, 1).frame('abc')
    fill('abc')
    archive.created(logKey(TIMELINE, 1, 0), frame)
    durable(3, writer.chain)
    expect(words).toEqual([])
    append(keeper, writer, 'def')
    durable(6, writer.chain)
    expect(words).toEqual([
      'copies: 6 of term 1 is called durable, but of 1 disks only 0 hold it',
      'copies: 6 of term 1 is called durable, but the bucket does not hold it',
    ])
  })

  test('a majority follows a term before its log is opened', () => {
    say(ack({ flushed: 0 }))
    opened(2, 0, seed())
    expect(words).toEqual(['copies: a begins term 2 at 0, but of 1 disks only 0 follow it'])
  })

  test('a disk that has lost one must call itself fresh', () => {
    say(ack({ flushed: 0 }))
    opened(1, 0, seed())
    archive.created(logKey(TIMELINE, 1, 0), new FrameWriter(TIMELINE, 1).frame('abc'))
    fill('abc')
    durable(3, writer.chain)
    disk = new SimDisk(kernelOf(2))
    keeper = open()
    keeper.remember({ term: 1, hadDisk: true })
    say(vote())
    expect(words).toEqual([])
    say(vote({ fresh: false }))
    expect(words).toEqual([expect.stringContaining('does not call itself fresh (vote)')])
  })
})
