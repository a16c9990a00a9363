/**
 * Reading directories. Postgres unlinks files while it reads their directory, so offsets must not shift: reading from
 * the start takes a snapshot of the names, offsets count into it, and names that have gone since are skipped. A file
 * made after the snapshot shows after rewinddir(3), as POSIX allows.
 */
import type { Exchange } from './exchange.ts'
import type { KernelInodes } from './kernel-inodes.ts'
import { Errno, ROOT_INO, S_IFDIR, TRANSFER_BYTES_MAX } from './protocol.ts'
import type { ServedNode, ServedVolume } from './served-volume.ts'
import { direntBytes, ENTRY_OUT_BYTES, OpenOut, OUT, ReadIn, ReleaseIn, writeDirent, writeI64 } from './structs.ts'

/** Offsets 0 and 1 are "." and "..". */
const DOTS = ['.', '..'] as const

export class DirectoryOperations {
  private readonly volume: ServedVolume
  private readonly inodes: KernelInodes
  private readonly snapshots = new Map<number, readonly string[]>()
  private lastHandle = 0

  constructor(volume: ServedVolume, inodes: KernelInodes) {
    this.volume = volume
    this.inodes = inodes
  }

  /** Directories that the kernel has open. */
  get openCount(): number {
    return this.snapshots.size
  }

  opendir(x: Exchange): number {
    const node = this.volume.node(x.ino)
    if (!node) return -Errno.ESTALE
    if (!node.children) return -Errno.ENOTDIR
    const handle = ++this.lastHandle
    this.snapshots.set(handle, [])
    writeI64(x.out, OUT + OpenOut.handle, handle)
    writeI64(x.out, OUT + OpenOut.flags, 0)
    return OpenOut.bytes
  }

  releasedir(x: Exchange): number {
    this.snapshots.delete(x.u64(ReleaseIn.handle))
    return 0
  }

  readdir(x: Exchange): number {
    return this.list(x, 0)
  }

  /** As READDIR, each entry preceded by its attributes; every one but the dots counts as a lookup. */
  readdirplus(x: Exchange): number {
    return this.list(x, ENTRY_OUT_BYTES)
  }

  private list(x: Exchange, entryBytes: number): number {
    const directory = this.volume.node(x.ino)
    const handle = x.u64(ReadIn.handle)
    const offset = x.u64(ReadIn.offset)
    if (offset === 0 && directory?.children) this.snapshots.set(handle, [...directory.children.keys()])
    const names = this.snapshots.get(handle)
    if (!names) return -Errno.EINVAL
    const limit = OUT + Math.min(x.u32(ReadIn.size), TRANSFER_BYTES_MAX)
    let at = OUT
    for (let index = offset; index < names.length + DOTS.length; index++) {
      const bytes = this.put(x, directory, index, names, at, limit, entryBytes)
      if (bytes < 0) break
      at += bytes
    }
    return at - OUT
  }

  /** Puts the entry of `index` at `at`: its bytes, 0 if the name has gone, -1 if it does not fit. */
  private put(
    x: Exchange,
    directory: ServedNode | undefined,
    index: number,
    names: readonly string[],
    at: number,
    limit: number,
    entryBytes: number,
  ): number {
    const dot = DOTS[index]
    const name = dot ?? names[index - DOTS.length]!
    const ino = dot === undefined ? (directory?.children?.get(name) ?? 0) : dotInode(x.ino, dot)
    if (ino === 0) return 0
    const bytes = entryBytes + direntBytes(Buffer.byteLength(name))
    if (at + bytes > limit) return -1
    const node = dot === undefined ? this.volume.node(ino) : undefined
    if (dot === undefined && !node) return 0
    if (entryBytes > 0 && node) this.inodes.putEntry(x.out, at, node)
    // Node number 0: the kernel takes the name and counts no lookup.
    else if (entryBytes > 0) x.out.fill(0, at, at + entryBytes)
    writeDirent(x.out, at + entryBytes, ino, node?.mode ?? S_IFDIR, index + 1, name)
    return bytes
  }
}

/** `d_ino` of the dots is informative only; the kernel walks ".." by itself and the volume keeps no parents. */
function dotInode(ino: number, dot: (typeof DOTS)[number]): number {
  return dot === '.' ? ino : ROOT_INO
}
