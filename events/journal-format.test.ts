import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checksum } from './checksum.ts'
import { type Envelope, wrap } from './envelope.ts'
import {
  decodeBatch,
  decodeSnapshot,
  encodeBatch,
  encodeSnapshot,
  isJournalFault,
  JOURNAL_VERSION,
  type JournalSnapshot,
} from './journal-format.ts'

const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url))
const envelope = (sequence: number): Envelope => {
  const event = {
    type: 'TermStarted',
    at: 1_700_000_000_000 + sequence,
    term: sequence,
    compute: 'c-1',
    zone: 'zone-1',
  }
  return wrap(event, { id: `e-${sequence}`, actor: 'timeline.main', sequence, term: sequence })
}
const batch = [envelope(7), envelope(8)]
const snapshot: JournalSnapshot = {
  actor: 'timeline.main',
  sequence: 64,
  state: 'active',
  remembered: { term: 3, zones: ['zone-1'], snapshot: null },
}

/** The object with its header changed and its checksum made right again. */
function altered(bytes: Uint8Array, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  copy.writeUInt32LE(checksum(copy.subarray(8)), 4)
  return copy
}

describe('a journal object', () => {
  test('has stable bytes, and bytes of version 1 are read for ever', () => {
    expect(Buffer.from(encodeBatch(batch)).equals(golden('journal-batch-v1.bin'))).toBe(true)
    expect(Buffer.from(encodeSnapshot(snapshot)).equals(golden('journal-snapshot-v1.bin'))).toBe(true)
    expect(decodeBatch(golden('journal-batch-v1.bin'))).toEqual(batch)
    expect(decodeSnapshot(golden('journal-snapshot-v1.bin'))).toEqual(snapshot)
  })

  test('with any bit turned, or cut anywhere, is damaged or newer and never misread', () => {
    const bytes = encodeBatch(batch)
    for (let at = 0; at < bytes.length; at++) {
      const copy = Uint8Array.from(bytes)
      copy[at]! ^= 1 << (at % 8)
      expect(isJournalFault(decodeBatch(copy))).toBe(true)
      expect(decodeBatch(bytes.subarray(0, at))).toMatchObject({ fault: 'damaged' })
    }
  })

  test('of a newer format is told apart from a damaged one', () => {
    const newer = altered(encodeBatch(batch), (copy) => copy.writeUInt16LE(JOURNAL_VERSION + 1, 8))
    expect(decodeBatch(newer)).toMatchObject({ fault: 'newer' })
    expect(decodeBatch(encodeBatch([{ ...envelope(7), version: 2 }]))).toMatchObject({ fault: 'newer' })
  })

  test('of the other kind is refused', () => {
    expect(decodeBatch(encodeSnapshot(snapshot))).toMatchObject({ fault: 'damaged' })
    expect(decodeSnapshot(encodeBatch(batch))).toMatchObject({ fault: 'damaged' })
  })

  test('without envelopes, or with a gap between them, is damaged', () => {
    expect(decodeBatch(encodeBatch([]))).toMatchObject({ fault: 'damaged' })
    expect(decodeBatch(encodeBatch([envelope(7), envelope(9)]))).toMatchObject({ fault: 'damaged' })
  })
})
