/**
 * Where the file store keeps things, and how a name becomes durable. Objects lie under their keys. Three folders of the
 * store's own carry a '~', which no key can have: `~new` for objects that have no name yet, `~mended` for the
 * decisions about torn objects (file-mend.ts), `~unsynced` for marks of objects whose fsync failed. Nothing here knows what
 * is written into the files.
 */
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { codeOf, syncDirectory } from '../system-calls.ts'
import { isAbsent } from './file-errors.ts'

export const NEW_FOLDER = '~new'
export const MENDED_FOLDER = '~mended'
export const UNSYNCED_FOLDER = '~unsynced'
export const FILE_MODE = 0o600
export const DIRECTORY_MODE = 0o700

/**
 * Filesystems on which the fsync of a file makes its name durable, if it has but one: xfs and ext4 with a journal, since
 * link(2) changes the inode in the transaction that changes the directory; ext4 without one, since its fsync also writes
 * the folder of a new name (ext4_sync_parent in fs/ext4/fsync.c, which looks at any one of a file's names). statfs(2)
 * gives ext3 and ext2 the number of ext4, whose driver serves them too. All others pay for an fsync of the directory,
 * btrfs included: it is known to hold for a new file there, but was not verified for a further link.
 */
const NAMES_FOLLOW_FILE: ReadonlySet<number> = new Set([0xef53, 0x5846_5342])

/** A nameless file this old belongs to nobody: no object takes an hour to be written to a local disk. */
const ABANDONED_MS = 3_600_000

export class StoreDirectory {
  readonly root: string
  /** Folders that are there, and whose names are durable up to the root. */
  private readonly known = new Set<string>()
  private readonly namesFollowFile: boolean
  /** Unique among processes and restarts, as pids are not. */
  private readonly self = randomBytes(8).toString('hex')
  private created = 0
  /** Objects whose fsync failed here: what the kernel shows of them may not be on the disk. */
  private readonly unsynced = new Set<string>()

  /** Makes the directory if need be. Throws errno errors. */
  constructor(root: string) {
    this.root = root
    const first = mkdirSync(root, { recursive: true, mode: DIRECTORY_MODE })
    for (let at = root; first !== undefined && at.length >= first.length; at = dirname(at)) syncDirectory(dirname(at))
    this.known.add(root)
    this.namesFollowFile = NAMES_FOLLOW_FILE.has(statfsSync(root).type)
    this.ensureOwn()
  }

  pathOf(key: string): string {
    return join(this.root, key)
  }

  /** Where the repair of `key` is decided. Hashed, since a key may be longer than a file name. */
  mendedPathOf(key: string): string {
    return join(this.root, MENDED_FOLDER, hashOf(key))
  }

  /** A name that nobody else uses, on the filesystem of the objects. */
  temporaryPath(): string {
    return join(this.root, NEW_FOLDER, `${this.self}-${this.created++}`)
  }

  /**
   * Makes `folder` and those above it, durably. A folder that another process has made is synced too on first sight:
   * its maker may not have come to that yet.
   */
  ensure(folder: string): void {
    if (this.known.has(folder)) return
    const parent = dirname(folder)
    this.ensure(parent)
    try {
      mkdirSync(folder, { mode: DIRECTORY_MODE })
    } catch (error) {
      if (!isTaken(error)) throw error
      // Throws ENOTDIR where an object has the name.
      closeSync(openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY))
    }
    syncDirectory(parent)
    this.known.add(folder)
  }

  /** After somebody removed folders behind our back: what is known is to be found out again. */
  forget(): void {
    this.known.clear()
    this.known.add(this.root)
    this.ensureOwn()
  }

  /** Makes the open `file` durable together with its name `path`, which it must already have. */
  settle(file: number, path: string, links = 1): void {
    try {
      fsyncSync(file)
    } catch (error) {
      this.noteUnsynced(path)
      throw error
    }
    if (!this.takesNameAlong(links)) syncDirectory(dirname(path))
  }

  /**
   * After an fsync of `path` has failed. The kernel tells of that once, and all processes see the same pages: so all of them
   * must know. The mark need not be durable, for after a power failure what is read is what the disk has.
   */
  noteUnsynced(path: string): void {
    this.unsynced.add(path)
    try {
      closeSync(openSync(this.markOf(path), constants.O_CREAT | constants.O_WRONLY, FILE_MODE))
    } catch {
      // A disk that takes no empty file either: what failed first is to be told, and this process knows.
    }
  }

  /** Whether another fsync of `path` says nothing before its bytes have been written again. */
  isUnsynced(path: string): boolean {
    return this.unsynced.has(path) || existsSync(this.markOf(path))
  }

  /** Its bytes were written again and synced, or it was removed. */
  forgetUnsynced(path: string): void {
    this.unsynced.delete(path)
    try {
      unlinkSync(this.markOf(path))
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }

  /** Whether the fsync of a file with so many names is enough. Two mean that its writer died, or that it was mended. */
  takesNameAlong(links: number): boolean {
    return this.namesFollowFile && links === 1
  }

  /** Removes what crashed writers left behind. */
  sweep(nowMs: number): void {
    const folder = join(this.root, NEW_FOLDER)
    for (const name of readdirSync(folder)) {
      const path = join(folder, name)
      try {
        if (nowMs - statSync(path).mtimeMs > ABANDONED_MS) unlinkSync(path)
      } catch (error) {
        if (!isAbsent(error)) throw error
      }
    }
  }

  private ensureOwn(): void {
    for (const folder of [NEW_FOLDER, MENDED_FOLDER, UNSYNCED_FOLDER]) this.ensure(join(this.root, folder))
  }

  private markOf(path: string): string {
    return join(this.root, UNSYNCED_FOLDER, hashOf(relative(this.root, path)))
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

export function isTaken(error: unknown): boolean {
  return codeOf(error) === 'EEXIST'
}
