/**
 * A mount in memory, as hostile as a disk may be. After a crash it holds what was fsynced, and of everything else any
 * combination: each page in any version it had since its last fsync, each name change or not. It orders nothing that no
 * fsync has ordered, so it is harsher than the volume. Only unit tests stand on it.
 */
import { type Kernel, WORLD } from '../kernel/kernel.ts'
import { MemoryFile } from './memory-file.ts'
import { EEXIST, EIO, ENOENT, MountFailed, type SimMount } from './mount.ts'
import { PAGE_BYTES } from './page.ts'

/** At a crash it has happened or has not. */
interface NameChange {
  readonly ino: number
  /** Undefined if the file was created. */
  readonly from: string | undefined
  /** Undefined if the file was unlinked. */
  readonly to: string | undefined
}

const OPERATION_MEAN_MS = 0.05
export const FSYNC_MEAN_MS = 2

export class MemoryMount implements SimMount {
  /** So many of the next fsyncs fail. */
  failingFsyncs = 0
  /** So many of the next reads of data files fail. */
  failingReads = 0
  readonly #kernel: Kernel
  readonly #fsyncMeanMs: number
  readonly #files = new Map<number, MemoryFile>()
  readonly #directories = new Set<string>([''])
  #names = new Map<string, number>()
  #durableNames = new Map<string, number>()
  #changes: NameChange[] = []
  #lastIno = 1
  #crashes = 0

  constructor(kernel: Kernel, fsyncMeanMs = FSYNC_MEAN_MS) {
    this.#kernel = kernel
    this.#fsyncMeanMs = fsyncMeanMs
  }

  /** Power fails: what waits for an answer never gets one. */
  crash(): void {
    this.#crashes++
    const { draws } = this.#kernel
    for (const change of this.#changes) if (draws.chance('mount.keep-name', 0.5)) apply(change, this.#durableNames)
    this.#names = new Map(this.#durableNames)
    this.#changes = []
    const named = new Set(this.#names.values())
    for (const [ino, file] of this.#files) {
      if (named.has(ino)) file.crash((choices) => draws.between('mount.keep-page', 0, choices - 1))
      else this.#files.delete(ino)
    }
  }

  lookup(path: string): Promise<number> {
    return this.#later(() => this.#names.get(path) ?? (this.#directories.has(path) ? 1 : 0))
  }

  create(path: string): Promise<number> {
    return this.#later(() => {
      if (this.#names.has(path)) throw new MountFailed(`create ${path}`, EEXIST)
      if (!this.#directories.has(parentOf(path))) throw new MountFailed(`create ${path}`, ENOENT)
      const ino = ++this.#lastIno
      this.#files.set(ino, new MemoryFile())
      this.#change({ ino, from: undefined, to: path })
      return ino
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.#later(() => {
      if (this.#directories.has(path)) throw new MountFailed(`mkdir ${path}`, EEXIST)
      this.#directories.add(path)
    })
  }

  list(path: string): Promise<readonly string[]> {
    return this.#later(() =>
      [...this.#names.keys()].filter((name) => parentOf(name) === path).map((name) => name.slice(path.length + 1)),
    )
  }

  size(ino: number): Promise<number> {
    return this.#later(() => this.#file(ino).size)
  }

  read(ino: number, offset: number, length: number): Promise<Buffer> {
    return this.#later(() => {
      if (length === PAGE_BYTES && this.failingReads > 0) {
        this.failingReads--
        throw new MountFailed('read', EIO)
      }
      return this.#file(ino).read(offset, length)
    })
  }

  write(ino: number, offset: number, bytes: Uint8Array): Promise<void> {
    const copy = Buffer.from(bytes)
    return this.#later(() => this.#file(ino).write(offset, copy))
  }

  truncate(ino: number, size: number): Promise<void> {
    return this.#later(() => this.#file(ino).truncate(size))
  }

  unlink(path: string): Promise<void> {
    return this.#later(() => this.#change({ ino: this.#inode(path), from: path, to: undefined }))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#later(() => this.#change({ ino: this.#inode(from), from, to }))
  }

  async fsync(ino: number): Promise<void> {
    const marks = await this.#later(() => ({ file: this.#file(ino).mark(), changes: this.#changes.length }))
    const covered = this.#changes.slice(0, marks.changes).filter((change) => change.ino === ino)
    await this.#later(() => {
      if (this.failingFsyncs > 0) {
        this.failingFsyncs--
        throw new MountFailed('fsync', EIO)
      }
      this.#file(ino).fsynced(marks.file)
      for (const change of covered) apply(change, this.#durableNames)
      this.#changes = this.#changes.filter((change) => !covered.includes(change))
    }, this.#fsyncMeanMs)
  }

  #change(change: NameChange): void {
    apply(change, this.#names)
    this.#changes.push(change)
  }

  #inode(path: string): number {
    const ino = this.#names.get(path)
    if (ino === undefined) throw new MountFailed(path, ENOENT)
    return ino
  }

  #file(ino: number): MemoryFile {
    const file = this.#files.get(ino)
    if (file === undefined) throw new MountFailed(`inode ${ino}`, ENOENT)
    return file
  }

  #later<A>(operation: () => A, meanMs = OPERATION_MEAN_MS): Promise<A> {
    const crashes = this.#crashes
    return new Promise((resolve, reject) => {
      this.#kernel.after(WORLD, this.#kernel.draws.exponential('mount.delay', meanMs), () => {
        if (crashes !== this.#crashes) return
        try {
          resolve(operation())
        } catch (error) {
          reject(error)
        }
      })
    })
  }
}

function apply({ ino, from, to }: NameChange, names: Map<string, number>): void {
  if (from !== undefined && names.get(from) !== ino) return
  if (from !== undefined) names.delete(from)
  if (to !== undefined) names.set(to, ino)
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
