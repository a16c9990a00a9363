/**
 * MessagePack as any other language reads it: no record extension, maps sized as needed, keys in the order in which
 * the object was built. That makes stored bytes stable and hashes of them meaningful (libraries.md D.6). Every message
 * and every journal record goes through here; log bytes do not.
 */
import { Packr } from 'msgpackr'

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' })

/** Encodes to bytes that the caller may keep: msgpackr's buffer is copied out of, which Node's pool makes cheap. */
export function encode(value: unknown): Uint8Array {
  return Buffer.from(packr.pack(value))
}

/** Decodes standard MessagePack. Binary values are views of `bytes`: copy what outlives it. Throws on malformed input. */
export function decode(bytes: Uint8Array): unknown {
  return packr.unpack(bytes)
}
