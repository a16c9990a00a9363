/**
 * Frames and log entries as version 1 wrote them. These bytes lie in object stores for years: a test here may be added to,
 * and none may be changed.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  chainOver,
  chainSeed,
  checkPayload,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrameHeader,
  writeFrameHeader,
} from './frame.ts'
import { decodeEntry, encodeEntry, entrySize, type LogEntry } from './log-entry.ts'

const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url))
const at = 1_700_000_000_123.5
const entries: ReadonlyArray<LogEntry> = [
  { type: 'termStarted', at, term: 3, compute: 'main-zone-1' },
  { type: 'created', at, ino: 9, parent: 1, name: 'base', mode: 0o040700, uid: 70, gid: 70, target: '' },
  { type: 'created', at, ino: 10, parent: 1, name: 'pg_wal', mode: 0o120777, uid: 70, gid: 70, target: '../wal' },
  { type: 'linked', at, ino: 10, parent: 9, name: 'other' },
  { type: 'renamed', at, parent: 9, name: 'other', newParent: 1, newName: 'ümläut' },
  { type: 'unlinked', at, parent: 1, name: 'ümläut' },
  { type: 'attributes', at, ino: 9, mode: 0o040750, uid: 71, gid: 72, modifiedAt: at },
  { type: 'truncated', at, ino: 11, size: 0x1_0000_2000 },
  { type: 'write', at, ino: 11, offset: 0x2_0000_0010, data: Uint8Array.of(1, 2, 3, 4, 5) },
  {
    type: 'sealed',
    at,
    segmentTerm: 3,
    segmentNumber: 4,
    pages: Uint32Array.of(11, 0, 0, 0xdead_beef, 11, 7, 1, 5),
    sizes: [[11, 0x1_0000_0000]],
  },
]

test('every kind of log entry has stable bytes and is read back', () => {
  const bytes = golden('log-entries-v1.bin')
  expect(Buffer.concat(entries.map(encodeEntry)).toString('hex')).toBe(bytes.toString('hex'))
  const read: unknown[] = []
  for (let from = 0; from < bytes.length; from += entrySize(bytes, from)) {
    const entry = decodeEntry(bytes, from)!
    read.push(entry.type === 'write' ? { ...entry, data: Uint8Array.from(entry.data) } : entry)
  }
  expect(read).toEqual(entries)
})

test('a frame has stable bytes and is read back', () => {
  const payload = golden('log-entries-v1.bin')
  const chainBefore = chainSeed('main')
  const chainAfter = chainOver(payload, chainBefore)
  const header: Omit<FrameHeader, 'version' | 'writer'> = {
    term: 3,
    begin: 0x1_0000_0040,
    length: payload.length,
    chainBefore,
    chainAfter,
    flags: 0,
    archived: 0x1_0000_0000,
  }
  const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), payload])
  writeFrameHeader(frame, 0, header, Buffer.from('0123456789abcdef', 'latin1'))
  expect(frame.toString('hex')).toBe(golden('frame-v1.bin').toString('hex'))
  const read = readFrameHeader(golden('frame-v1.bin'), 0)
  expect(read).toEqual({ ...header, version: 1, writer: '0123456789abcdef' })
  expect(checkPayload(read as FrameHeader, golden('frame-v1.bin').subarray(FRAME_HEADER_BYTES))).toBe(true)
})
