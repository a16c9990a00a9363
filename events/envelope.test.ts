import { readFileSync } from 'node:fs'
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encode } from './codec.ts'
import { ComputeEvent } from './compute.ts'
import { EndpointEvent } from './endpoint.ts'
import {
  checkEnvelope,
  decodeEnvelope,
  ENVELOPE_BYTES_MAX,
  Envelope,
  EVENT_VERSION,
  encodeEnvelope,
  isFault,
  unwrap,
  wrap,
} from './envelope.ts'
import { SafekeeperEvent } from './safekeeper.ts'
import { TimelineEvent } from './timeline.ts'
import { ZoneEvent } from './zone.ts'

const golden = new URL('./golden/envelope-v1.bin', import.meta.url)
const event = { type: 'StartTerm', at: 1_700_000_000_000, compute: 'main-zone-1', zone: 'zone-1' }
const envelope = wrap(
  event,
  { id: 'e-2', actor: 'timeline.main', sequence: 2, term: 1 },
  { id: 'e-1', correlationId: 'r' },
)

describe('an envelope', () => {
  test('has stable bytes, and bytes of version 1 are read for ever', () => {
    const bytes = readFileSync(golden)
    expect(Buffer.from(encodeEnvelope(envelope)).toString('hex')).toBe(bytes.toString('hex'))
    expect(decodeEnvelope(bytes)).toEqual(envelope)
  })

  test('keeps root and direct cause, and is its own where it has none', () => {
    expect(envelope).toMatchObject({ correlationId: 'r', causationId: 'e-1' })
    const root = wrap(event, { id: 'e-9', actor: 'a.b', sequence: 0, term: 0 })
    expect(root).toMatchObject({ correlationId: 'e-9', causationId: 'e-9' })
  })

  test('gives the event back', () => {
    expect(unwrap(envelope)).toEqual(event)
  })

  test('from a newer Loch is refused as such', () => {
    const newer = encodeEnvelope({ ...envelope, version: EVENT_VERSION + 1 })
    expect(decodeEnvelope(newer)).toMatchObject({ fault: 'newer' })
  })

  test('too large is refused before it is parsed', () => {
    expect(decodeEnvelope(new Uint8Array(ENVELOPE_BYTES_MAX + 1))).toMatchObject({ fault: 'too-large' })
  })

  test('lacking a field is malformed', () => {
    const { sequence: _, ...rest } = envelope
    expect(decodeEnvelope(encode(rest))).toMatchObject({ fault: 'malformed' })
  })

  test('is what its schema says, whatever stands in it', () => {
    const parse = Schema.decodeUnknownResult(Envelope)
    const odd = fc.constantFrom<unknown>(
      -0,
      -1,
      0.5,
      2 ** 53,
      Number.NaN,
      Infinity,
      1n,
      '',
      null,
      undefined,
      [],
      {},
      true,
    )
    const odds = fc.dictionary(fc.constantFrom(...Object.keys(envelope), 'more'), odd, { noNullPrototype: true })
    const check = (changes: Record<string, unknown>) => {
      const parsed = parse({ ...envelope, ...changes })
      const checked = checkEnvelope({ ...envelope, ...changes })
      if (Result.isFailure(parsed)) expect(checked).toMatchObject({ fault: 'malformed' })
      else if (!isFault(checked)) expect(checked).toEqual(parsed.success)
      else expect(checked.fault).toBe('newer')
    }
    fc.assert(fc.property(odds, check))
    for (const payload of [new Map(), new Date(0), new Uint8Array(2), [1], { a: undefined, b: { c: 1 } }])
      check({ payload })
  })

  test('of random or cut bytes is a value, never an exception', () => {
    const whole = encodeEnvelope(envelope)
    for (let length = 0; length < whole.length; length++) {
      expect(decodeEnvelope(whole.subarray(0, length))).toHaveProperty('fault')
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => 'fault' in decodeEnvelope(bytes)))
  })
})

test.each([
  ['zone', ZoneEvent],
  ['safekeeper', SafekeeperEvent],
  ['timeline', TimelineEvent],
  ['compute', ComputeEvent],
  ['endpoint', EndpointEvent],
] as const)('the union of the %s is closed: types are unique, and an unknown one is refused', (_, schema) => {
  const types = schema.members.map((member) => member.fields.type.literal)
  expect(new Set(types).size).toBe(types.length)
  const parse = Schema.decodeUnknownResult(schema as Schema.Codec<unknown>)
  expect(Result.isFailure(parse({ type: 'Nonsense', at: 1 }))).toBe(true)
  for (const type of types) expect(Result.isFailure(parse({ type, at: 'now' }))).toBe(true)
})
