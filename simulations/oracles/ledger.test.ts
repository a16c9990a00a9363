import { beforeEach, describe, expect, test } from 'vitest'
import { Corruption } from '../postgres/errors.ts'
import { type ExecutedWrite, type KeyResult, type Register, successorOf, UNWRITTEN } from '../postgres/transaction.ts'
import { type Attempt, Ledger } from './ledger.ts'

let nowMs: number
let ledger: Ledger
let lastId: number

beforeEach(() => {
  nowMs = 0
  lastId = 0
  ledger = new Ledger({ nowMs: () => nowMs })
})

const kinds = () => ledger.violations.map(({ kind }) => kind)

function begin(keys: readonly number[], isWrite: boolean, client = 'ann'): Attempt {
  nowMs++
  return ledger.began(client, { id: ++lastId, keys, isWrite })
}

/** The server executes a write on top of `parents`, one per key; nobody is told yet. */
function execute(attempt: Attempt, parents: readonly Register[]): readonly ExecutedWrite[] {
  nowMs++
  const { id, keys } = attempt.transaction
  const writes = keys.map((key, index) => ({
    key,
    parent: parents[index]!,
    written: successorOf(parents[index]!, key, id),
  }))
  ledger.executed(id, writes)
  return writes
}

function answerWrite(attempt: Attempt, writes: readonly ExecutedWrite[]): readonly Register[] {
  nowMs++
  ledger.acknowledged(
    attempt,
    writes.map(({ key, parent, written }) => ({ key, read: parent, written })),
  )
  return writes.map(({ written }) => written)
}

function write(keys: readonly number[], parents: readonly Register[]): readonly Register[] {
  const attempt = begin(keys, true)
  return answerWrite(attempt, execute(attempt, parents))
}

/** Executed, and its client lost the connection. */
function writeLost(keys: readonly number[], parents: readonly Register[]): readonly Register[] {
  const attempt = begin(keys, true)
  const writes = execute(attempt, parents)
  ledger.lost(attempt)
  return writes.map(({ written }) => written)
}

function answerRead(attempt: Attempt, values: readonly Register[]): void {
  nowMs++
  const results = attempt.transaction.keys.map((key, at): KeyResult => ({ key, read: values[at]!, written: undefined }))
  ledger.acknowledged(attempt, results)
}

const read = (keys: readonly number[], values: readonly Register[]) => answerRead(begin(keys, false), values)

describe('a history that is in order', () => {
  test('of reads and writes one after the other', () => {
    read([1], [UNWRITTEN])
    const [first] = write([1], [UNWRITTEN])
    const [second] = write([1], [first!])
    read([1, 2], [second!, UNWRITTEN])
    expect(ledger.violations).toEqual([])
    expect(ledger.counts).toEqual({ acknowledgedReads: 2, acknowledgedWrites: 2, lost: 0 })
  })

  test('may see a lost transaction', () => {
    const [lost] = writeLost([1], [UNWRITTEN])
    read([1], [lost!])
    write([1], [lost!])
    expect(ledger.violations).toEqual([])
  })

  test('may never see a lost transaction', () => {
    writeLost([1], [UNWRITTEN])
    read([1], [UNWRITTEN])
    write([1], [UNWRITTEN])
    expect(ledger.violations).toEqual([])
  })

  test('may answer a read with the old value if the write was answered after it was sent', () => {
    const reading = begin([1], false)
    const [first] = write([1], [UNWRITTEN])
    answerRead(reading, [UNWRITTEN])
    read([1], [first!])
    expect(ledger.violations).toEqual([])
  })
})

describe('a read that was under way', () => {
  test('does not refute what was executed after it was sent', () => {
    const reading = begin([1], false)
    const [lost] = writeLost([1], [UNWRITTEN])
    answerRead(reading, [UNWRITTEN])
    read([1], [lost!])
    expect(ledger.violations).toEqual([])
  })

  test('does not refute what others know by now', () => {
    const writing = begin([1], true)
    const writes = execute(writing, [UNWRITTEN])
    const [early, late] = [begin([1], false), begin([1], false)]
    const [written] = answerWrite(writing, writes)
    answerRead(early, [UNWRITTEN])
    answerRead(late, [written!])
    expect(ledger.violations).toEqual([])
  })
})

describe('a history that is not in order', () => {
  test('forgets a commit', () => {
    const [first] = write([1], [UNWRITTEN])
    const [second] = write([1], [first!])
    read([1], [first!])
    expect(kinds()).toEqual(['stale-read'])
    const { words } = ledger.violations[0]!
    for (const part of ['ann', 'version 2 of key 1', 'by transaction 2', 'acknowledged at', 'saw version 1']) {
      expect(words).toContain(part)
    }
    expect(words).toContain(second!.hash.toString(16))
  })

  test('forgets what was only read', () => {
    const [lost] = writeLost([1], [UNWRITTEN])
    read([1], [lost!])
    read([1], [UNWRITTEN])
    expect(kinds()).toEqual(['stale-read'])
  })

  test('replaces a commit by another one', () => {
    const first = begin([1], true)
    const second = begin([1], true)
    answerWrite(first, execute(first, [UNWRITTEN]))
    answerWrite(second, execute(second, [UNWRITTEN]))
    expect(kinds()).toEqual(['fork'])
    expect(ledger.violations[0]!.words).toContain('neither stands on the other')
  })

  test('shows a value on another branch than a commit', () => {
    const [lost] = writeLost([1], [UNWRITTEN])
    write([1], [UNWRITTEN])
    read([1], [lost!])
    expect(kinds()).toContain('lost-commit')
  })

  test('brings back a lost transaction that a read had shown not to be there', () => {
    const [lost] = writeLost([1], [UNWRITTEN])
    read([1], [UNWRITTEN])
    read([1], [lost!])
    expect(kinds()).toEqual(['phantom'])
    expect(ledger.violations[0]!.words).toContain('missing in a read at')
  })

  test('brings it back as the past of a later value', () => {
    const [lost] = writeLost([1], [UNWRITTEN])
    read([1], [UNWRITTEN])
    const [later] = writeLost([1], [lost!])
    read([1], [later!])
    expect(kinds()).toEqual(['phantom'])
  })

  test('shows half of a transaction', () => {
    const [one] = writeLost([1, 2], [UNWRITTEN, UNWRITTEN])
    read([1, 2], [one!, UNWRITTEN])
    expect(kinds()).toEqual(['torn-transaction'])
  })

  test('shows the other half as missing later', () => {
    const [one] = writeLost([1, 2], [UNWRITTEN, UNWRITTEN])
    read([1], [one!])
    read([2], [UNWRITTEN])
    expect(kinds()).toEqual(['stale-read'])
  })

  test('shows a half whose other half was overwritten', () => {
    const [one] = writeLost([1, 2], [UNWRITTEN, UNWRITTEN])
    write([2], [UNWRITTEN])
    read([1], [one!])
    expect(kinds()).toEqual(['fork'])
    expect(ledger.violations[0]!.words).toContain('it is a half of transaction 1')
  })

  test('shows what nobody wrote', () => {
    const [first] = write([1], [UNWRITTEN])
    read([1], [{ ...first!, hash: 7 }])
    read([1], [{ ...first!, transactionId: 9 }])
    read([2], [first!])
    expect(kinds()).toEqual(['unknown-value', 'unknown-value', 'unknown-value'])
  })

  test('writes on what nobody wrote', () => {
    writeLost([1], [{ version: 3, transactionId: 5, hash: 7 }])
    expect(kinds()).toEqual(['unknown-value'])
  })

  test('answers a write with something else than what was read and its successor', () => {
    const [first] = write([1], [UNWRITTEN])
    const [second] = write([1], [first!])
    const attempt = begin([1], true)
    const [written] = execute(attempt, [second!])
    answerWrite(attempt, [{ ...written!, written: second! }])
    expect(kinds()).toEqual(['wrong-write'])
  })

  test('has corrupted files', () => {
    ledger.corrupted(new Corruption('page 1 fails its checksum'))
    expect(kinds()).toEqual(['corruption'])
  })

  test('is told of at once', () => {
    const heard: string[] = []
    ledger = new Ledger({ nowMs: () => nowMs, onViolation: ({ kind }) => heard.push(kind) })
    ledger.corrupted(new Corruption('page 1 fails its checksum'))
    expect(heard).toEqual(['corruption'])
  })
})
