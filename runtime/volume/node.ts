/**
 * One file, directory or symbolic link, and what a regular file's pages are. Plain state: every rule about it stands in
 * the parts that change it (tree.ts, content.ts). Nothing here is in the log; all of it is the fold of the log, but for
 * what only this process knows (cached pages, retains, local files).
 */
import type { ServedNode } from '../fuse/served-volume.ts'
import type { Chunk } from './chunk.ts'
import { FileClass } from './file-class.ts'

export const ROOT_INO = 1
const S_IFMT = 0o170000
const S_IFDIR = 0o040000
const S_IFREG = 0o100000
const S_IFLNK = 0o120000

export const isDirectoryMode = (mode: number): boolean => (mode & S_IFMT) === S_IFDIR
export const isFileMode = (mode: number): boolean => (mode & S_IFMT) === S_IFREG
export const isLinkMode = (mode: number): boolean => (mode & S_IFMT) === S_IFLNK
/** The type bits of `mode` with the permissions of `permissions`. */
export const withPermissions = (mode: number, permissions: number): number => (mode & S_IFMT) | (permissions & ~S_IFMT)

/** Links of a node that stands nowhere yet: a directory's own ".", and the root's "..". */
export function linksWithoutName(node: Node): number {
  return node.children ? (node.ino === ROOT_INO ? 2 : 1) : 0
}

export interface NodeInit {
  readonly ino: number
  readonly fileClass: FileClass
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly target: string
  readonly at: number
}

export class Node implements ServedNode {
  readonly ino: number
  readonly fileClass: FileClass
  readonly target: string
  readonly children: Map<string, number> | undefined
  /** Of regular files. */
  readonly body: FileBody | undefined
  mode: number
  uid: number
  gid: number
  size = 0
  nlink = 0
  mtimeMs: number
  ctimeMs: number
  /** Where a directory stands; a file may stand in several places and has neither. */
  parent: Node | undefined
  name = ''
  /** Log position after the last entry about this node: what its fsync waits for. */
  position = 0
  /** Uses by the kernel, which keep a node alive without a name. */
  retains = 0

  constructor(init: NodeInit) {
    this.ino = init.ino
    this.fileClass = init.fileClass
    this.mode = init.mode
    this.uid = init.uid
    this.gid = init.gid
    this.target = init.target
    this.mtimeMs = init.at
    this.ctimeMs = init.at
    this.children = isDirectoryMode(init.mode) ? new Map() : undefined
    this.body = isFileMode(init.mode) ? new FileBody(this) : undefined
  }

  get isLocal(): boolean {
    return this.fileClass === FileClass.local
  }
}

const NO_PAGES = new Int32Array(0)
const PAGES_MIN = 4

/** The pages of a regular file. */
export class FileBody {
  readonly node: Node
  /** Block / 512 → its part of the page table. */
  readonly chunks: Array<Chunk | undefined> = []
  /** Pages newer than log and segments. */
  dirtyPages = 0
  /** The size that the log states: a paged file may have grown since. */
  loggedSize = 0
  /** Block at which a sequential reader goes on. */
  nextRead = -1
  /** Block → 1 + cache slot, or −(1 + local slot), or 0. */
  private pages: Int32Array = NO_PAGES

  constructor(node: Node) {
    this.node = node
  }

  /** Nothing of it will be durable: a local file, or one that has lost its last name. */
  get isPrivate(): boolean {
    return this.node.fileClass === FileClass.local || this.node.nlink === 0
  }

  /** Blocks below which pages may be present. */
  get blockLimit(): number {
    return this.pages.length
  }

  page(block: number): number {
    return block < this.pages.length ? this.pages[block]! : 0
  }

  setPage(block: number, page: number): void {
    if (block >= this.pages.length) {
      if (page === 0) return
      const grown = new Int32Array(Math.max(PAGES_MIN, this.pages.length * 2, block + 1))
      grown.set(this.pages)
      this.pages = grown
    }
    this.pages[block] = page
  }

  /** Gives back what pages from `block` on took. They must be absent. */
  trimPages(block: number): void {
    if (block === 0) this.pages = NO_PAGES
    else if (block < this.pages.length / 4) this.pages = this.pages.slice(0, block)
  }
}
