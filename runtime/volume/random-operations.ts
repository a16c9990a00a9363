/**
 * Random use of a volume for property tests: operations as data (so that a failure shrinks), an interpreter that drives a
 * volume and a trivial model side by side, and the model itself. The model knows of no pages, seals or log: a file is an
 * array of bytes.
 */
import * as fc from 'fast-check'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { FileClass } from './file-class.ts'
import { firstDifference, ModelFile } from './model-file.ts'
import { isDirectoryMode, ROOT_INO } from './node.ts'
import { Driver } from './testing.ts'

/** Files of every class; the last are directories. Names move among them by rename and link. */
export const PATHS = [
  'pg_wal/1',
  'pg_wal/2',
  'small',
  'base/5/100',
  'base/5/100.1',
  'base/5/101_fsm',
  'global/1262',
  'base/5/t3_77',
  'pg_stat_tmp/x',
  'base/pgsql_tmp',
  'base/pgsql_tmp/9.0',
  'base/6',
  'base/6/100',
] as const

/** Of PATHS, so that most operations find a file. */
const FILES_AT_START = 8

/** Small enough that operations meet, large enough for several pages. */
const FILE_BYTES = 6 * PAGE_BYTES

export type Operation =
  | { readonly do: 'create'; readonly path: number; readonly directory: boolean }
  | {
      readonly do: 'write'
      readonly path: number
      readonly offset: number
      readonly length: number
      readonly byte: number
    }
  | { readonly do: 'truncate'; readonly path: number; readonly size: number }
  | { readonly do: 'allocate'; readonly path: number; readonly size: number }
  | { readonly do: 'remove'; readonly path: number }
  | { readonly do: 'rename' | 'link'; readonly path: number; readonly to: number }
  | { readonly do: 'attributes'; readonly path: number; readonly byte: number }
  | { readonly do: 'retain' | 'release'; readonly path: number }
  | { readonly do: 'capture'; readonly includeLogged: boolean; readonly pages: number }
  | { readonly do: 'land'; readonly which: number; readonly ok: boolean }
  | { readonly do: 'sync'; readonly path: number }
  | { readonly do: 'snapshot' }
  | { readonly do: 'snapshotStored'; readonly ok: boolean }

const path = fc.nat(PATHS.length - 1)
/** Many at page boundaries, since that is where things change their nature. */
const size = fc.oneof(
  fc.nat(FILE_BYTES),
  fc.nat(6).map((pages) => pages * PAGE_BYTES),
)
const byte = fc.integer({ min: 0, max: 255 })
const length = fc.oneof(fc.constant(PAGE_BYTES), fc.nat(300), fc.nat(3 * PAGE_BYTES))

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('create' as const), path, directory: fc.boolean() }) },
  { weight: 20, arbitrary: fc.record({ do: fc.constant('write' as const), path, offset: size, length, byte }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('truncate' as const), path, size }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('allocate' as const), path, size }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('rename' as const, 'link' as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('attributes' as const), path, byte }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('retain' as const, 'release' as const), path }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('capture' as const),
      includeLogged: fc.boolean(),
      pages: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('land' as const), which: fc.nat(3), ok: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('sync' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('snapshot' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('snapshotStored' as const), ok: fc.boolean() }) },
)

/** An fsync that waits: what the file was when it came, and what must land. */
type Captured = NonNullable<ReturnType<Driver['capture']>>

interface Sync {
  readonly file: ModelFile
  readonly version: number
  readonly seals: Set<Captured>
}

export class RandomUse {
  readonly driver: Driver
  /** Files that have a name or a user. */
  readonly files = new Map<number, ModelFile>()
  /** All that ever were. */
  readonly everyFile = new Map<number, ModelFile>()
  readonly tables: Array<{ readonly position: number; readonly bytes: Uint8Array }> = []
  private readonly flying: Captured[] = []
  private readonly syncs = new Set<Sync>()
  private storing = false

  constructor(slotCount: number) {
    this.driver = Driver.serving({ slotCount })
    this.driver.whenFull = () => this.sealEverything(true)
    this.driver.makeDirectories('base', 'base/5', 'global', 'pg_wal', 'pg_stat_tmp')
    for (const path of PATHS.slice(0, FILES_AT_START)) this.create(path, false)
  }

  perform(operation: Operation): void {
    const { driver } = this
    driver.log.nowMs++
    switch (operation.do) {
      case 'create':
        this.create(PATHS[operation.path]!, operation.directory)
        break
      case 'write':
        this.write(operation)
        break
      case 'truncate':
        this.resize(driver.ino(PATHS[operation.path]!), operation.size, false)
        break
      case 'allocate':
        this.resize(driver.ino(PATHS[operation.path]!), operation.size, true)
        break
      case 'remove':
        this.remove(PATHS[operation.path]!)
        break
      case 'rename':
      case 'link':
        this.move(operation.do, PATHS[operation.path]!, PATHS[operation.to]!)
        break
      case 'attributes': {
        const ino = driver.ino(PATHS[operation.path]!)
        driver.volume.setAttributes(ino, operation.byte, 70, operation.byte, operation.byte)
        break
      }
      case 'retain':
      case 'release':
        this.use(operation.do, PATHS[operation.path]!)
        break
      case 'capture':
        this.capture(operation.includeLogged, operation.pages)
        break
      case 'land':
        this.land(operation.which, operation.ok)
        break
      case 'sync':
        this.sync(driver.ino(PATHS[operation.path]!))
        break
      case 'snapshot':
        this.snapshot()
        break
      case 'snapshotStored':
        this.snapshotStored(operation.ok)
        break
    }
  }

  /** Every file that has a name or a user reads as the model says. */
  check(): void {
    for (const [ino, file] of this.files) {
      const node = this.driver.volume.node(ino)
      if (!node) throw new Error(`inode ${ino} is gone`)
      if (node.size !== file.bytes.length) throw new Error(`inode ${ino}: ${node.size} bytes, not ${file.bytes.length}`)
      const content = this.driver.content(ino)
      if (!content.equals(file.bytes))
        throw new Error(`inode ${ino} differs at ${firstDifference(content, file.bytes)}`)
    }
  }

  private create(path: string, directory: boolean): void {
    const ino = this.driver.make(path, directory ? 0o040700 : 0o100600)
    if (ino <= 0 || directory) return
    const file = new ModelFile(this.driver.volume.fileClass(ino)!, this.driver.log.end)
    this.files.set(ino, file)
    this.everyFile.set(ino, file)
  }

  private write({ path, offset, length, byte }: Extract<Operation, { do: 'write' }>): void {
    const ino = this.driver.ino(PATHS[path]!)
    const file = this.files.get(ino)
    if (!file || length === 0) return
    // Not one byte throughout: a write that repeats what is there in part is the one that is trimmed.
    const data = Buffer.alloc(length, byte)
    for (let at = 0; at < length; at += 97) data[at] = (offset + at) & 0xff
    const written = this.driver.write(ino, offset, data)
    if (written !== length) throw new Error(`write: ${written}`)
    const bytes = Buffer.concat([file.bytes, Buffer.alloc(Math.max(0, offset + length - file.bytes.length))])
    bytes.set(data, offset)
    file.change(bytes, this.driver.log.end)
  }

  private resize(ino: number, size: number, growOnly: boolean): void {
    const file = this.files.get(ino)
    if (!file || (growOnly && size === 0)) return
    const { driver } = this
    const result = growOnly ? driver.run(() => driver.volume.allocate(ino, 0, size)) : driver.truncate(ino, size)
    if (result !== 0) throw new Error(`resize: ${result}`)
    if (size === file.bytes.length || (growOnly && size < file.bytes.length)) return
    const cut = file.bytes.subarray(0, size)
    file.change(Buffer.concat([cut, Buffer.alloc(Math.max(0, size - cut.length))]), driver.log.end)
    // A cut is in the log at once, and nothing from before it may come back.
    if (this.isNamed(ino)) file.promise(driver.log.end, Math.ceil(size / PAGE_BYTES), file.version)
  }

  private remove(path: string): void {
    const { volume } = this.driver
    const [parent, name, ino] = this.place(path)
    const node = volume.node(ino)
    if (!node) return
    const result = isDirectoryMode(node.mode) ? volume.rmdir(parent, name) : volume.unlink(parent, name)
    if (result === 0) this.lost(ino)
  }

  private move(how: 'rename' | 'link', path: string, to: string): void {
    const { volume } = this.driver
    const [parent, name, ino] = this.place(path)
    const [newParent, newName, replaced] = this.place(to)
    if (ino <= 0 || newParent <= 0) return
    const result =
      how === 'rename' ? volume.rename(parent, name, newParent, newName, false) : volume.link(ino, newParent, newName)
    if (result === 0 && how === 'rename' && replaced > 0 && replaced !== ino) this.lost(replaced)
  }

  private lost(ino: number): void {
    const file = this.files.get(ino)
    if (!file || this.isNamed(ino)) return
    file.removedAt = this.driver.log.end
    if (file.retains === 0) this.files.delete(ino)
  }

  private use(how: 'retain' | 'release', path: string): void {
    const { volume } = this.driver
    // Releases go to whichever file is still used without a name, since no path leads there.
    const ino =
      how === 'retain' ? this.driver.ino(path) : ([...this.files].find(([, file]) => file.retains > 0)?.[0] ?? 0)
    const file = this.files.get(ino)
    if (!file) return
    if (how === 'retain') {
      volume.retain(ino)
      file.retains++
      return
    }
    volume.release(ino)
    file.retains--
    if (file.retains === 0 && !this.isNamed(ino)) this.files.delete(ino)
  }

  private capture(includeLogged: boolean, pages: number): void {
    const captured = this.flying.length < 4 ? this.driver.capture(includeLogged, pages) : undefined
    if (captured) this.flying.push(captured)
  }

  private land(which: number, ok: boolean): void {
    const captured = this.flying.splice(which % Math.max(1, this.flying.length), 1)[0]
    if (!captured) return
    const position = ok ? this.driver.complete(captured) : -1
    if (!ok) this.driver.volume.abandonSeal(captured.seal)
    for (const sync of this.syncs) {
      if (!sync.seals.delete(captured)) continue
      // An fsync whose seal was not stored has failed, and promises nothing.
      if (!ok) this.syncs.delete(sync)
      else this.settle(sync, position)
    }
  }

  /** As the sealer does: everything dirty is captured, and who waits is answered once all that flies has landed. */
  private sync(ino: number): void {
    const { volume } = this.driver
    const file = this.files.get(ino)
    if (!file || !this.isNamed(ino) || file.fileClass === FileClass.local) return
    const { version } = file
    if (volume.isClean(ino)) {
      file.promise(volume.lastPosition(ino), 0, version)
      return
    }
    this.captureEverything(false)
    this.syncs.add({ file, version, seals: new Set(this.flying) })
  }

  private settle(sync: Sync, position: number): void {
    if (sync.seals.size > 0) return
    this.syncs.delete(sync)
    sync.file.promise(position, 0, sync.version)
  }

  private captureEverything(includeLogged: boolean): void {
    const { driver, flying } = this
    for (let next = driver.capture(includeLogged); next; next = driver.capture(includeLogged)) flying.push(next)
  }

  /** The newest first: what older ones hold of the same pages must not come after. */
  sealEverything(includeLogged: boolean): void {
    this.captureEverything(includeLogged)
    while (this.flying.length > 0) this.land(this.flying.length - 1, true)
  }

  private snapshot(): void {
    if (this.storing) return
    const position = this.driver.log.end
    this.driver.run(() => this.driver.volume.prepareSnapshot())
    if (!this.driver.volume.canSnapshot) throw new Error('a snapshot must be possible at any time')
    this.tables.push({ position, bytes: this.driver.takeSnapshot().at(-1)!.bytes })
    this.storing = true
  }

  private snapshotStored(ok: boolean): void {
    if (!this.storing) return
    this.storing = false
    this.driver.volume.snapshotStored(ok)
  }

  private isNamed(ino: number): boolean {
    return (this.driver.volume.node(ino)?.nlink ?? 0) > 0
  }

  private place(path: string): readonly [parent: number, name: string, ino: number] {
    const at = path.lastIndexOf('/')
    const parent = at < 0 ? ROOT_INO : this.driver.ino(path.slice(0, at))
    return [parent, path.slice(at + 1), this.driver.ino(path)]
  }
}
