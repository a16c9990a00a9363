/**
 * Names: which nodes there are and how they hang together. One set of rules serves the mount and the fold: each change
 * is checked here first (0 or -errno) and then made here, so what the mount accepted cannot be refused by the fold.
 * Nothing here logs, and nothing here knows of pages: a node whose last name goes is handed to the caller.
 */
import { Errno } from './errno.ts'
import { classify, FileClass, refusesLinks } from './file-class.ts'
import { isDirectoryMode, isFileMode, isLinkMode, linksWithoutName, Node, type NodeInit, ROOT_INO } from './node.ts'

const ROOT_MODE = 0o040755
/** Local files are not in the log, so their inodes count down from above: a log never gets there. */
const LOCAL_INO_FIRST = 0xffff_ffff

export class Tree {
  readonly nodes = new Map<number, Node>()
  nextIno = ROOT_INO + 1
  private nextLocalIno = LOCAL_INO_FIRST

  constructor() {
    const root = new Node({
      ino: ROOT_INO,
      fileClass: FileClass.logged,
      mode: ROOT_MODE,
      uid: 0,
      gid: 0,
      target: '',
      at: 0,
    })
    root.nlink = linksWithoutName(root)
    this.nodes.set(ROOT_INO, root)
  }

  node(ino: number): Node | undefined {
    return this.nodes.get(ino)
  }

  /** A directory that has a name, or -errno. */
  directory(ino: number): Node | number {
    const node = this.nodes.get(ino)
    if (!node || node.nlink === 0) return -Errno.ENOENT
    return node.children ? node : -Errno.ENOTDIR
  }

  lookup(parent: number, name: string): number {
    const children = this.nodes.get(parent)?.children
    if (children) return children.get(name) ?? 0
    return this.nodes.has(parent) ? -Errno.ENOTDIR : -Errno.ENOENT
  }

  takeIno(fileClass: FileClass): number {
    return fileClass === FileClass.local ? this.nextLocalIno-- : this.nextIno++
  }

  checkCreate(parent: number, name: string, mode: number): number {
    const directory = this.directory(parent)
    if (typeof directory === 'number') return directory
    if (directory.children!.has(name)) return -Errno.EEXIST
    return isLinkMode(mode) && refusesLinks(directory) ? -Errno.EPERM : 0
  }

  classOf(parent: number, name: string, mode: number): FileClass {
    return classify(this.nodes.get(parent)!, name, isFileMode(mode))
  }

  create(parent: number, name: string, init: NodeInit): Node {
    const node = new Node(init)
    if (node.fileClass !== FileClass.local && node.ino >= this.nextIno) this.nextIno = node.ino + 1
    if (isLinkMode(node.mode)) node.size = Buffer.byteLength(node.target)
    this.nodes.set(node.ino, node)
    node.nlink = linksWithoutName(node)
    this.attach(node, this.nodes.get(parent)!, name, init.at)
    return node
  }

  checkLink(ino: number, parent: number, name: string): number {
    const node = this.nodes.get(ino)
    if (!node || node.nlink === 0) return -Errno.ENOENT
    if (node.children) return -Errno.EPERM
    const free = this.checkCreate(parent, name, node.mode)
    if (free < 0) return free
    return this.staysInClass(node, parent, name) ? 0 : -Errno.EXDEV
  }

  link(ino: number, parent: number, name: string, at: number): void {
    const node = this.nodes.get(ino)!
    this.attach(node, this.nodes.get(parent)!, name, at)
    node.ctimeMs = at
  }

  checkUnlink(parent: number, name: string): number {
    const node = this.child(parent, name)
    if (typeof node === 'number') return node
    return node.children ? -Errno.EISDIR : 0
  }

  checkRmdir(parent: number, name: string): number {
    const node = this.child(parent, name)
    if (typeof node === 'number') return node
    if (!node.children) return -Errno.ENOTDIR
    return node.children.size > 0 ? -Errno.ENOTEMPTY : 0
  }

  /** Takes the name away. The node returned may have no name left: see `forgetIfUnused`. */
  remove(parent: number, name: string, at: number): Node {
    const node = this.child(parent, name) as Node
    this.detach(node, this.nodes.get(parent)!, name, at)
    if (node.children) node.nlink = 0
    return node
  }

  checkRename(parent: number, name: string, newParent: number, newName: string, noReplace: boolean): number {
    const node = this.child(parent, name)
    if (typeof node === 'number') return node
    const directory = this.directory(newParent)
    if (typeof directory === 'number') return directory
    const target = this.nodes.get(directory.children!.get(newName) ?? 0)
    if (target && noReplace) return -Errno.EEXIST
    if (node.children && isWithin(directory, node)) return -Errno.EINVAL
    if (!this.staysInClass(node, newParent, newName) || (target && target.isLocal !== node.isLocal)) return -Errno.EXDEV
    return target && target !== node ? checkReplace(node, target) : 0
  }

  /** Moves the node; what stood under the new name is returned as from `remove`. Renaming onto itself changes nothing. */
  rename(parent: number, name: string, newParent: number, newName: string, at: number): Node | undefined {
    const node = this.child(parent, name) as Node
    const directory = this.nodes.get(newParent)!
    const target = this.nodes.get(directory.children!.get(newName) ?? 0)
    if (target === node) return undefined
    const replaced = target ? this.remove(newParent, newName, at) : undefined
    this.detach(node, this.nodes.get(parent)!, name, at)
    this.attach(node, directory, newName, at)
    node.ctimeMs = at
    return replaced
  }

  /** Removes a node that has neither name nor user; true if it did. */
  forgetIfUnused(node: Node): boolean {
    return node.nlink === 0 && node.retains === 0 && this.nodes.delete(node.ino)
  }

  private child(parent: number, name: string): Node | number {
    const directory = this.directory(parent)
    if (typeof directory === 'number') return directory
    const ino = directory.children!.get(name)
    return ino === undefined ? -Errno.ENOENT : this.nodes.get(ino)!
  }

  /** A file cannot move between the log and this machine alone: its bytes would have to follow. */
  private staysInClass(node: Node, parent: number, name: string): boolean {
    return (this.classOf(parent, name, node.mode) === FileClass.local) === node.isLocal
  }

  private attach(node: Node, directory: Node, name: string, at: number): void {
    directory.mtimeMs = directory.ctimeMs = at
    this.place(node, directory, name)
  }

  /** Gives the node a name, and nothing else. */
  place(node: Node, directory: Node, name: string): void {
    directory.children!.set(name, node.ino)
    node.nlink++
    if (!node.children) return
    directory.nlink++
    node.parent = directory
    node.name = name
  }

  private detach(node: Node, directory: Node, name: string, at: number): void {
    directory.children!.delete(name)
    directory.mtimeMs = directory.ctimeMs = at
    node.nlink--
    node.ctimeMs = at
    if (isDirectoryMode(node.mode)) directory.nlink--
  }
}

function checkReplace(node: Node, target: Node): number {
  if (node.children && !target.children) return -Errno.ENOTDIR
  if (!node.children && target.children) return -Errno.EISDIR
  return target.children && target.children.size > 0 ? -Errno.ENOTEMPTY : 0
}

/** True if `directory` is `node` or lies below it. */
function isWithin(directory: Node, node: Node): boolean {
  for (let at: Node | undefined = directory; at; at = at.parent) if (at === node) return true
  return false
}
