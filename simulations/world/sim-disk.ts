/**
 * The disk of a simulated host, with its names and faults: in memory, and in two versions, what the kernel shows and what is
 * on the platter (sim-file.ts). A process that is killed loses nothing of it; a host that loses power loses what was not
 * synced, names included, or not, as the draws have it. It fails in the words of the real one (disk-files.ts).
 */
import { type DiskFiles, diskFailed } from '../../runtime/safekeeper/disk-files.ts'
import type { Kernel, Process } from '../kernel/kernel.ts'
import { SimFile } from './sim-file.ts'

/** A change of a directory that is not on the platter yet: a name goes, or comes, or one does for the other. */
interface NameChange {
  readonly directory: string
  readonly removes: string | undefined
  readonly adds: string | undefined
  readonly file: SimFile | undefined
}

/** Of a file. */
export interface Stretch {
  readonly path: string
  readonly position: number
  readonly bytes: number
}

export interface SimDiskSettings {
  /** How often the kernel has dropped what a failed sync did not write by the time a file is opened again. */
  readonly evictShare: number
}

export class SimDisk {
  /** Nothing more fits, until this is false again; what is there can be written over. */
  isFull = false
  /** How many of the next syncs fail. */
  syncsToFail = 0
  /** How many of the next reads fail. */
  readsToFail = 0
  /** How many of the next writes fail; any part of them may be there all the same, and all of it too. */
  writesToFail = 0
  /** How many of the next syncs of files answer success and leave all in the disk's own cache: see `SimFile.lie`. */
  syncsToLie = 0
  /** Of which files. */
  liesAbout: (path: string) => boolean = () => true
  /** Bits that flipped. */
  flips = 0
  /** Of files and directories, successful. */
  syncs = 0
  failedReads = 0
  failedWrites = 0
  /** Syncs that lied. */
  lies = 0
  /** Writes of which it turned out that they had landed elsewhere. */
  misplaced = 0
  readonly #kernel: Kernel
  readonly #settings: SimDiskSettings
  readonly #directories = new Set<string>(['/'])
  #names = new Map<string, SimFile>()
  /** As on the platter. */
  #platterNames = new Map<string, SimFile>()
  #nameChanges: NameChange[] = []
  #descriptors = 2
  /** Processes whose descriptors are void: the host they ran on has lost power since. */
  #boots = 0

  constructor(kernel: Kernel, settings: Partial<SimDiskSettings> = {}) {
    this.#kernel = kernel
    this.#settings = { evictShare: 0.25, ...settings }
  }

  /** The disk as `process` sees it, with descriptors of its own, which end with it. */
  files(process: Process): DiskFiles {
    const open = new Map<number, SimFile>()
    const boot = this.#boots
    const check = (doing: string, what: string | number) => {
      if (!process.isAlive || boot !== this.#boots) throw failure('EIO', doing, what)
    }
    const fileOf = (file: number, doing: string): SimFile => {
      check(doing, file)
      const found = open.get(file)
      if (found === undefined) throw failure('EBADF', doing, file)
      return found
    }
    return {
      makeDirectory: (path) => {
        check('making the directory', path)
        for (let at = path; !this.#directories.has(at); at = directoryOf(at)) this.#directories.add(at)
      },
      list: (path) => {
        check('listing', path)
        return this.#list(path)
      },
      readWhole: (path) => {
        check('reading', path)
        const found = this.#names.get(path)
        if (found === undefined) return undefined
        this.#failRead(path)
        this.#mayEvict(found)
        return found.content()
      },
      open: (path, create) => {
        check('opening', path)
        const found = this.#open(path, create)
        open.set(++this.#descriptors, found)
        return this.#descriptors
      },
      close: (file) => {
        fileOf(file, 'closing')
        open.delete(file)
      },
      size: (file) => fileOf(file, 'asking for the size of').size,
      read: (file, target, at, length, position) => {
        const found = fileOf(file, 'reading')
        this.#failRead(file)
        return found.read(target, at, length, position)
      },
      write: (file, parts, position) => this.#write(fileOf(file, 'writing'), file, parts, position),
      truncate: (file, size) => fileOf(file, 'truncating').truncate(size),
      sync: (file) => {
        const found = fileOf(file, 'syncing')
        if (this.#lies(found)) return
        if (!this.#takesSync()) {
          found.failSync(this.#kernel.draws)
          throw failure('EIO', 'syncing', file)
        }
        found.sync()
      },
      syncDirectory: (path) => {
        check('syncing the directory', path)
        if (!this.#directories.has(path)) throw failure('ENOENT', 'syncing the directory', path)
        if (!this.#takesSync()) throw failure('EIO', 'syncing the directory', path)
        this.#syncNames(path)
      },
      rename: (from, to) => {
        check('renaming', from)
        const file = this.#names.get(from)
        if (file === undefined) throw failure('ENOENT', 'renaming', from)
        this.#change({ directory: directoryOf(to), removes: from, adds: to, file })
      },
      remove: (path) => {
        check('removing', path)
        if (!this.#names.has(path)) return
        this.#change({ directory: directoryOf(path), removes: path, adds: undefined, file: undefined })
      },
    }
  }

  /** The host loses power. To be called after its processes have ended. */
  crash(): void {
    const { draws } = this.#kernel
    this.#boots++
    const share = draws.pick('disk.crash.names', [0, 0.5, 1])
    for (const change of this.#nameChanges) {
      if (draws.chance('disk.crash.name', share)) apply(change, this.#platterNames)
    }
    this.#nameChanges = []
    for (const file of new Set(this.#platterNames.values())) file.crash(draws)
    this.#names = new Map(this.#platterNames)
  }

  failNextSync(): void {
    this.syncsToFail++
  }

  /** Ends what lasts, and takes back what has not struck yet. What has happened stays. */
  heal(): void {
    this.isFull = false
    this.syncsToFail = 0
    this.readsToFail = 0
    this.writesToFail = 0
    this.syncsToLie = 0
  }

  /** Faults by which it holds less than was flushed, and of which whoever opens it can know. */
  get damages(): number {
    return this.flips + this.misplaced
  }

  /** All by which it may come to hold less than was flushed. */
  get losses(): number {
    return this.damages + this.lies
  }

  /** Flips a bit of the byte at `position` of the file `path`, at rest. */
  flipBitAt(path: string, position: number): void {
    this.flips++
    this.#platterNames.get(path)?.flipBitAt(position, this.#kernel.draws)
  }

  /** Flips a bit of one that is at rest; says where, or undefined if there is none. */
  flipBit(isMeant: (path: string) => boolean = () => true): { path: string; position: number } | undefined {
    const { draws } = this.#kernel
    const paths = [...this.#platterNames.keys()].filter((path) => isMeant(path) && this.#names.has(path)).sort()
    if (paths.length === 0) return undefined
    const path = draws.pick('disk.flip.path', paths)
    const position = this.#platterNames.get(path)!.flipBit(draws)
    return position === undefined ? undefined : { path, position }
  }

  /**
   * A write of long ago turns out to have landed at `to`: as long as the host was up, the kernel had it in memory and showed it
   * where it belongs. To be called after a crash.
   */
  misplace(from: Stretch, to: Omit<Stretch, 'bytes'>): void {
    this.misplaced++
    const file = this.#platterNames.get(from.path)!
    const other = this.#platterNames.get(to.path)!
    const bytes = Buffer.from(file.shown.subarray(from.position, from.position + from.bytes))
    file.write(Buffer.alloc(bytes.length), from.position)
    file.sync()
    other.write(bytes, to.position)
    other.sync()
  }

  /** The host comes back with an empty disk. To be called after its processes have ended. */
  wipe(): void {
    this.#boots++
    this.#names.clear()
    this.#platterNames.clear()
    this.#nameChanges = []
    this.#directories.clear()
    this.#directories.add('/')
    this.isFull = false
  }

  /** For whoever looks on: files whose names survive a loss of power, come what may. */
  get certainNames(): ReadonlyMap<string, SimFile> {
    return this.#platterNames
  }

  /** For whoever looks on. */
  paths(): readonly string[] {
    return [...this.#names.keys()].sort()
  }

  #list(path: string): readonly string[] {
    if (!this.#directories.has(path)) throw failure('ENOENT', 'listing', path)
    const found: string[] = []
    for (const name of this.#names.keys()) if (directoryOf(name) === path) found.push(name.slice(path.length + 1))
    for (const name of this.#directories) {
      if (name !== path && directoryOf(name) === path) found.push(name.slice(path.length + 1))
    }
    // In no particular order, and not always the same.
    return this.#kernel.draws.chance('disk.list', 0.5) ? found.reverse() : found
  }

  #open(path: string, create: boolean): SimFile {
    const found = this.#names.get(path)
    if (!create) {
      if (found === undefined) throw failure('ENOENT', 'opening', path)
      this.#mayEvict(found)
      return found
    }
    if (found !== undefined) throw failure('EEXIST', 'opening', path)
    const directory = directoryOf(path)
    if (!this.#directories.has(directory)) throw failure('ENOENT', 'opening', path)
    if (this.isFull) throw failure('ENOSPC', 'opening', path)
    const file = new SimFile()
    this.#change({ directory, removes: undefined, adds: path, file })
    return file
  }

  #mayEvict(file: SimFile): void {
    if (!file.hasUnwritten) return
    if (this.#kernel.draws.chance('disk.evict', this.#settings.evictShare)) file.evict()
  }

  #write(target: SimFile, file: number, parts: readonly Uint8Array[], position: number): void {
    if (this.writesToFail > 0) this.#failWrite(target, file, parts, position)
    let at = position
    for (const part of parts) {
      const fits = this.isFull ? Math.max(0, Math.min(part.length, target.size - at)) : part.length
      target.write(fits === part.length ? part : part.subarray(0, fits), at)
      if (fits < part.length) throw failure('ENOSPC', 'writing', file)
      at += fits
    }
  }

  #failRead(what: string | number): void {
    if (this.readsToFail === 0) return
    this.readsToFail--
    this.failedReads++
    throw failure('EIO', 'reading', what)
  }

  #failWrite(target: SimFile, file: number, parts: readonly Uint8Array[], position: number): never {
    const { draws } = this.#kernel
    this.writesToFail--
    this.failedWrites++
    const bytes = Buffer.concat(parts)
    const share = draws.pick('disk.failed-write', [0, draws.uniform('disk.failed-write.share'), 1])
    target.write(bytes.subarray(0, Math.floor(share * bytes.length)), position)
    throw failure('EIO', 'writing', file)
  }

  /** True if the sync is told to have been made, and was not. */
  #lies(file: SimFile): boolean {
    if (this.syncsToLie === 0 || this.syncsToFail > 0 || file.isCut) return false
    const [path] = [...this.#names].find(([, named]) => named === file) ?? []
    if (path === undefined || !this.liesAbout(path)) return false
    this.syncsToLie--
    this.lies++
    file.lie()
    return true
  }

  #takesSync(): boolean {
    if (this.syncsToFail > 0) {
      this.syncsToFail--
      return false
    }
    this.syncs++
    return true
  }

  #change(change: NameChange): void {
    apply(change, this.#names)
    this.#nameChanges.push(change)
  }

  #syncNames(path: string): void {
    if (this.#nameChanges.length === 0) return
    for (const change of this.#nameChanges) if (change.directory === path) apply(change, this.#platterNames)
    this.#nameChanges = this.#nameChanges.filter(({ directory }) => directory !== path)
  }
}

function apply({ removes, adds, file }: NameChange, names: Map<string, SimFile>): void {
  if (removes !== undefined) names.delete(removes)
  if (adds !== undefined) names.set(adds, file!)
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

function failure(code: string, doing: string, what: string | number) {
  return diskFailed(doing, what, Object.assign(new Error(`${code}: simulated`), { code }))
}
