/**
 * The volume: what a branch's log amounts to, and what Postgres's mount sees. Synchronous, and without thread, clock or
 * I/O of its own: its driver brings log entries, page bytes and time, and takes away what is to be stored. The FUSE worker
 * drives it in production and the simulator drives the same code.
 *
 *   fold      `apply` entry after entry; then either go on for ever (a replica) or `attachLog` and serve
 *   serve     the operations of ServedVolume append what they did to the log; an fsync waits for `lastPosition`, and for
 *             seals until `isClean`
 *   lack      WANTS_BYTES: fetch and deliver what `wanted` names. NEEDS_SEAL: seal. Then repeat the operation.
 *   store     `beginSeal`, `readSeal`, store, `completeSeal`; now and then `prepareSnapshot`, `takeSnapshot`, store,
 *             `snapshotStored`
 *
 * This file only joins the parts: names (tree.ts), bytes (content.ts, page-cache.ts, page-table.ts), and what turns one
 * into the other (fold.ts, served-names.ts, served-files.ts, sealing.ts, snapshot.ts).
 */
import type { LogEntry } from '../../events/log-entry.ts'
import type { ServedNode, ServedVolume } from '../fuse/served-volume.ts'
import { Content } from './content.ts'
import { Errno } from './errno.ts'
import type { FileClass } from './file-class.ts'
import { Fold } from './fold.ts'
import { forsake } from './forsake.ts'
import { Lacking } from './lacking.ts'
import { LocalPages } from './local-pages.ts'
import { PageCache } from './page-cache.ts'
import { PageTable } from './page-table.ts'
import { type CaptureMark, type Seal, Sealing, type SealOptions } from './sealing.ts'
import { ServedFiles } from './served-files.ts'
import { ServedNames } from './served-names.ts'
import { type SnapshotNames, type SnapshotObject, Snapshots } from './snapshot.ts'
import { Tree } from './tree.ts'
import type { LogSink, PageStore, Wanted } from './types.ts'

export type { Seal } from './sealing.ts'

export interface VolumeOptions {
  /** The bounded cache. It should hold several of the largest requests: 128 pages each on a FUSE mount. */
  readonly pages: PageStore
  /** For files that are never durable. Its slots are used from 0 on, as few as possible. */
  readonly local: PageStore
}

export class Volume implements ServedVolume {
  private readonly tree = new Tree()
  private readonly table = new PageTable()
  private readonly cache: PageCache
  private readonly sealing: Sealing
  private readonly lacking: Lacking
  private readonly content: Content
  private readonly folding: Fold
  private readonly snapshots: Snapshots
  private names: ServedNames | undefined
  private files: ServedFiles | undefined
  private sink: LogSink | undefined

  constructor({ pages, local }: VolumeOptions) {
    const { tree, table } = this
    const localPages = new LocalPages(local)
    this.cache = new PageCache(pages, localPages)
    this.sealing = new Sealing(this.cache, table)
    this.lacking = new Lacking(this.cache, table)
    this.content = new Content(this.cache, localPages, table, this.sealing, this.lacking)
    this.folding = new Fold(tree, this.content, this.cache, table)
    this.snapshots = new Snapshots(tree, this.cache, table)
  }

  // ---- fold ------------------------------------------------------------------------------------------------------------

  /** Makes a new volume what a snapshot's file table says; the log from the returned position on is to be folded next. */
  restore(fileTable: Uint8Array): number {
    return this.snapshots.restore(fileTable)
  }

  /** Applies the entry that ends at `endPosition`. 0, WANTS_BYTES or NEEDS_SEAL. */
  apply(entry: LogEntry, endPosition: number): number {
    if (this.sink) throw new Error('defect: a volume that writes the log cannot fold it')
    return this.folding.apply(entry, endPosition)
  }

  /** What the operation lacks that returned WANTS_BYTES last. */
  get wanted(): readonly Wanted[] {
    return this.lacking.wanted
  }

  /**
   * Brings what was wanted. False if the bytes are damaged. Bytes that nobody needs any more, because what they are of has
   * changed or gone, are ignored, and so are those for which there is no room: whoever still lacks them wants them again.
   */
  deliver(wanted: Wanted, bytes: Uint8Array): boolean {
    if (wanted.kind === 'index') return this.table.deliver(wanted.key, wanted.offset, bytes)
    const body = this.tree.node(wanted.ino)?.body
    return body ? this.lacking.deliver(body, wanted.block, wanted.location, bytes) : true
  }

  // ---- seals and snapshots ---------------------------------------------------------------------------------------------

  /** Dirty pages that no seal in flight has captured. */
  get dirtyPageCount(): number {
    return this.cache.dirtyPageCount
  }

  beginSeal(pageCountMax: number, options: SealOptions): Seal | undefined {
    return this.sealing.begin(pageCountMax, options)
  }

  /** For `hasCaptured`: what is there to be sealed now. */
  captureMark(): CaptureMark {
    return this.sealing.mark()
  }

  /** True if seals have captured all that was there to be sealed when the mark was made. */
  hasCaptured(mark: CaptureMark, options: SealOptions): boolean {
    return this.sealing.hasCaptured(mark, options)
  }

  /** Copies the captured pages, 8192 bytes each, into `buffer`. To be called right after `beginSeal`. */
  readSeal(seal: Seal, buffer: Uint8Array): void {
    this.sealing.read(seal, buffer)
  }

  /** The pages stand in that segment. Returns the log position that makes it so. */
  completeSeal(seal: Seal, segmentTerm: number, segmentNumber: number): number {
    const sink = this.requireSink()
    const entry = this.sealing.complete(seal, segmentTerm, segmentNumber, sink.nowMs)
    if (!entry) return sink.end
    const position = sink.append(entry)
    for (let at = 0; at < entry.pages.length; at += 4) this.tree.node(entry.pages[at]!)!.position = position
    return position
  }

  abandonSeal(seal: Seal): void {
    this.sealing.abandon(seal)
  }

  /** True if `takeSnapshot` may be called now. If not: `prepareSnapshot`, and seal with `includeLogged`. */
  get canSnapshot(): boolean {
    return this.snapshots.canTake
  }

  /** 0, or WANTS_BYTES: parts of the page table that the snapshot needs are not here. */
  prepareSnapshot(): number {
    const result = this.snapshots.prepare()
    this.lacking.wanted = this.snapshots.wanted
    return result
  }

  /** The image at `position`, the end of the log. One at a time: `snapshotStored` ends it. */
  takeSnapshot(position: number, names: SnapshotNames): readonly SnapshotObject[] {
    if (this.sink && this.sink.end !== position) throw new Error('defect: a snapshot is of the end of the log')
    return this.snapshots.take(position, names)
  }

  snapshotStored(ok: boolean): void {
    this.snapshots.stored(ok)
  }

  // ---- serving ---------------------------------------------------------------------------------------------------------

  /** The log goes on with what this volume does: every operation below appends to `sink`. Before, they are refused. */
  attachLog(sink: LogSink): void {
    this.sink = sink
    this.names = new ServedNames(this.tree, this.content, sink)
    this.files = new ServedFiles(this.tree, this.content, this.cache, this.table, sink)
  }

  /** True if the log alone makes the file durable: no page of it waits to be sealed. */
  isClean(ino: number): boolean {
    const body = this.tree.node(ino)?.body
    return !body || body.isPrivate || body.dirtyPages === 0
  }

  /** Log position after the last entry about this file or directory. */
  lastPosition(ino: number): number {
    return this.tree.node(ino)?.position ?? 0
  }

  /** Whether the file's pages are sealed, logged or neither; undefined if there is no such file. */
  fileClass(ino: number): FileClass | undefined {
    return this.tree.node(ino)?.fileClass
  }

  lookup(parent: number, name: string): number {
    return this.tree.lookup(parent, name)
  }

  node(ino: number): ServedNode | undefined {
    return this.tree.node(ino)
  }

  create(parent: number, name: string, mode: number, uid: number, gid: number, target = ''): number {
    return this.names?.create(parent, name, mode, uid, gid, target) ?? -Errno.EROFS
  }

  unlink(parent: number, name: string): number {
    return this.names?.unlink(parent, name) ?? -Errno.EROFS
  }

  rmdir(parent: number, name: string): number {
    return this.names?.rmdir(parent, name) ?? -Errno.EROFS
  }

  rename(parent: number, name: string, newParent: number, newName: string, noReplace: boolean): number {
    return this.names?.rename(parent, name, newParent, newName, noReplace) ?? -Errno.EROFS
  }

  link(ino: number, parent: number, name: string): number {
    return this.names?.link(ino, parent, name) ?? -Errno.EROFS
  }

  setAttributes(ino: number, mode: number, uid: number, gid: number, mtimeMs: number): number {
    return this.names?.setAttributes(ino, mode, uid, gid, mtimeMs) ?? -Errno.EROFS
  }

  truncate(ino: number, size: number): number {
    return this.files?.truncate(ino, size) ?? -Errno.EROFS
  }

  allocate(ino: number, offset: number, length: number): number {
    return this.files?.allocate(ino, offset, length) ?? -Errno.EROFS
  }

  read(ino: number, offset: number, length: number, target: Uint8Array, targetOffset: number): number {
    const node = this.tree.node(ino)
    if (!node?.body) return node ? -Errno.EISDIR : -Errno.ENOENT
    const count = Math.min(length, node.size - offset)
    if (count <= 0) return 0
    const ready = this.content.read(node.body, offset, count, target, targetOffset)
    return ready < 0 ? ready : count
  }

  write(ino: number, offset: number, source: Uint8Array, from: number, length: number): number {
    return this.files?.write(ino, offset, source, from, length) ?? -Errno.EROFS
  }

  retain(ino: number): void {
    const node = this.tree.node(ino)
    if (node) node.retains++
  }

  release(ino: number): void {
    const node = this.tree.node(ino)
    if (!node || node.retains === 0) return
    node.retains--
    forsake(this.tree, this.content, node)
  }

  private requireSink(): LogSink {
    if (!this.sink) throw new Error('defect: this volume writes no log')
    return this.sink
  }
}
