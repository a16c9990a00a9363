/**
 * Operations on one file: open, create, read, write, sync, allocate, attributes. READ and WRITE move bytes once, between
 * the volume and the request or reply buffer; one WRITE is applied as a whole, which is what makes full_page_writes=off
 * sound. Files have no handles: everything the kernel sends names the inode. Results are as in namespace-operations.ts.
 */
import { type Exchange, NO_REPLY, withoutPayload } from './exchange.ts'
import type { KernelInodes } from './kernel-inodes.ts'
import type { NamespaceOperations } from './namespace-operations.ts'
import {
  AttributeFlag,
  Errno,
  FALLOC_FL_KEEP_SIZE,
  MODE_BITS,
  NAME_BYTES_MAX,
  O_DSYNC,
  O_EXCL,
  O_TRUNC,
  OpenFlag,
  S_IFREG,
  TRANSFER_BYTES_MAX,
} from './protocol.ts'
import type { ServedNode, ServedVolume, ServerOptions, SlowPath } from './served-volume.ts'
import {
  CreateIn,
  FallocateIn,
  OpenIn,
  OpenOut,
  OUT,
  ReadIn,
  SetattrIn,
  StatfsOut,
  WriteIn,
  WriteOut,
  writeI64,
} from './structs.ts'

const STATFS_BLOCK_BYTES = 8192
/** 1 PiB: large enough that no program refuses to start for lack of space. */
const CAPACITY_BYTES = 2 ** 50
const FILES_MAX = 2 ** 32

const DIRECT = OpenFlag.directIo | OpenFlag.parallelDirectWrites
const CACHED = OpenFlag.keepCache | OpenFlag.noFlush

export class FileOperations {
  private readonly volume: ServedVolume
  private readonly inodes: KernelInodes
  private readonly names: NamespaceOperations
  private readonly slow: SlowPath
  private readonly cacheData: (ino: number) => boolean
  private readonly now: () => number
  private readonly capacityBlocks: number

  constructor(
    volume: ServedVolume,
    inodes: KernelInodes,
    names: NamespaceOperations,
    slow: SlowPath,
    options: ServerOptions,
  ) {
    this.volume = volume
    this.inodes = inodes
    this.names = names
    this.slow = slow
    this.cacheData = options.cacheData ?? (() => false)
    this.now = options.now ?? Date.now
    this.capacityBlocks = Math.floor((options.capacityBytes ?? CAPACITY_BYTES) / STATFS_BLOCK_BYTES)
  }

  read(x: Exchange): number {
    const size = Math.min(x.u32(ReadIn.size), TRANSFER_BYTES_MAX)
    return this.volume.read(x.ino, x.u64(ReadIn.offset), size, x.out, OUT)
  }

  /**
   * Durability is asked for by fsync only. A write that wants to be durable when it returns (O_DSYNC, O_SYNC, RWF_DSYNC) is
   * refused here and at open: Postgres uses none with wal_sync_method=fdatasync, and success would be a lie.
   */
  write(x: Exchange): number {
    if ((x.u32(WriteIn.flags) & O_DSYNC) !== 0) return -Errno.EINVAL
    const written = this.volume.write(x.ino, x.u64(WriteIn.offset), x.request, WriteIn.data, x.u32(WriteIn.size))
    if (written < 0) return written
    x.out.writeUInt32LE(written, OUT + WriteOut.size)
    x.out.writeUInt32LE(0, OUT + WriteOut.padding)
    return WriteOut.bytes
  }

  /** FSYNC and FSYNCDIR; fdatasync makes no difference, since size and content are in one log. */
  sync(x: Exchange): number {
    return this.slow.sync(x.uniqueLow, x.uniqueHigh, x.ino) ? NO_REPLY : 0
  }

  getattr(x: Exchange): number {
    return this.inodes.attributesReply(x.out, x.ino)
  }

  /** The size first: it is the one that may lack bytes and be repeated. */
  setattr(x: Exchange): number {
    const valid = x.u32(SetattrIn.valid)
    if ((valid & AttributeFlag.size) !== 0) {
      const truncated = this.volume.truncate(x.ino, x.u64(SetattrIn.size))
      if (truncated < 0) return truncated
    }
    const { mode, uid, gid, mtime, mtimeNow } = AttributeFlag
    if ((valid & (mode | uid | gid | mtime | mtimeNow)) !== 0) {
      const node = this.volume.node(x.ino)
      const set = node ? this.setAttributes(x, node, valid) : -Errno.ESTALE
      if (set < 0) return set
    }
    return this.inodes.attributesReply(x.out, x.ino)
  }

  private setAttributes(x: Exchange, node: ServedNode, valid: number): number {
    const mode = ((valid & AttributeFlag.mode) !== 0 ? x.u32(SetattrIn.mode) : node.mode) & MODE_BITS
    const uid = (valid & AttributeFlag.uid) !== 0 ? x.u32(SetattrIn.uid) : node.uid
    const gid = (valid & AttributeFlag.gid) !== 0 ? x.u32(SetattrIn.gid) : node.gid
    return this.volume.setAttributes(x.ino, mode, uid, gid, this.requestedTime(x, node, valid))
  }

  private requestedTime(x: Exchange, node: ServedNode, valid: number): number {
    if ((valid & AttributeFlag.mtimeNow) !== 0) return this.now()
    if ((valid & AttributeFlag.mtime) === 0) return node.mtimeMs
    return x.i64(SetattrIn.mtime) * 1000 + x.u32(SetattrIn.mtimeNanoseconds) / 1e6
  }

  open(x: Exchange): number {
    if (!this.volume.node(x.ino)) return -Errno.ESTALE
    if ((x.u32(OpenIn.flags) & O_DSYNC) !== 0) return -Errno.EINVAL
    if ((x.u32(OpenIn.flags) & O_TRUNC) !== 0) {
      const truncated = this.volume.truncate(x.ino, 0)
      if (truncated < 0) return truncated
    }
    return this.putOpen(x, OUT, x.ino)
  }

  /** open(2) with O_CREAT of a name that the kernel believes absent; it may exist all the same. */
  create(x: Exchange): number {
    const flags = x.u32(CreateIn.flags)
    const named = x.readName(CreateIn.name)
    if (named < 0) return named
    if ((flags & O_DSYNC) !== 0) return -Errno.EINVAL
    let ino = this.names.create(x, S_IFREG | (x.u32(CreateIn.mode) & MODE_BITS))
    if (ino === -Errno.EEXIST && (flags & O_EXCL) === 0) ino = this.existing(x, flags)
    if (ino < 0) return ino
    const entry = this.inodes.entryReply(x.out, ino)
    return entry < 0 ? entry : entry + this.putOpen(x, OUT + entry, ino)
  }

  private existing(x: Exchange, flags: number): number {
    const ino = this.volume.lookup(x.ino, x.name)
    if (ino === 0) return -Errno.EEXIST
    if (ino < 0 || (flags & O_TRUNC) === 0) return ino
    const truncated = this.volume.truncate(ino, 0)
    return truncated < 0 ? truncated : ino
  }

  private putOpen(x: Exchange, at: number, ino: number): number {
    writeI64(x.out, at + OpenOut.handle, 0)
    writeI64(x.out, at + OpenOut.flags, this.cacheData(ino) ? CACHED : DIRECT)
    return OpenOut.bytes
  }

  fallocate(x: Exchange): number {
    const mode = x.u32(FallocateIn.mode)
    if (!this.volume.node(x.ino)) return -Errno.ESTALE
    // Space cannot be reserved in a log and need not be: there is none to run out of.
    if (mode === FALLOC_FL_KEEP_SIZE) return 0
    if (mode !== 0) return -Errno.EOPNOTSUPP
    return withoutPayload(this.volume.allocate(x.ino, x.u64(FallocateIn.offset), x.u64(FallocateIn.length)))
  }

  statfs(x: Exchange): number {
    const { out } = x
    out.fill(0, OUT, OUT + StatfsOut.bytes)
    writeI64(out, OUT + StatfsOut.blocks, this.capacityBlocks)
    writeI64(out, OUT + StatfsOut.blocksFree, this.capacityBlocks)
    writeI64(out, OUT + StatfsOut.blocksAvailable, this.capacityBlocks)
    writeI64(out, OUT + StatfsOut.files, FILES_MAX)
    writeI64(out, OUT + StatfsOut.filesFree, FILES_MAX)
    out.writeUInt32LE(STATFS_BLOCK_BYTES, OUT + StatfsOut.blockBytes)
    out.writeUInt32LE(NAME_BYTES_MAX, OUT + StatfsOut.nameBytesMax)
    out.writeUInt32LE(STATFS_BLOCK_BYTES, OUT + StatfsOut.fragmentBytes)
    return StatfsOut.bytes
  }
}
