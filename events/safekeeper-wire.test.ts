/**
 * The wire between computes and safekeepers. Zones are upgraded one after the other, so bytes that version 1 sent must be
 * read as long as version 1 may run: golden/safekeeper-wire-v1.bin may be added to and never changed.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decode, encode } from './codec.ts'
import {
  decodeAck,
  decodeDuty,
  decodeDutyResponse,
  decodeElected,
  decodeElectedResponse,
  decodeRead,
  decodeReadResponse,
  decodeStatus,
  decodeVote,
  decodeVoteResponse,
  encodeAck,
  encodeDuty,
  encodeDutyResponse,
  encodeElected,
  encodeElectedResponse,
  encodeRead,
  encodeReadRefused,
  encodeStatus,
  encodeVote,
  encodeVoteResponse,
  isWireFault,
  SAFEKEEPER_WIRE_VERSION,
  subjects,
} from './safekeeper-wire.ts'

const far = 0x1_0000_0040
const history = [
  { term: 1, begin: 0 },
  { term: 3, begin: far },
]
const vote = { term: 3, compute: 'main-zone-1' }
const voteResponse = {
  zone: 'zone-1',
  granted: true,
  term: 3,
  lastTerm: 1,
  flushed: far,
  chain: 0xdead_beef,
  history,
  diskId: 'disk',
  incarnation: 'disk-2',
  fresh: false,
  confirmed: true,
  silentMs: 1_200,
}
const elected = {
  term: 3,
  compute: 'main-zone-1',
  incarnation: 'disk-2',
  history,
  truncateTo: far,
  start: far + 1,
  startChain: 0xdead_beef,
  archivedFrom: far + 2,
  dutyZone: 'zone-2',
  written: far + 3,
}
const electedResponse = { zone: 'zone-1', ok: true, term: 3, flushed: far, chain: 5, fault: undefined }
const read = { from: far, bytesMax: 65_536 }
const readRefused = { zone: 'zone-1', begin: 10, flushed: far, problem: 'no' }
const duty = { term: 3, zone: 'zone-2', from: far }
const dutyResponse = { zone: 'zone-2', held: true, term: 3, archived: far }
const status = {
  zone: 'zone-1',
  term: 3,
  lastTerm: 1,
  begin: 5,
  flushed: far,
  archived: 6,
  hasDuty: true,
  fresh: true,
  confirmed: false,
  diskId: 'disk',
  problem: '',
}
const ack = { zone: 'zone-1', term: 3, flushed: far, archived: far - 1, status: 'gap' as const }

/** Every message with its codec, in the order of the golden file. */
const messages: ReadonlyArray<
  readonly [name: string, value: object, bytes: Uint8Array, decode: (b: Uint8Array) => unknown]
> = [
  ['vote', vote, encodeVote(vote), decodeVote],
  ['vote response', voteResponse, encodeVoteResponse(voteResponse), decodeVoteResponse],
  ['elected', elected, encodeElected(elected), decodeElected],
  [
    'elected, chain unknown',
    { ...elected, startChain: undefined },
    encodeElected({ ...elected, startChain: undefined }),
    decodeElected,
  ],
  ['elected response', electedResponse, encodeElectedResponse(electedResponse), decodeElectedResponse],
  [
    'refused election',
    { ...electedResponse, ok: false, fault: 'no' },
    encodeElectedResponse({ ...electedResponse, ok: false, fault: 'no' }),
    decodeElectedResponse,
  ],
  ['read', read, encodeRead(read), decodeRead],
  ['refused read', readRefused, encodeReadRefused(readRefused), decodeReadResponse],
  ['duty', duty, encodeDuty(duty), decodeDuty],
  ['duty response', dutyResponse, encodeDutyResponse(dutyResponse), decodeDutyResponse],
  ['status', status, encodeStatus(status), decodeStatus],
  ['acknowledgement', ack, encodeAck(ack), decodeAck],
]

const goldenFile = new URL('./golden/safekeeper-wire-v1.bin', import.meta.url)

/** Each message with its length before it, u32 little endian. */
function golden(): readonly Buffer[] {
  const bytes = readFileSync(goldenFile)
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) {
    parts.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)))
  }
  return parts
}

describe('every message', () => {
  for (const [index, [name, value, bytes, decodeIt]] of messages.entries()) {
    test(`${name} has stable bytes and is read back`, () => {
      expect(Buffer.from(bytes).toString('hex')).toBe(golden()[index]!.toString('hex'))
      expect(decodeIt(golden()[index]!)).toEqual(value)
    })
  }

  test('is in the golden file', () => {
    expect(golden()).toHaveLength(messages.length)
  })

  test('that is cut, of a wrong type or no message at all is a fault, never an exception', () => {
    for (const [name, , bytes, decodeIt] of messages) {
      if (name === 'acknowledgement') continue
      const fields = decode(bytes) as unknown[]
      const broken: Uint8Array[] = [new Uint8Array(0), Uint8Array.of(0xc1), encode({ version: 1 }), encode([])]
      for (let at = 0; at < fields.length; at++) {
        broken.push(encode(fields.slice(0, at)))
        broken.push(encode(fields.map((field, index) => (index === at ? { not: 'it' } : field))))
      }
      for (const each of broken) {
        const value = decodeIt(each) as object
        expect(isWireFault(value), `${name}: ${JSON.stringify(value)}`).toBe(true)
      }
    }
  })

  test('of a newer version says so', () => {
    const [, ...fields] = decode(encodeVote(vote)) as unknown[]
    expect(decodeVote(encode([SAFEKEEPER_WIRE_VERSION + 1, ...fields, 'more']))).toMatchObject({ fault: 'newer' })
  })
})

test('a history must be in order', () => {
  const withHistory = (...entries: ReadonlyArray<readonly [number, number]>) =>
    decodeElected(encodeElected({ ...elected, history: entries.map(([term, begin]) => ({ term, begin })) }))
  expect(withHistory([1, 0], [2, 5], [3, 5])).toMatchObject({ term: 3 })
  for (const bad of [
    [[0, 0]],
    [
      [2, 0],
      [2, 5],
    ],
    [
      [2, 0],
      [1, 5],
    ],
    [
      [1, 5],
      [2, 4],
    ],
  ] as const) {
    expect(withHistory(...(bad as unknown as ReadonlyArray<readonly [number, number]>))).toMatchObject({
      fault: 'malformed',
    })
  }
})

test('log bytes answer a read as they are', () => {
  const frame = readFileSync(new URL('./golden/frame-v1.bin', import.meta.url))
  expect(decodeReadResponse(frame)).toEqual({ frames: frame })
})

test('what is no acknowledgement is none', () => {
  const bytes = encodeAck(ack)
  for (let length = 0; length < bytes.length; length++) expect(decodeAck(bytes.subarray(0, length))).toBeUndefined()
  expect(decodeAck(Uint8Array.from([...bytes, 0]))).toBeUndefined()
  expect(decodeAck(Uint8Array.from(bytes, (byte, at) => (at === 0 ? 0 : byte)))).toBeUndefined()
  expect(decodeAck(Uint8Array.from(bytes, (byte, at) => (at === 2 ? 9 : byte)))).toBeUndefined()
})

test('every status of an acknowledgement has its number', () => {
  for (const [number, of] of (['ok', 'fenced', 'gap', 'not-elected', 'failed'] as const).entries()) {
    expect(encodeAck({ ...ack, status: of })[2]).toBe(number)
    expect(decodeAck(encodeAck({ ...ack, status: of }))?.status).toBe(of)
  }
})

test('subjects name the timeline, and the zone where one is meant', () => {
  const names = subjects('p', 'main')
  expect(names.append).toBe('loch.p.timeline.main.append')
  expect(names.vote('zone-2')).toBe('loch.p.timeline.main.safekeeper.zone-2.vote')
})
