/**
 * CRC-32 (IEEE 802.3), as pure TypeScript, and one door through which the runtime puts the same function in native
 * code. The formats of this folder need a checksum but must not import the platform; a native implementation is
 * accepted only after it has agreed with the pure one.
 */
export type Checksum = (bytes: Uint8Array, before: number) => number

const table = new Uint32Array(256).map((_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1
  return value
})

/** The portable implementation; `before` is the checksum of the bytes that precede. */
export function portableChecksum(bytes: Uint8Array, before: number): number {
  let value = ~before
  for (let at = 0; at < bytes.length; at++) value = table[(value ^ bytes[at]!) & 0xff]! ^ (value >>> 8)
  return ~value >>> 0
}

let implementation: Checksum = portableChecksum

/** CRC-32 of `bytes`, continuing from `before` (0 for none). */
export function checksum(bytes: Uint8Array, before = 0): number {
  return implementation(bytes, before)
}

/** Puts a faster implementation of the same function in place; returns false, and changes nothing, if it differs. */
export function useChecksum(candidate: Checksum): boolean {
  const sample = new Uint8Array(1021).map((_, at) => (at * 31 + 7) & 0xff)
  for (const before of [0, 1, 0xffff_ffff, 0x1234_5678]) {
    if (candidate(sample, before) !== portableChecksum(sample, before)) return false
  }
  implementation = candidate
  return true
}
