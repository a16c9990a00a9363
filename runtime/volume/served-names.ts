/**
 * Operations of the mount on names: check, change, log. The checks and changes are the tree's, which the fold uses too.
 * What concerns local nodes is never logged: whoever folds the log does not see them, and their names do not stand in the
 * way of anything it says, because directories of the log lose them only by the mount's own operations.
 */
import type { LogEntry } from '../../events/log-entry.ts'
import type { Content } from './content.ts'
import { Errno } from './errno.ts'
import { FileClass } from './file-class.ts'
import { forsake } from './forsake.ts'
import { type Node, withPermissions } from './node.ts'
import type { Tree } from './tree.ts'
import type { LogSink } from './types.ts'

export class ServedNames {
  private readonly tree: Tree
  private readonly content: Content
  private readonly sink: LogSink

  constructor(tree: Tree, content: Content, sink: LogSink) {
    this.tree = tree
    this.content = content
    this.sink = sink
  }

  create(parent: number, name: string, mode: number, uid: number, gid: number, target: string): number {
    const { tree } = this
    const verdict = tree.checkCreate(parent, name, mode)
    if (verdict < 0) return verdict
    const fileClass = tree.classOf(parent, name, mode)
    const ino = tree.takeIno(fileClass)
    const at = this.sink.nowMs
    const node = tree.create(parent, name, { ino, fileClass, mode, uid, gid, target, at })
    if (fileClass !== FileClass.local) {
      this.log({ type: 'created', at, ino, parent, name, mode, uid, gid, target }, node, tree.node(parent)!)
    }
    return ino
  }

  unlink(parent: number, name: string): number {
    const verdict = this.tree.checkUnlink(parent, name)
    return verdict < 0 ? verdict : this.remove(parent, name)
  }

  rmdir(parent: number, name: string): number {
    const verdict = this.tree.checkRmdir(parent, name)
    return verdict < 0 ? verdict : this.remove(parent, name)
  }

  private remove(parent: number, name: string): number {
    const at = this.sink.nowMs
    const node = this.tree.remove(parent, name, at)
    if (!node.isLocal) this.log({ type: 'unlinked', at, parent, name }, node, this.tree.node(parent)!)
    forsake(this.tree, this.content, node)
    return 0
  }

  rename(parent: number, name: string, newParent: number, newName: string, noReplace: boolean): number {
    const { tree } = this
    const verdict = tree.checkRename(parent, name, newParent, newName, noReplace)
    if (verdict < 0) return verdict
    const node = tree.node(tree.lookup(parent, name))!
    if (tree.lookup(newParent, newName) === node.ino) return 0
    const at = this.sink.nowMs
    const replaced = tree.rename(parent, name, newParent, newName, at)
    if (!node.isLocal) {
      this.log({ type: 'renamed', at, parent, name, newParent, newName }, node, tree.node(parent)!)
      tree.node(newParent)!.position = node.position
    }
    if (replaced) forsake(tree, this.content, replaced)
    return 0
  }

  link(ino: number, parent: number, name: string): number {
    const verdict = this.tree.checkLink(ino, parent, name)
    if (verdict < 0) return verdict
    const at = this.sink.nowMs
    this.tree.link(ino, parent, name, at)
    const node = this.tree.node(ino)!
    if (!node.isLocal) this.log({ type: 'linked', at, ino, parent, name }, node, this.tree.node(parent)!)
    return 0
  }

  setAttributes(ino: number, mode: number, uid: number, gid: number, mtimeMs: number): number {
    const node = this.tree.node(ino)
    if (!node) return -Errno.ENOENT
    const at = this.sink.nowMs
    node.mode = withPermissions(node.mode, mode)
    node.uid = uid
    node.gid = gid
    node.mtimeMs = mtimeMs
    node.ctimeMs = at
    if (node.isLocal || node.nlink === 0) return 0
    this.log({ type: 'attributes', at, ino, mode, uid, gid, modifiedAt: mtimeMs }, node, node)
    return 0
  }

  private log(entry: LogEntry, node: Node, directory: Node): void {
    node.position = directory.position = this.sink.append(entry)
  }
}
