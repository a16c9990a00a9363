/** The parser: what it makes of bytes does not depend on the pieces in which they arrive, and nothing makes it throw. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LINE_BYTES_MAX } from './limits.ts'
import { type Commands, Parser } from './parser.ts'

type Call =
  | { readonly call: 'connect'; readonly json: string }
  | { readonly call: 'ping' }
  | { readonly call: 'pong' }
  | { readonly call: 'subscribe'; readonly subject: string; readonly queue: string; readonly sid: string }
  | { readonly call: 'unsubscribe'; readonly sid: string; readonly max: number }
  | {
      readonly call: 'publish'
      readonly subject: string
      readonly reply: string
      readonly headerBytes: number
      readonly body: string
    }
  | { readonly call: 'refuse'; readonly fault: string }

const PAYLOAD_BYTES_MAX = 5_000

function parse(pieces: readonly Buffer[]): Call[] {
  const calls: Call[] = []
  const commands: Commands = {
    connect: (json) => calls.push({ call: 'connect', json }),
    ping: () => calls.push({ call: 'ping' }),
    pong: () => calls.push({ call: 'pong' }),
    subscribe: (subject, queue, sid) => calls.push({ call: 'subscribe', subject, queue, sid }),
    unsubscribe: (sid, max) => calls.push({ call: 'unsubscribe', sid, max }),
    publish: (subject, reply, headerBytes, body) =>
      calls.push({ call: 'publish', subject, reply, headerBytes, body: body.toString('latin1') }),
    refuse: (fault) => calls.push({ call: 'refuse', fault }),
  }
  const parser = new Parser(commands, PAYLOAD_BYTES_MAX)
  for (const piece of pieces) parser.feed(Buffer.from(piece))
  return calls
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  for (let index = 0; at < bytes.length; index++) {
    const size = sizes.length === 0 ? bytes.length : sizes[index % sizes.length]!
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

const word = fc.stringMatching(/^[\x21-\x7e\x80-\xff]{1,12}$/)
const sid = fc.stringMatching(/^[0-9a-z]{1,6}$/)
const reply = fc.option(word, { nil: '' })
const payload = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ call: fc.constant('connect' as const), json: fc.json({ maxDepth: 1 }).map((json) => `{"a":${json}}`) }),
  fc.record({ call: fc.constant('ping' as const) }),
  fc.record({ call: fc.constant('pong' as const) }),
  fc.record({ call: fc.constant('subscribe' as const), subject: word, queue: reply, sid }),
  fc.record({ call: fc.constant('unsubscribe' as const), sid, max: fc.nat(999_999_999) }),
  fc.record({
    call: fc.constant('publish' as const),
    subject: word,
    reply,
    headerBytes: fc.constant(-1),
    body: payload.map((text) => `${text}\r\n`),
  }),
  fc.tuple(word, reply, payload, payload).map(([subject, reply, headers, data]) => ({
    call: 'publish' as const,
    subject,
    reply,
    headerBytes: headers.length,
    body: `${headers}${data}\r\n`,
  })),
)

function wire(call: Call): Buffer {
  switch (call.call) {
    case 'connect':
      return Buffer.from(`CONNECT ${call.json}\r\n`, 'utf8')
    case 'ping':
      return Buffer.from('PING\r\n')
    case 'pong':
      return Buffer.from('PONG\r\n')
    case 'subscribe':
      return Buffer.from(`SUB ${call.subject} ${call.queue} ${call.sid}\r\n`, 'latin1')
    case 'unsubscribe':
      return Buffer.from(call.max === 0 ? `UNSUB ${call.sid}\r\n` : `UNSUB ${call.sid} ${call.max}\r\n`)
    case 'publish': {
      const operation = call.headerBytes < 0 ? 'PUB' : 'HPUB'
      const sizes = call.headerBytes < 0 ? '' : `${call.headerBytes} `
      const line = `${operation} ${call.subject} ${call.reply} ${sizes}${call.body.length - 2}\r\n`
      return Buffer.from(line + call.body, 'latin1')
    }
    case 'refuse':
      return Buffer.from('?\r\n')
  }
}

describe('Parser', () => {
  it('reads what was written, however it was cut', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 8 })
    fc.assert(
      fc.property(fc.array(call, { maxLength: 20 }), sizes, (calls, sizes) => {
        expect(parse(cut(Buffer.concat(calls.map(wire)), sizes))).toEqual(calls)
      }),
    )
  })

  it('reads each command when it is cut at each of its bytes, and byte by byte', () => {
    const calls = fc.sample(call, { numRuns: 40, seed: 7 })
    for (const one of calls) {
      const bytes = wire(one)
      expect(parse(cut(bytes, [1]))).toEqual([one])
      for (let at = 1; at < bytes.length; at++) {
        expect(parse([bytes.subarray(0, at), bytes.subarray(at)])).toEqual([one])
      }
    }
  })

  it('makes the same of any bytes at all, in any pieces, and stops at the first fault', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      call.map(wire),
    )
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 9 })), (parts, sizes) => {
        const bytes = Buffer.concat(parts)
        const whole = parse([bytes])
        expect(parse(cut(bytes, sizes))).toEqual(whole)
        expect(whole.findIndex(({ call }) => call === 'refuse')).toBeOneOf([-1, whole.length - 1])
      }),
    )
  })

  it('does not copy a payload that arrives in one piece, and copies one that does not', () => {
    const bodies: Buffer[] = []
    const parser = new Parser({ ...silent(), publish: (_, __, ___, body) => bodies.push(body) }, PAYLOAD_BYTES_MAX)
    const chunk = Buffer.from('PUB a 2\r\nhi\r\nPUB a 2\r\nh')
    parser.feed(chunk)
    parser.feed(Buffer.from('o\r\n'))
    expect(bodies.map(String)).toEqual(['hi\r\n', 'ho\r\n'])
    expect(bodies[0]!.buffer).toBe(chunk.buffer)
    expect(bodies[1]!.buffer).not.toBe(chunk.buffer)
  })

  it('keeps no more of an endless line than a line may have', () => {
    const endless = Array.from({ length: 10 }, () => Buffer.alloc(LINE_BYTES_MAX / 8, 'a'))
    expect(parse(endless)).toEqual([{ call: 'refuse', fault: 'maximum control line exceeded' }])
  })

  it('takes a payload at the limit and refuses one beyond it before it arrives', () => {
    const body = 'x'.repeat(PAYLOAD_BYTES_MAX)
    expect(parse([Buffer.from(`PUB a ${body.length}\r\n${body}\r\n`)])).toMatchObject([{ body: `${body}\r\n` }])
    const refused = [{ call: 'refuse', fault: 'Maximum Payload Violation' }]
    expect(parse([Buffer.from(`PUB a ${body.length + 1}\r\n`)])).toEqual(refused)
    expect(parse([Buffer.from(`HPUB a 1 ${body.length + 1}\r\n`)])).toEqual(refused)
  })

  it('parses nothing after it was stopped, not even in the same piece', () => {
    const calls: string[] = []
    const parser: Parser = new Parser(
      {
        ...silent(),
        ping: () => {
          calls.push('ping')
          parser.stop()
        },
      },
      PAYLOAD_BYTES_MAX,
    )
    parser.feed(Buffer.from('PING\r\nPING\r\n'))
    parser.feed(Buffer.from('PING\r\n'))
    expect(calls).toEqual(['ping'])
  })
})

function silent(): Commands {
  const nothing = () => {}
  return {
    connect: nothing,
    ping: nothing,
    pong: nothing,
    subscribe: nothing,
    unsubscribe: nothing,
    publish: nothing,
    refuse: nothing,
  }
}
