/**
 * Layouts of the kernel's FUSE structs (include/uapi/linux/fuse.h), as offsets from the start of the request or reply,
 * and the encoders of those that hold a file's attributes. Host byte order, which is little endian on every platform
 * that Loch runs on. No BigInt and no allocation: sizes and offsets stay below 2^53, and a request's `unique` is never
 * read as a number, only copied as two halves.
 */
import { TWO_32 } from '../../events/identifiers.ts'
import { KERNEL_PAGE_BYTES, S_IFMT } from './protocol.ts'
import type { ServedNode } from './served-volume.ts'

/** struct fuse_in_header */
export const InHeader = {
  opcode: 4,
  uniqueLow: 8,
  uniqueHigh: 12,
  nodeLow: 16,
  nodeHigh: 20,
  uid: 24,
  gid: 28,
} as const
/** Bytes of fuse_in_header; every offset below counts from the request's start and so includes it. */
export const IN = 40

/** struct fuse_out_header */
export const OutHeader = { length: 0, error: 4, uniqueLow: 8, uniqueHigh: 12 } as const
/** Bytes of fuse_out_header; offsets of reply structs are relative to the payload that follows it. */
export const OUT = 16

/** struct fuse_init_in */
export const InitIn = { major: IN, minor: IN + 4, maxReadahead: IN + 8, flags: IN + 12 } as const
/** struct fuse_init_out */
export const InitOut = {
  major: 0,
  minor: 4,
  maxReadahead: 8,
  flags: 12,
  maxBackground: 16,
  congestionThreshold: 18,
  maxWrite: 20,
  timeGranularity: 24,
  maxPages: 28,
  bytes: 64,
} as const

/** struct fuse_forget_in */
export const ForgetIn = { lookups: IN } as const
/** struct fuse_batch_forget_in, followed by `count` of struct fuse_forget_one */
export const BatchForgetIn = { count: IN, first: IN + 8 } as const
export const ForgetOne = { node: 0, lookups: 8, bytes: 16 } as const

/** struct fuse_setattr_in */
export const SetattrIn = {
  valid: IN,
  size: IN + 16,
  mtime: IN + 40,
  mtimeNanoseconds: IN + 60,
  mode: IN + 68,
  uid: IN + 76,
  gid: IN + 80,
} as const

/** struct fuse_mknod_in, fuse_mkdir_in, fuse_rename_in, fuse_rename2_in, fuse_link_in: a name follows each */
export const MknodIn = { mode: IN, name: IN + 16 } as const
export const MkdirIn = { mode: IN, name: IN + 8 } as const
export const RenameIn = { newParent: IN, name: IN + 8 } as const
export const Rename2In = { newParent: IN, flags: IN + 8, name: IN + 16 } as const
export const LinkIn = { node: IN, name: IN + 8 } as const

/** struct fuse_open_in, fuse_create_in */
export const OpenIn = { flags: IN } as const
export const CreateIn = { flags: IN, mode: IN + 4, name: IN + 16 } as const
/** struct fuse_open_out */
export const OpenOut = { handle: 0, flags: 8, bytes: 16 } as const

/** struct fuse_read_in (READ, READDIR, READDIRPLUS) and fuse_write_in, which data follows */
export const ReadIn = { handle: IN, offset: IN + 8, size: IN + 16 } as const
export const WriteIn = { offset: IN + 8, size: IN + 16, flags: IN + 32, data: IN + 40 } as const
/** struct fuse_write_out */
export const WriteOut = { size: 0, padding: 4, bytes: 8 } as const
/** struct fuse_release_in */
export const ReleaseIn = { handle: IN } as const
/** struct fuse_fallocate_in */
export const FallocateIn = { offset: IN + 8, length: IN + 16, mode: IN + 24 } as const

/** struct fuse_kstatfs */
export const StatfsOut = {
  blocks: 0,
  blocksFree: 8,
  blocksAvailable: 16,
  files: 24,
  filesFree: 32,
  blockBytes: 40,
  nameBytesMax: 44,
  fragmentBytes: 48,
  bytes: 80,
} as const

/** struct fuse_attr_out: validity, then struct fuse_attr at 16 */
export const ATTR_OUT_BYTES = 104
/** struct fuse_entry_out: node, generation, validities, then struct fuse_attr at 40 */
export const ENTRY_OUT_BYTES = 128
/** struct fuse_dirent before its name; records are padded to 8 bytes */
export const DIRENT_HEAD_BYTES = 24
/** struct fuse_notify_retrieve_out */
export const NotifyRetrieveOut = { node: 8, bytes: 32 } as const

/** Reads a u64 below 2^53. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_32
}

/** Reads an i64 within ±2^53: seconds of a time may lie before 1970. */
export function readI64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readInt32LE(at + 4) * TWO_32
}

/** Writes a whole number within ±2^53 as 64 bits, two's complement. */
export function writeI64(bytes: Buffer, at: number, value: number): void {
  const high = Math.floor(value / TWO_32)
  bytes.writeUInt32LE(value - high * TWO_32, at)
  bytes.writeInt32LE(high, at + 4)
}

/** struct fuse_attr, 88 bytes. Access times are not kept: the modification time stands for them. */
export function writeAttr(out: Buffer, at: number, node: ServedNode): void {
  writeI64(out, at, node.ino)
  writeI64(out, at + 8, node.size)
  writeI64(out, at + 16, Math.ceil(node.size / 512))
  writeTime(out, at + 24, at + 48, node.mtimeMs)
  writeTime(out, at + 32, at + 52, node.mtimeMs)
  writeTime(out, at + 40, at + 56, node.ctimeMs)
  out.writeUInt32LE(node.mode, at + 60)
  out.writeUInt32LE(node.nlink, at + 64)
  out.writeUInt32LE(node.uid, at + 68)
  out.writeUInt32LE(node.gid, at + 72)
  out.writeUInt32LE(0, at + 76)
  // Not Postgres's 8 KiB: kernels derive the unit of their page cache from it, and that must not exceed their page.
  out.writeUInt32LE(KERNEL_PAGE_BYTES, at + 80)
  out.writeUInt32LE(0, at + 84)
}

function writeTime(out: Buffer, secondsAt: number, nanosecondsAt: number, timeMs: number): void {
  const seconds = Math.floor(timeMs / 1000)
  writeI64(out, secondsAt, seconds)
  out.writeUInt32LE(Math.floor((timeMs - seconds * 1000) * 1e6), nanosecondsAt)
}

/** struct fuse_attr_out at `at`: attributes that the kernel may keep for `validSeconds`. */
export function writeAttrOut(out: Buffer, at: number, node: ServedNode, validSeconds: number): void {
  writeI64(out, at, validSeconds)
  writeI64(out, at + 8, 0)
  writeAttr(out, at + 16, node)
}

/** struct fuse_entry_out at `at`. Inodes are never reused, so the generation is always 0. */
export function writeEntryOut(out: Buffer, at: number, node: ServedNode, validSeconds: number): void {
  writeI64(out, at, node.ino)
  writeI64(out, at + 8, 0)
  writeI64(out, at + 16, validSeconds)
  writeI64(out, at + 24, validSeconds)
  writeI64(out, at + 32, 0)
  writeAttr(out, at + 40, node)
}

/** struct fuse_entry_out of a name that does not exist (node 0), which the kernel may remember for `validSeconds`. */
export function writeNegativeEntryOut(out: Buffer, at: number, validSeconds: number): void {
  out.fill(0, at, at + ENTRY_OUT_BYTES)
  writeI64(out, at + 16, validSeconds)
}

/** Bytes of a directory entry with a name of `nameBytes`, padding included. */
export function direntBytes(nameBytes: number): number {
  return (DIRENT_HEAD_BYTES + nameBytes + 7) & ~7
}

/** struct fuse_dirent at `at`; `next` is the offset at which reading continues after this entry. */
export function writeDirent(out: Buffer, at: number, ino: number, mode: number, next: number, name: string): void {
  writeI64(out, at, ino)
  writeI64(out, at + 8, next)
  out.writeUInt32LE((mode & S_IFMT) >>> 12, at + 20)
  out.writeUInt32LE(out.write(name, at + DIRENT_HEAD_BYTES, 'utf8'), at + 16)
}
