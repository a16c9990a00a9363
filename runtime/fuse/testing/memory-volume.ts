/**
 * A volume of a hundred lines, for tests of the server: files are buffers, nothing is durable, and a test can make any
 * file lack its bytes or its room. It does what `ServedVolume` promises and not a step more, so a test that passes here
 * rests on the promise and not on the real volume. Never used by Loch itself.
 */
import { NEEDS_SEAL, WANTS_BYTES } from '../../volume/types.ts'
import { Errno, MODE_BITS, ROOT_INO, S_IFDIR, S_IFMT } from '../protocol.ts'
import type { ServedNode, ServedVolume } from '../served-volume.ts'

const EISDIR = 21
const ENOTEMPTY = 39

/** Every inode is made at this time, so that encoded times can be compared. */
export const BORN_MS = 1_700_000_000_250

interface MemoryNode extends ServedNode {
  mode: number
  uid: number
  gid: number
  size: number
  nlink: number
  mtimeMs: number
  ctimeMs: number
  readonly children: Map<string, number> | undefined
  data: Buffer
  retained: number
}

export class MemoryVolume implements ServedVolume {
  readonly nodes = new Map<number, MemoryNode>()
  /** Files whose bytes are not here: whatever touches them wants bytes. */
  readonly lacking = new Set<number>()
  /** True while no page slot is free: every write needs a seal. */
  full = false
  /** If set, writes in the order of their application, one per call. */
  writes: Array<{ readonly ino: number; readonly offset: number; readonly bytes: Buffer }> | undefined
  private lastIno = ROOT_INO

  constructor() {
    this.nodes.set(ROOT_INO, newNode(ROOT_INO, S_IFDIR | 0o777, 0, 0, ''))
  }

  lookup(parent: number, name: string): number {
    const children = this.nodes.get(parent)?.children
    return children ? (children.get(name) ?? 0) : -Errno.ENOTDIR
  }

  node(ino: number): ServedNode | undefined {
    return this.nodes.get(ino)
  }

  create(parent: number, name: string, mode: number, uid: number, gid: number, target = ''): number {
    const children = this.nodes.get(parent)?.children
    if (!children) return -Errno.ENOTDIR
    if (children.has(name)) return -Errno.EEXIST
    const ino = ++this.lastIno
    this.nodes.set(ino, newNode(ino, mode, uid, gid, target))
    children.set(name, ino)
    return ino
  }

  unlink(parent: number, name: string): number {
    return this.remove(parent, name, false)
  }

  rmdir(parent: number, name: string): number {
    return this.remove(parent, name, true)
  }

  rename(parent: number, name: string, newParent: number, newName: string, noReplace: boolean): number {
    const ino = this.lookup(parent, name)
    if (ino <= 0) return ino === 0 ? -Errno.ENOENT : ino
    const replaced = this.lookup(newParent, newName)
    if (replaced < 0) return replaced
    if (replaced > 0 && noReplace) return -Errno.EEXIST
    if (replaced > 0) this.remove(newParent, newName, this.nodes.get(replaced)!.children !== undefined)
    this.nodes.get(parent)!.children!.delete(name)
    this.nodes.get(newParent)!.children!.set(newName, ino)
    return 0
  }

  link(ino: number, parent: number, name: string): number {
    const node = this.nodes.get(ino)
    const children = this.nodes.get(parent)?.children
    if (!node || !children) return -Errno.ENOENT
    if (children.has(name)) return -Errno.EEXIST
    children.set(name, ino)
    node.nlink++
    return 0
  }

  setAttributes(ino: number, mode: number, uid: number, gid: number, mtimeMs: number): number {
    const node = this.nodes.get(ino)
    if (!node) return -Errno.ESTALE
    Object.assign(node, { mode: (node.mode & S_IFMT) | (mode & MODE_BITS), uid, gid, mtimeMs })
    return 0
  }

  truncate(ino: number, size: number): number {
    if (this.lacking.has(ino)) return WANTS_BYTES
    const node = this.nodes.get(ino)
    if (!node) return -Errno.ESTALE
    resize(node, size)
    return 0
  }

  allocate(ino: number, offset: number, length: number): number {
    const node = this.nodes.get(ino)
    if (!node) return -Errno.ESTALE
    resize(node, Math.max(node.size, offset + length))
    return 0
  }

  read(ino: number, offset: number, length: number, target: Uint8Array, targetOffset: number): number {
    if (this.lacking.has(ino)) return WANTS_BYTES
    const node = this.nodes.get(ino)
    if (!node) return -Errno.ESTALE
    if (node.children) return -EISDIR
    if (offset >= node.size) return 0
    return node.data.copy(target, targetOffset, offset, Math.min(offset + length, node.size))
  }

  write(ino: number, offset: number, source: Uint8Array, from: number, length: number): number {
    if (this.full) return NEEDS_SEAL
    if (this.lacking.has(ino)) return WANTS_BYTES
    const node = this.nodes.get(ino)
    if (!node) return -Errno.ESTALE
    this.writes?.push({ ino, offset, bytes: Buffer.from(source.subarray(from, from + length)) })
    resize(node, Math.max(node.size, offset + length))
    node.data.set(source.subarray(from, from + length), offset)
    return length
  }

  retain(ino: number): void {
    this.nodes.get(ino)!.retained++
  }

  release(ino: number): void {
    this.nodes.get(ino)!.retained--
    this.dropUnused(ino)
  }

  /** How often the server holds an inode: never more than once, and not at all once the kernel has forgotten it. */
  retained(ino: number): number {
    return this.nodes.get(ino)?.retained ?? 0
  }

  private remove(parent: number, name: string, directory: boolean): number {
    const ino = this.lookup(parent, name)
    if (ino <= 0) return ino === 0 ? -Errno.ENOENT : ino
    const node = this.nodes.get(ino)!
    if (directory && !node.children) return -Errno.ENOTDIR
    if (!directory && node.children) return -EISDIR
    if (node.children && node.children.size > 0) return -ENOTEMPTY
    this.nodes.get(parent)!.children!.delete(name)
    node.nlink = directory ? 0 : node.nlink - 1
    this.dropUnused(ino)
    return 0
  }

  private dropUnused(ino: number): void {
    const node = this.nodes.get(ino)!
    if (node.nlink === 0 && node.retained === 0) this.nodes.delete(ino)
  }
}

function newNode(ino: number, mode: number, uid: number, gid: number, target: string): MemoryNode {
  const directory = (mode & S_IFMT) === S_IFDIR
  return {
    ino,
    mode,
    uid,
    gid,
    target,
    size: Buffer.byteLength(target),
    nlink: directory ? 2 : 1,
    mtimeMs: BORN_MS,
    ctimeMs: BORN_MS,
    children: directory ? new Map() : undefined,
    data: Buffer.alloc(0),
    retained: 0,
  }
}

/** Grows with zeros, shrinks for good: what was cut off must not come back. */
function resize(node: MemoryNode, size: number): void {
  if (size > node.data.length) {
    const data = Buffer.alloc(Math.max(size, 2 * node.data.length))
    node.data.copy(data)
    node.data = data
  }
  if (size < node.size) node.data.fill(0, size, node.size)
  node.size = size
}
