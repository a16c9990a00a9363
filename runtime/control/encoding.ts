/**
 * JSON or MessagePack, whichever the asker speaks: whoever types a request by hand gets an answer to read, and programs
 * get the smaller one. A request is a map, so its first byte tells: `{` or nothing at all for JSON; in MessagePack that
 * byte is the number 123, which no request begins with.
 */
import { decode, encode } from '../../events/codec.ts'
import { BadArgument } from '../errors.ts'

export type Encoding = 'json' | 'msgpack'

const BRACE = 0x7b
/** Blanks that a shell leaves before or instead of the brace; as MessagePack they would be numbers, too. */
const BLANKS: readonly number[] = [0x20, 0x09, 0x0a, 0x0d]

export function encodingOf(data: Uint8Array): Encoding {
  const first = data.find((byte) => !BLANKS.includes(byte))
  return first === undefined || first === BRACE ? 'json' : 'msgpack'
}

/** No bytes stand for an empty request. @throws BadArgument for anything malformed. */
export function decodeAs(encoding: Encoding, data: Uint8Array): unknown {
  try {
    if (encoding === 'msgpack') return decode(data)
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8').trim()
    return text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    throw new BadArgument({
      component: 'control request',
      value: `${data.length} bytes`,
      problem: `this is not ${encoding === 'json' ? 'JSON' : 'MessagePack'}`,
      remedy: 'Send one JSON object, one MessagePack map, or nothing.',
      cause,
    })
  }
}

export function encodeAs(encoding: Encoding, value: unknown): Uint8Array {
  return encoding === 'msgpack' ? encode(value) : Buffer.from(JSON.stringify(value))
}
