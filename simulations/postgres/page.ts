/**
 * Data pages of 8 KiB: a header with the LSN of the last change and a checksum, then slots, each of them one register. The
 * checksum covers where the page belongs, so a page in a wrong place is noticed. A page of zeros is one that was never
 * written, as in Postgres. Nothing here reads or writes files.
 */
import { checksum } from '../../events/checksum.ts'
import type { Register } from './transaction.ts'

export const PAGE_BYTES = 8192
/** Few, so that a handful of registers make many pages. */
export const SLOTS_PER_PAGE = 4
export const PAGES_PER_FILE = 8

const FIRST_RELATION = 16384
const MAGIC = 0x5047
const LSN_AT = 8
const HEADER_BYTES = 24
const SLOT_BYTES = 24

/** Where a page is. */
export interface PagePlace {
  readonly file: number
  readonly block: number
}

/** A relation is a run of keys. Which file holds it changes when it is rewritten. */
export const KEYS_PER_RELATION = SLOTS_PER_PAGE * PAGES_PER_FILE
export const relationOf = (key: number) => Math.floor(key / KEYS_PER_RELATION)
export const blockOfKey = (key: number) => Math.floor(key / SLOTS_PER_PAGE) % PAGES_PER_FILE

/** All slots. */
export function readSlots(page: Buffer): readonly Register[] {
  return Array.from({ length: SLOTS_PER_PAGE }, (_, slot) => readSlot(page, slot))
}

export function slotOf(key: number): number {
  return key % SLOTS_PER_PAGE
}

/** Files of a new cluster, one per relation, for keys 0 to `keys` - 1. */
export function firstFiles(keys: number): readonly number[] {
  return Array.from({ length: relationOf(Math.max(1, keys) - 1) + 1 }, (_, index) => FIRST_RELATION + index)
}

export function pathOf(file: number): string {
  return `base/1/${file}`
}

export function pageLsn(page: Buffer): number {
  return page.readUIntLE(LSN_AT, 6)
}

export function setPageLsn(page: Buffer, lsn: number): void {
  page.writeUIntLE(lsn, LSN_AT, 6)
}

export function readSlot(page: Buffer, slot: number): Register {
  const at = HEADER_BYTES + slot * SLOT_BYTES
  return {
    version: page.readUIntLE(at, 6),
    transactionId: page.readUIntLE(at + 8, 6),
    hash: page.readUIntLE(at + 16, 6),
  }
}

export function writeSlot(page: Buffer, slot: number, value: Register): void {
  const at = HEADER_BYTES + slot * SLOT_BYTES
  page.writeUIntLE(value.version, at, 6)
  page.writeUIntLE(value.transactionId, at + 8, 6)
  page.writeUIntLE(value.hash, at + 16, 6)
}

/** A copy as it goes to its file. */
export function sealedCopy(page: Buffer, place: PagePlace): Buffer {
  const copy = Buffer.from(page)
  copy.writeUInt16LE(MAGIC, 0)
  copy.writeUInt32LE(checksumOf(copy, place), 4)
  return copy
}

export function isUnwritten(page: Buffer): boolean {
  return page.readUInt16LE(0) === 0 && page.every((byte) => byte === 0)
}

export function isSound(page: Buffer, place: PagePlace): boolean {
  return page.readUInt16LE(0) === MAGIC && page.readUInt32LE(4) === checksumOf(page, place)
}

function checksumOf(page: Buffer, { file, block }: PagePlace): number {
  return checksum(page.subarray(LSN_AT), (file * PAGES_PER_FILE + block) % 2 ** 32)
}
