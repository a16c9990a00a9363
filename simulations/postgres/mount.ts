/**
 * How simulated Postgres sees its files. The real volume stands behind it in a simulation, an array of bytes in a unit test.
 * Nothing of either may show here, and no call that Postgres itself would not make: then what holds over the one holds over
 * the other.
 */

/** Every promise settles in steps of the kernel, or rejects with `MountFailed`. Paths are relative to the data directory. */
export interface SimMount {
  /** Inode number of the file or directory, 0 if there is none. */
  lookup(path: string): Promise<number>
  /** Makes an empty file in a directory that exists; EEXIST if the name is taken. */
  create(path: string): Promise<number>
  makeDirectory(path: string): Promise<void>
  /** Names in a directory. */
  list(path: string): Promise<readonly string[]>
  size(ino: number): Promise<number>
  /** Shorter than `length` where the file ends. */
  read(ino: number, offset: number, length: number): Promise<Buffer>
  /** A write of one aligned page of 8 KiB happens whole or not at all. The caller may change `bytes` once this returned. */
  write(ino: number, offset: number, bytes: Uint8Array): Promise<void>
  truncate(ino: number, size: number): Promise<void>
  unlink(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Makes durable what was written to the file so far, and its name. */
  fsync(ino: number): Promise<void>
}

export const ENOENT = 2
export const EIO = 5
export const EEXIST = 17

/** A file operation that was refused; `errno` as Linux numbers it. */
export class MountFailed extends Error {
  readonly errno: number

  constructor(operation: string, errno: number) {
    super(`${operation}: errno ${errno}`)
    this.name = 'MountFailed'
    this.errno = errno
  }
}
