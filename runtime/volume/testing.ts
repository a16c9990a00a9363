/**
 * A driver for tests: a volume with its stores in memory, a log that keeps its entries as bytes, and an object store that
 * is a map. It does at once what the FUSE worker and its main thread do over time: fetch, seal, snapshot. Tests that want
 * to do things between the steps of a seal or a snapshot use the volume directly.
 */
import { crc32 } from 'node:zlib'
import { checksum, useChecksum } from '../../events/checksum.ts'
import {
  decodeEntry,
  encodeEntry,
  entrySize,
  type LogEntry,
  PAGE_BYTES,
  WRITE_ENTRY_HEAD_BYTES,
  writeWriteEntryHead,
} from '../../events/log-entry.ts'
import { ROOT_INO } from './node.ts'
import type { SnapshotNames, SnapshotObject } from './snapshot.ts'
import { type LogSink, NEEDS_SEAL, type PageStore, WANTS_BYTES, type Wanted } from './types.ts'
import { type Seal, Volume } from './volume.ts'

// As in production; the portable one would take most of the tests' time.
useChecksum((bytes, before) => crc32(bytes, before))

export const TERM = 7

export class MemoryPages implements PageStore {
  readonly slotCount: number
  reads = 0
  writes = 0
  private readonly slots = new Map<number, Uint8Array>()

  constructor(slotCount: number) {
    this.slotCount = slotCount
  }

  /** Slots ever written. */
  get used(): number {
    return this.slots.size
  }

  read(slot: number, target: Uint8Array, targetOffset: number, pageOffset: number, length: number): void {
    this.reads++
    const page = this.slots.get(slot)
    if (page) target.set(page.subarray(pageOffset, pageOffset + length), targetOffset)
    else target.fill(0, targetOffset, targetOffset + length)
  }

  write(slot: number, source: Uint8Array, sourceOffset: number, pageOffset: number, length: number): void {
    this.writes++
    if (slot < 0 || slot >= this.slotCount) throw new Error(`no slot ${slot}`)
    const page = this.slots.get(slot) ?? new Uint8Array(PAGE_BYTES)
    page.set(source.subarray(sourceOffset, sourceOffset + length), pageOffset)
    this.slots.set(slot, page)
  }
}

export interface Logged {
  readonly entry: LogEntry
  readonly end: number
}

/** Every entry goes through its stored form, so that what is folded is what a log would give back. */
export class MemoryLog implements LogSink {
  end = 0
  nowMs = 1_000
  readonly entries: Logged[] = []

  append(entry: LogEntry): number {
    return this.keep(encodeEntry(entry))
  }

  appendWrite(ino: number, offset: number, source: Uint8Array, from: number, length: number): number {
    const bytes = Buffer.alloc(WRITE_ENTRY_HEAD_BYTES + length)
    writeWriteEntryHead(bytes, 0, ino, offset, length, this.nowMs)
    bytes.set(source.subarray(from, from + length), WRITE_ENTRY_HEAD_BYTES)
    return this.keep(bytes)
  }

  private keep(bytes: Buffer): number {
    if (entrySize(bytes, 0) !== bytes.length) throw new Error('entry size')
    this.end += bytes.length
    this.entries.push({ entry: decodeEntry(bytes, 0)!, end: this.end })
    return this.end
  }
}

/** Object storage: segments by term and number, everything else by key. Names are written once. */
export class MemoryObjects {
  readonly objects = new Map<string, Uint8Array>()
  fetches = 0

  put(key: string, bytes: Uint8Array): void {
    if (this.objects.has(key)) throw new Error(`${key} is written twice`)
    this.objects.set(key, Uint8Array.from(bytes))
  }

  read(wanted: Wanted): Uint8Array {
    this.fetches++
    const page = wanted.kind === 'page'
    const key = page ? segmentName(wanted.location.segmentTerm, wanted.location.segmentNumber) : wanted.key
    const offset = page ? wanted.location.slot * PAGE_BYTES : wanted.offset
    const bytes = this.objects.get(key)?.slice(offset, offset + (page ? PAGE_BYTES : wanted.length))
    if (!bytes) throw new Error(`no object ${key}`)
    if (page && checksum(bytes) !== wanted.location.checksum) throw new Error(`${key}: checksum`)
    return bytes
  }

  deliver(volume: Volume): void {
    for (const wanted of volume.wanted) {
      if (!volume.deliver(wanted, this.read(wanted))) throw new Error('delivered bytes were refused')
    }
  }
}

export function segmentName(term: number, number: number): string {
  return `segment/${term}/${number}`
}

export interface DriverOptions {
  readonly slotCount?: number
  readonly objects?: MemoryObjects
  readonly log?: MemoryLog
  /** Numbers start after this, as they do in a term of its own. */
  readonly term?: number
}

const ROUNDS_MAX = 1000

export class Driver {
  readonly pages: MemoryPages
  readonly local = new MemoryPages(1_000_000)
  readonly log: MemoryLog
  readonly objects: MemoryObjects
  readonly volume: Volume
  readonly term: number
  lastNumber = 0
  seals = 0
  /** What to do when the volume needs a seal. */
  whenFull = (): void => this.sealAll(true)

  constructor(options: DriverOptions = {}) {
    this.pages = new MemoryPages(options.slotCount ?? 64)
    this.objects = options.objects ?? new MemoryObjects()
    this.log = options.log ?? new MemoryLog()
    this.term = options.term ?? TERM
    this.volume = new Volume({ pages: this.pages, local: this.local })
  }

  /** A new volume that serves. */
  static serving(options: DriverOptions = {}): Driver {
    const driver = new Driver(options)
    driver.serve()
    return driver
  }

  /** Another volume over the same objects, folded from a snapshot, if given, and log entries. */
  static folded(objects: MemoryObjects, entries: readonly Logged[], fileTable?: Uint8Array, slotCount = 4096): Driver {
    const driver = new Driver({ objects, slotCount, term: TERM + 1 })
    const begin = fileTable ? driver.volume.restore(fileTable) : 0
    for (const { entry, end } of entries) if (end > begin) driver.apply(entry, end)
    return driver
  }

  serve(): void {
    this.volume.attachLog(this.log)
  }

  apply(entry: LogEntry, end: number): void {
    const result = this.run(() => this.volume.apply(entry, end))
    if (result !== 0) throw new Error(`fold: ${result}`)
  }

  /** Repeats the operation until it lacks nothing. */
  run(operation: () => number): number {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const result = operation()
      if (result === WANTS_BYTES) this.objects.deliver(this.volume)
      else if (result === NEEDS_SEAL) this.whenFull()
      else return result
    }
    throw new Error('no end of what is wanted')
  }

  /** Captures one seal with its bytes. */
  capture(includeLogged = false, pageCountMax = 512): { seal: Seal; bytes: Uint8Array } | undefined {
    const seal = this.volume.beginSeal(pageCountMax, { includeLogged })
    if (!seal) return undefined
    const bytes = new Uint8Array(seal.pageCount * PAGE_BYTES)
    this.volume.readSeal(seal, bytes)
    return { seal, bytes }
  }

  complete({ seal, bytes }: { seal: Seal; bytes: Uint8Array }): number {
    const number = ++this.lastNumber
    this.objects.put(segmentName(this.term, number), bytes)
    return this.volume.completeSeal(seal, this.term, number)
  }

  sealAll(includeLogged = false): void {
    for (let captured = this.capture(includeLogged); captured; captured = this.capture(includeLogged)) {
      this.seals++
      this.complete(captured)
    }
  }

  readonly names: SnapshotNames = {
    index: () => `index/${this.term}/${++this.lastNumber}`,
    segment: () => {
      const number = ++this.lastNumber
      return { key: segmentName(this.term, number), term: this.term, number }
    },
  }

  /** Takes a snapshot of the present; its objects are stored, but the volume has not heard of it. */
  takeSnapshot(): readonly SnapshotObject[] {
    this.run(() => this.volume.prepareSnapshot())
    const objects = this.volume.takeSnapshot(this.log.end, this.names)
    for (const { key, bytes } of objects) this.objects.put(key, bytes)
    return objects
  }

  /** Takes and stores a snapshot; its file table is returned. */
  snapshot(): Uint8Array {
    const table = this.takeSnapshot().at(-1)!.bytes
    this.volume.snapshotStored(true)
    return table
  }

  // ---- shorthand -------------------------------------------------------------------------------------------------------

  /** Inode of a path below the root; 0 if there is none. */
  ino(path: string): number {
    let ino = ROOT_INO
    for (const name of path.split('/').filter(Boolean)) {
      ino = this.volume.lookup(ino, name)
      if (ino <= 0) return 0
    }
    return ino
  }

  make(path: string, mode = 0o100600, target?: string): number {
    const at = path.lastIndexOf('/')
    const parent = this.ino(path.slice(0, Math.max(at, 0)))
    return this.volume.create(parent, path.slice(at + 1), mode, 70, 70, target)
  }

  makeDirectories(...paths: string[]): void {
    for (const path of paths) if (this.make(path, 0o040700) < 0) throw new Error(path)
  }

  write(ino: number, offset: number, data: Uint8Array): number {
    return this.run(() => this.volume.write(ino, offset, data, 0, data.length))
  }

  truncate(ino: number, size: number): number {
    return this.run(() => this.volume.truncate(ino, size))
  }

  read(ino: number, offset: number, length: number): Uint8Array {
    const target = new Uint8Array(length)
    const count = this.run(() => this.volume.read(ino, offset, length, target, 0))
    if (count < 0) throw new Error(`read: ${count}`)
    return target.subarray(0, count)
  }

  /** The whole file, as text for comparisons that a person can read. */
  content(ino: number): Buffer {
    const { size } = this.volume.node(ino)!
    const parts: Uint8Array[] = []
    for (let at = 0; at < size; at += PAGE_BYTES) parts.push(Uint8Array.from(this.read(ino, at, PAGE_BYTES)))
    return Buffer.concat(parts)
  }

  /** All that a reader of the volume can see of what is durable: paths, modes, owners, links and content. */
  image(): Map<string, string> {
    const image = new Map<string, string>()
    const walk = (ino: number, path: string): void => {
      const node = this.volume.node(ino)!
      const { mode, uid, gid, nlink, target, size } = node
      const content = node.children || target ? '' : `${size} ${checksum(this.content(ino)).toString(16)}`
      // Links of a directory count local ones too.
      image.set(path, [mode.toString(8), uid, gid, node.children ? '' : nlink, target, content].join(' '))
      for (const [name, child] of [...(node.children ?? [])].sort()) {
        if (this.volume.fileClass(child) !== 3) walk(child, `${path}/${name}`)
      }
    }
    walk(ROOT_INO, '')
    return image
  }
}

/** A page's worth of one byte, or as many as asked for. */
export function filled(byte: number, length = PAGE_BYTES): Uint8Array {
  return new Uint8Array(length).fill(byte)
}
