/**
 * The stored form of one chunk of the page table: a header that says whose it is, and 16 bytes per page. Blocks lie end
 * to end in index objects and are read by range, so each one carries its own version and checksum. Formats here are
 * never changed, only added to.
 *
 * Little endian: 0 u32 magic and version   4 u32 inode   8 u32 chunk   12 u32 CRC-32 of bytes 0..12 and 16..end
 * then per page: segment term u32 (0: no page, reads as zeros), segment number u32, slot u32, CRC-32 of the page u32.
 */
import { checksum } from '../../events/checksum.ts'

export const INDEX_BLOCK_HEAD_BYTES = 16
/** u32 per page. */
export const ENTRY_WORDS = 4
export const INDEX_ENTRY_BYTES = 16

const MAGIC = 0x3158_494c // "LIX1" read as little endian: the digit is the version

export function indexBlockBytes(pageCount: number): number {
  return INDEX_BLOCK_HEAD_BYTES + pageCount * INDEX_ENTRY_BYTES
}

/** Writes the block at `at`; `entries` holds ENTRY_WORDS per page. Returns its bytes. */
export function writeIndexBlock(
  target: Buffer,
  at: number,
  ino: number,
  chunk: number,
  entries: Uint32Array,
  pageCount: number,
): number {
  target.writeUInt32LE(MAGIC, at)
  target.writeUInt32LE(ino, at + 4)
  target.writeUInt32LE(chunk, at + 8)
  const end = at + indexBlockBytes(pageCount)
  for (let word = 0, to = at + INDEX_BLOCK_HEAD_BYTES; to < end; word++, to += 4) {
    target.writeUInt32LE(entries[word]!, to)
  }
  target.writeUInt32LE(blockChecksum(target.subarray(at, end)), at + 12)
  return end - at
}

/** True if `bytes` are a whole and undamaged index block. Whoever fetches one can ask before handing it on. */
export function isIndexBlock(bytes: Uint8Array): boolean {
  if (bytes.length < INDEX_BLOCK_HEAD_BYTES || bytes.length % INDEX_ENTRY_BYTES !== 0) return false
  const block = asBuffer(bytes)
  return block.readUInt32LE(0) === MAGIC && block.readUInt32LE(12) === blockChecksum(bytes)
}

/** The entries of the block of `ino` and `chunk`; undefined if `bytes` are not that, or damaged. */
export function readIndexBlock(bytes: Uint8Array, ino: number, chunk: number): Uint32Array | undefined {
  if (!isIndexBlock(bytes)) return undefined
  const block = asBuffer(bytes)
  if (block.readUInt32LE(4) !== ino || block.readUInt32LE(8) !== chunk) return undefined
  const entries = new Uint32Array((bytes.length - INDEX_BLOCK_HEAD_BYTES) / 4)
  for (let word = 0; word < entries.length; word++)
    entries[word] = block.readUInt32LE(INDEX_BLOCK_HEAD_BYTES + word * 4)
  return entries
}

function blockChecksum(block: Uint8Array): number {
  return checksum(block.subarray(INDEX_BLOCK_HEAD_BYTES), checksum(block.subarray(0, 12)))
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
