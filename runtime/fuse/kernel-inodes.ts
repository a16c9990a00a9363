/**
 * Which inodes the kernel may still name, and the replies that name them. Every entry we send adds to the kernel's
 * lookup count of that inode, every FORGET takes away; while the count is above zero the volume keeps the inode, even
 * without a name. An open file cannot be forgotten, so this alone is what makes unlinked files live until closed.
 */
import { Errno } from './protocol.ts'
import type { ServedNode, ServedVolume } from './served-volume.ts'
import { ATTR_OUT_BYTES, ENTRY_OUT_BYTES, OUT, writeAttrOut, writeEntryOut, writeNegativeEntryOut } from './structs.ts'

export class KernelInodes {
  private readonly volume: ServedVolume
  private readonly validSeconds: number
  private readonly lookups = new Map<number, number>()

  constructor(volume: ServedVolume, validSeconds: number) {
    this.volume = volume
    this.validSeconds = validSeconds
  }

  /** Inodes that the kernel knows, the root aside. */
  get count(): number {
    return this.lookups.size
  }

  /** Puts fuse_entry_out of `node` at `at` and counts the lookup that the kernel takes it for. */
  putEntry(out: Buffer, at: number, node: ServedNode): void {
    const count = this.lookups.get(node.ino) ?? 0
    if (count === 0) this.volume.retain(node.ino)
    this.lookups.set(node.ino, count + 1)
    writeEntryOut(out, at, node, this.validSeconds)
  }

  forget(ino: number, lookups: number): void {
    const count = this.lookups.get(ino)
    if (count === undefined) return
    if (count > lookups) {
      this.lookups.set(ino, count - lookups)
      return
    }
    this.lookups.delete(ino)
    this.volume.release(ino)
  }

  /** The kernel is gone, with all that it knew. */
  forgetAll(): void {
    for (const ino of this.lookups.keys()) this.volume.release(ino)
    this.lookups.clear()
  }

  /** Reply of `ino`, an inode that was just found or made. */
  entryReply(out: Buffer, ino: number): number {
    const node = this.volume.node(ino)
    if (!node) return -Errno.ESTALE
    this.putEntry(out, OUT, node)
    return ENTRY_OUT_BYTES
  }

  /** Reply that the name does not exist, in the form that the kernel remembers if it may. */
  absentReply(out: Buffer): number {
    if (this.validSeconds === 0) return -Errno.ENOENT
    writeNegativeEntryOut(out, OUT, this.validSeconds)
    return ENTRY_OUT_BYTES
  }

  /** Reply with the attributes of `ino`; ESTALE, on which the kernel looks the path up anew, if it is gone. */
  attributesReply(out: Buffer, ino: number): number {
    const node = this.volume.node(ino)
    if (!node) return -Errno.ESTALE
    writeAttrOut(out, OUT, node, this.validSeconds)
    return ATTR_OUT_BYTES
  }
}
