/**
 * Where the file store keeps things, and how a name becomes durable. Objects lie under their keys. Two folders of the
 * store's own carry a '~', which no key can have: `~new` for objects that have no name yet, `~mended` for the
 * decisions about torn objects (file-mend.ts). Nothing here knows what is written into the files.
 */
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { codeOf, syncDirectory } from '../system-calls.ts'
import { isAbsent } from './file-errors.ts'

export const NEW_FOLDER = '~new'
export const MENDED_FOLDER = '~mended'
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
  /** Objects whose fsync failed: what the kernel shows of them may not be on the disk. */
  private readonly unsynced = new Set<string>()

  /** Makes the directory if need be. Throws errno errors. */
  constructor(root: string) {
    this.root = root
    const first = mkdirSync(root, { recursive: true, mode: DIRECTORY_MODE })
    for (let at = root; first !== undefined && at.length >= first.length; at = dirname(at)) syncDirectory(dirname(at))
    this.known.add(root)
    this.namesFollowFile = NAMES_FOLLOW_FILE.has(statfsSync(root).type)
    this.ensure(join(root, NEW_FOLDER))
    this.ensure(join(root, MENDED_FOLDER))
  }

  pathOf(key: string): string {
    return join(this.root, key)
  }

  /** Where the repair of `key` is decided. Hashed, since a key may be longer than a file name. */
  mendedPathOf(key: string): string {
    return join(this.root, MENDED_FOLDER, createHash('sha256').update(key).digest('hex'))
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
    this.ensure(join(this.root, NEW_FOLDER))
    this.ensure(join(this.root, MENDED_FOLDER))
  }

  /** Makes the open `file` durable together with its name `path`, which it must already have. */
  settle(file: number, path: string, links = 1): void {
    try {
      fsyncSync(file)
    } catch (error) {
      this.unsynced.add(path)
      throw error
    }
    if (!this.takesNameAlong(links)) syncDirectory(dirname(path))
    this.unsynced.delete(path)
  }

  /** Whether another fsync of `path` says nothing before its bytes have been written again. */
  isUnsynced(path: string): boolean {
    return this.unsynced.has(path)
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
}

export function isTaken(error: unknown): boolean {
  return codeOf(error) === 'EEXIST'
}
