/**
 * Operations of the mount on the bytes of files: do it, and log what the file's class says must be logged. A write into a
 * logged file is compared with what the file holds, and only what differs is logged: Postgres writes the last page of its
 * log anew at every commit, and most of it is as before.
 */
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { DiskFailed } from '../errors.ts'
import type { Content } from './content.ts'
import { commonPrefix, commonSuffix } from './difference.ts'
import { Errno } from './errno.ts'
import { FileClass } from './file-class.ts'
import type { FileBody, Node } from './node.ts'
import { type PageCache, PageState } from './page-cache.ts'
import { Found, type PageTable } from './page-table.ts'
import type { Tree } from './tree.ts'
import type { LogSink } from './types.ts'

const ZEROS = new Uint8Array(PAGE_BYTES)

export class ServedFiles {
  private readonly tree: Tree
  private readonly content: Content
  private readonly cache: PageCache
  private readonly table: PageTable
  private readonly sink: LogSink

  constructor(tree: Tree, content: Content, cache: PageCache, table: PageTable, sink: LogSink) {
    this.tree = tree
    this.content = content
    this.cache = cache
    this.table = table
    this.sink = sink
  }

  write(ino: number, offset: number, source: Uint8Array, from: number, length: number): number {
    const node = this.tree.node(ino)
    const body = node?.body
    if (!node || !body) return notAFile(node)
    if (length === 0) return 0
    const ready = this.content.prepareWrite(body, offset, length)
    if (ready < 0) return ready
    if (node.fileClass === FileClass.logged && node.nlink > 0) this.writeLogged(body, offset, source, from, length)
    else if (!this.writeUnlogged(body, offset, source, from, length)) return -Errno.ENOSPC
    node.mtimeMs = node.ctimeMs = this.sink.nowMs
    return length
  }

  /** False if a file that is this host's alone finds its disk full: a sort that is too large must not end the database. */
  private writeUnlogged(body: FileBody, offset: number, source: Uint8Array, from: number, length: number): boolean {
    const { node } = body
    try {
      this.content.write(body, offset, source, from, length, PageState.dirty)
    } catch (error) {
      if (!body.isPrivate || !(error instanceof DiskFailed)) throw error
      this.unwrite(body, offset + length)
      return false
    }
    if (offset + length > node.size) node.size = offset + length
    return true
  }

  /** As if all up to `end` had been written and then cut off, or what was written past the file's end would show when it grows. */
  private unwrite(body: FileBody, end: number): void {
    const { node } = body
    const { size } = node
    node.size = Math.max(size, end)
    this.content.cut(body, size)
    node.size = size
  }

  private writeLogged(body: FileBody, offset: number, source: Uint8Array, from: number, length: number): void {
    const { node } = body
    const same = this.sameAtStart(body, offset, source, from, Math.min(length, Math.max(0, node.size - offset)))
    const begin = offset + same
    let end = offset + length
    // What lies past the old end is logged whole: the entry says how long the file is now.
    if (end <= node.size) end -= this.sameAtEnd(body, begin, end, source, from + length)
    if (begin >= end) return
    const first = from + begin - offset
    node.position = this.sink.appendWrite(node.ino, begin, source, first, end - begin)
    this.content.write(body, begin, source, first, end - begin, PageState.logged)
    if (end > node.size) node.size = end
    body.loggedSize = node.size
  }

  /** Bytes at the start of the write that the file has already. Pages that are not here count as different. */
  private sameAtStart(body: FileBody, offset: number, source: Uint8Array, from: number, length: number): number {
    let same = 0
    while (same < length) {
      const block = Math.floor((offset + same) / PAGE_BYTES)
      const within = offset + same - block * PAGE_BYTES
      const count = Math.min(PAGE_BYTES - within, length - same)
      const present = this.present(body, block)
      if (!present) return same
      const equal = commonPrefix(source, from + same, present, within, count)
      same += equal
      if (equal < count) return same
    }
    return same
  }

  /** Bytes at the end of [begin, end) that the file has already; `sourceEnd` is the end of the data in `source`. */
  private sameAtEnd(body: FileBody, begin: number, end: number, source: Uint8Array, sourceEnd: number): number {
    let same = 0
    while (end - same > begin) {
      const block = Math.floor((end - same - 1) / PAGE_BYTES)
      const start = Math.max(begin, block * PAGE_BYTES)
      const count = end - same - start
      const present = this.present(body, block)
      if (!present) return same
      const equal = commonSuffix(source, sourceEnd - same - count, present, start - block * PAGE_BYTES, count)
      same += equal
      if (equal < count) return same
    }
    return same
  }

  /** The block as the file has it now, to look at until the next call; undefined if it is not here. */
  private present(body: FileBody, block: number): Uint8Array | undefined {
    const page = body.page(block)
    if (page > 0) return this.cache.bytes.view(page - 1)
    // Most pages of pg_wal are met as holes: a segment is made at its full size, and a commit fills little of its last page.
    return page === 0 && this.table.find(body, block) === Found.hole ? ZEROS : undefined
  }

  truncate(ino: number, size: number): number {
    const node = this.tree.node(ino)
    const body = node?.body
    if (!node || !body) return notAFile(node)
    if (size === node.size) return 0
    const ready = this.content.prepareCut(body, size)
    if (ready < 0) return ready
    this.content.cut(body, size)
    node.size = size
    const at = this.sink.nowMs
    node.mtimeMs = node.ctimeMs = at
    if (body.isPrivate) return 0
    body.loggedSize = size
    node.position = this.sink.append({ type: 'truncated', at, ino, size })
    return 0
  }

  allocate(ino: number, offset: number, length: number): number {
    const node = this.tree.node(ino)
    if (!node?.body) return notAFile(node)
    return offset + length > node.size ? this.truncate(ino, offset + length) : 0
  }
}

function notAFile(node: Node | undefined): number {
  if (!node) return -Errno.ENOENT
  return node.children ? -Errno.EISDIR : -Errno.EINVAL
}
