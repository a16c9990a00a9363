/**
 * The fold: what each log entry does to the volume. The mount makes the same changes through the same parts and then logs
 * them, so live volume and fold agree because there is one implementation, not two. An entry that contradicts what the
 * fold has reached means that the log is not the one that was written: it is refused, never skipped.
 */
import type { LogEntry, SealedEntry, TruncatedEntry, WriteEntry } from '../../events/log-entry.ts'
import { Damaged } from '../errors.ts'
import type { Content } from './content.ts'
import { FileClass } from './file-class.ts'
import { forsake } from './forsake.ts'
import { type FileBody, withPermissions } from './node.ts'
import { type PageCache, PageState } from './page-cache.ts'
import type { PageTable } from './page-table.ts'
import type { Tree } from './tree.ts'

type CreatedEntry = Extract<LogEntry, { type: 'created' }>

export class Fold {
  private readonly tree: Tree
  private readonly content: Content
  private readonly cache: PageCache
  private readonly table: PageTable

  constructor(tree: Tree, content: Content, cache: PageCache, table: PageTable) {
    this.tree = tree
    this.content = content
    this.cache = cache
    this.table = table
  }

  /** 0, or WANTS_BYTES or NEEDS_SEAL with nothing changed. */
  apply(entry: LogEntry, end: number): number {
    switch (entry.type) {
      case 'write':
        return this.write(entry, end)
      case 'sealed':
        return this.sealed(entry, end)
      case 'truncated':
        return this.truncated(entry, end)
      case 'created':
        return this.created(entry, end)
      case 'linked':
        this.allow(entry, this.tree.checkLink(entry.ino, entry.parent, entry.name))
        this.tree.link(entry.ino, entry.parent, entry.name, entry.at)
        return this.reached(end, entry.ino, entry.parent)
      case 'unlinked':
        return this.unlinked(entry, end)
      case 'renamed':
        return this.renamed(entry, end)
      case 'attributes':
        return this.attributes(entry, end)
      case 'termStarted':
        return 0
    }
  }

  private write(entry: WriteEntry, end: number): number {
    const body = this.body(entry, entry.ino)
    const { node } = body
    const { offset, data } = entry
    const ready = this.content.prepareWrite(body, offset, data.length)
    if (ready < 0) return ready
    this.content.write(body, offset, data, 0, data.length, PageState.logged)
    node.size = Math.max(node.size, offset + data.length)
    return this.modified(body, entry.at, end)
  }

  private truncated(entry: TruncatedEntry, end: number): number {
    const body = this.body(entry, entry.ino)
    const ready = this.content.prepareCut(body, entry.size)
    if (ready < 0) return ready
    this.content.cut(body, entry.size)
    body.node.size = entry.size
    return this.modified(body, entry.at, end)
  }

  private modified(body: FileBody, at: number, end: number): number {
    const { node } = body
    body.loggedSize = node.size
    node.mtimeMs = node.ctimeMs = at
    node.position = end
    return 0
  }

  /** A logged file's page equals what was sealed, because the log before this entry says so; a paged file's is older. */
  private sealed(entry: SealedEntry, end: number): number {
    const { pages, segmentTerm, segmentNumber } = entry
    for (let at = 0; at < pages.length; at += 4) {
      const body = this.body(entry, pages[at]!)
      const block = pages[at + 1]!
      this.table.set(body, block, segmentTerm, segmentNumber, pages[at + 2]!, pages[at + 3]!)
      const page = body.page(block)
      if (page > 0) this.superseded(body, page - 1)
      body.node.mtimeMs = body.node.ctimeMs = entry.at
      body.node.position = end
    }
    for (const [ino, size] of entry.sizes) {
      const body = this.body(entry, ino)
      body.node.size = size
      body.loggedSize = size
    }
    return 0
  }

  private superseded(body: FileBody, slot: number): void {
    if (body.node.fileClass === FileClass.logged) this.cache.cleaned(slot)
    else this.cache.drop(slot)
  }

  private created(entry: CreatedEntry, end: number): number {
    const { ino, parent, name, mode, uid, gid, target, at } = entry
    this.allow(entry, this.tree.node(ino) ? -1 : this.tree.checkCreate(parent, name, mode))
    const derived = this.tree.classOf(parent, name, mode)
    // It stands in the log, so it is not local, whatever this version thinks of its name.
    const fileClass = derived === FileClass.local ? FileClass.logged : derived
    this.tree.create(parent, name, { ino, fileClass, mode, uid, gid, target, at })
    return this.reached(end, ino, parent)
  }

  private unlinked(entry: Extract<LogEntry, { type: 'unlinked' }>, end: number): number {
    const { parent, name, at } = entry
    const child = this.tree.node(this.tree.lookup(parent, name))
    this.allow(entry, child?.children ? this.tree.checkRmdir(parent, name) : this.tree.checkUnlink(parent, name))
    const removed = this.tree.remove(parent, name, at)
    removed.position = end
    forsake(this.tree, this.content, removed)
    return this.reached(end, parent, parent)
  }

  private renamed(entry: Extract<LogEntry, { type: 'renamed' }>, end: number): number {
    const { parent, name, newParent, newName, at } = entry
    this.allow(entry, this.tree.checkRename(parent, name, newParent, newName, false))
    const moved = this.tree.lookup(parent, name)
    const replaced = this.tree.rename(parent, name, newParent, newName, at)
    if (replaced) forsake(this.tree, this.content, replaced)
    this.reached(end, moved, parent)
    return this.reached(end, newParent, newParent)
  }

  private attributes(entry: Extract<LogEntry, { type: 'attributes' }>, end: number): number {
    const node = this.tree.node(entry.ino)
    if (!node) throw this.refused(entry)
    node.mode = withPermissions(node.mode, entry.mode)
    node.uid = entry.uid
    node.gid = entry.gid
    node.mtimeMs = entry.modifiedAt
    node.ctimeMs = entry.at
    return this.reached(end, entry.ino, entry.ino)
  }

  private reached(end: number, ino: number, other: number): 0 {
    const node = this.tree.node(ino)
    if (node) node.position = end
    const directory = this.tree.node(other)
    if (directory) directory.position = end
    return 0
  }

  private body(entry: LogEntry, ino: number): FileBody {
    const body = this.tree.node(ino)?.body
    if (!body) throw this.refused(entry)
    return body
  }

  private allow(entry: LogEntry, verdict: number): void {
    if (verdict < 0) throw this.refused(entry)
  }

  private refused(entry: LogEntry): Damaged {
    const { at: _, ...what } = entry
    return new Damaged({
      component: 'volume',
      value: JSON.stringify(what, (key, value) => (key === 'data' || key === 'pages' ? value.length : value)),
      problem: 'this log entry contradicts the entries before it',
      remedy: 'The log or the snapshot it is folded onto is damaged: restore the branch to an earlier time.',
    })
  }
}
