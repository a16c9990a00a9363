/**
 * Operations on names: finding, making, linking, renaming and removing. Permissions are the kernel's business
 * (`default_permissions`), and so is the caller's umask; what is left is to hand names and modes to the volume.
 * Each returns the reply's payload bytes, NO_REPLY, or a negative result of the volume.
 */
import { type Exchange, NO_REPLY, withoutPayload } from './exchange.ts'
import type { KernelInodes } from './kernel-inodes.ts'
import {
  Errno,
  MODE_BITS,
  RENAME_NOREPLACE,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  TARGET_BYTES_MAX,
} from './protocol.ts'
import type { ServedVolume } from './served-volume.ts'
import {
  BatchForgetIn,
  ForgetIn,
  ForgetOne,
  IN,
  LinkIn,
  MkdirIn,
  MknodIn,
  OUT,
  Rename2In,
  RenameIn,
} from './structs.ts'
import { isWakeFile, wakeEntryReply } from './wake-file.ts'

export class NamespaceOperations {
  private readonly volume: ServedVolume
  private readonly inodes: KernelInodes

  constructor(volume: ServedVolume, inodes: KernelInodes) {
    this.volume = volume
    this.inodes = inodes
  }

  lookup(x: Exchange): number {
    const named = x.readName(IN)
    if (named < 0) return named
    if (isWakeFile(x.ino, x.name)) return wakeEntryReply(x.out)
    const ino = this.volume.lookup(x.ino, x.name)
    if (ino === 0) return this.inodes.absentReply(x.out)
    return ino < 0 ? ino : this.inodes.entryReply(x.out, ino)
  }

  forget(x: Exchange): number {
    this.inodes.forget(x.ino, x.u64(ForgetIn.lookups))
    return NO_REPLY
  }

  batchForget(x: Exchange): number {
    const count = x.u32(BatchForgetIn.count)
    for (let index = 0; index < count; index++) {
      const at = BatchForgetIn.first + index * ForgetOne.bytes
      this.inodes.forget(x.u64(at + ForgetOne.node), x.u64(at + ForgetOne.lookups))
    }
    return NO_REPLY
  }

  mknod(x: Exchange): number {
    const mode = x.u32(MknodIn.mode)
    // Devices, sockets and pipes have no meaning in a log of files.
    if ((mode & S_IFMT) !== S_IFREG) return -Errno.EPERM
    const named = x.readName(MknodIn.name)
    return named < 0 ? named : this.make(x, mode)
  }

  mkdir(x: Exchange): number {
    const mode = S_IFDIR | (x.u32(MkdirIn.mode) & MODE_BITS)
    const named = x.readName(MkdirIn.name)
    return named < 0 ? named : this.make(x, mode)
  }

  symlink(x: Exchange): number {
    const named = x.readName(IN)
    if (named < 0) return named
    const { name, nameEnd } = x
    const targeted = x.readName(nameEnd, TARGET_BYTES_MAX)
    if (targeted < 0) return targeted
    const target = x.name
    x.name = name
    return this.make(x, S_IFLNK | 0o777, target)
  }

  private make(x: Exchange, mode: number, target?: string): number {
    const ino = this.create(x, mode, target)
    return ino < 0 ? ino : this.inodes.entryReply(x.out, ino)
  }

  /** Makes a node under the name that was read last; returns its inode, or a negative result. */
  create(x: Exchange, mode: number, target?: string): number {
    if (isWakeFile(x.ino, x.name)) return -Errno.EEXIST
    const parent = this.volume.node(x.ino)
    if (!parent) return -Errno.ESTALE
    // A set-group-ID directory hands its group down: the one rule of creation that the kernel leaves to the server.
    const inherits = (parent.mode & S_ISGID) !== 0
    const ownMode = inherits && (mode & S_IFMT) === S_IFDIR ? mode | S_ISGID : mode
    const gid = inherits ? parent.gid : x.gid
    return this.volume.create(x.ino, x.name, ownMode, x.uid, gid, target)
  }

  readlink(x: Exchange): number {
    const node = this.volume.node(x.ino)
    if (!node) return -Errno.ESTALE
    if ((node.mode & S_IFMT) !== S_IFLNK) return -Errno.EINVAL
    return x.out.write(node.target, OUT, TARGET_BYTES_MAX, 'utf8')
  }

  unlink(x: Exchange): number {
    const named = x.readName(IN)
    if (named < 0) return named
    return isWakeFile(x.ino, x.name) ? -Errno.EPERM : withoutPayload(this.volume.unlink(x.ino, x.name))
  }

  rmdir(x: Exchange): number {
    const named = x.readName(IN)
    if (named < 0) return named
    return isWakeFile(x.ino, x.name) ? -Errno.ENOTDIR : withoutPayload(this.volume.rmdir(x.ino, x.name))
  }

  rename(x: Exchange): number {
    return this.move(x, x.u64(RenameIn.newParent), RenameIn.name, 0)
  }

  rename2(x: Exchange): number {
    return this.move(x, x.u64(Rename2In.newParent), Rename2In.name, x.u32(Rename2In.flags))
  }

  private move(x: Exchange, newParent: number, namesAt: number, flags: number): number {
    if ((flags & ~RENAME_NOREPLACE) !== 0) return -Errno.EINVAL
    const named = x.readName(namesAt)
    if (named < 0) return named
    const { name, nameEnd } = x
    const renamed = x.readName(nameEnd)
    if (renamed < 0) return renamed
    if (isWakeFile(x.ino, name) || isWakeFile(newParent, x.name)) return -Errno.EPERM
    return withoutPayload(this.volume.rename(x.ino, name, newParent, x.name, (flags & RENAME_NOREPLACE) !== 0))
  }

  link(x: Exchange): number {
    const ino = x.u64(LinkIn.node)
    const named = x.readName(LinkIn.name)
    if (named < 0) return named
    if (isWakeFile(x.ino, x.name)) return -Errno.EEXIST
    const linked = this.volume.link(ino, x.ino, x.name)
    return linked < 0 ? linked : this.inodes.entryReply(x.out, ino)
  }
}
