/**
 * The few system calls of which a safekeeper's disk log is made, as a port: tests count the syncs and make the disk fail,
 * and the simulator puts a disk of its own in place. Everything is synchronous, because a promise costs 0.1 to 0.5 ms more,
 * as much as the write and the fdatasync that it waits for. No meaning of the bytes may enter this file.
 *
 * Every call throws DiskFailed and nothing else.
 */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { DiskFailed } from '../errors.ts'
import { codeOf, syncDirectory } from '../system-calls.ts'

export interface DiskFiles {
  /** Makes the directory and its parents (0700), durably. */
  makeDirectory(path: string): void
  /** File names in no particular order. */
  list(path: string): readonly string[]
  /** Undefined if there is no such file. */
  readWhole(path: string): Buffer | undefined
  /** Opens for reading and writing; makes the file if `create`, and fails then if it exists. */
  open(path: string, create: boolean): number
  close(file: number): void
  size(file: number): number
  /** Reads up to `length` bytes at `position`; returns how many there were. */
  read(file: number, target: Buffer, at: number, length: number, position: number): number
  /** Writes all of `parts`, one after the other, from `position` on. After a failure any part of them may be there. */
  write(file: number, parts: readonly Uint8Array[], position: number): void
  truncate(file: number, size: number): void
  /** fdatasync(2). */
  sync(file: number): void
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): void
  rename(from: string, to: string): void
  /** Harmless if there is no such file. */
  remove(path: string): void
}

export const nodeDiskFiles: DiskFiles = {
  makeDirectory: (path) =>
    attempt('making the directory', path, () => {
      const first = fs.mkdirSync(path, { recursive: true, mode: 0o700 })
      if (first === undefined) return
      for (let made = path; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made))
    }),
  list: (path) => attempt('listing', path, () => fs.readdirSync(path)),
  readWhole: (path) =>
    attempt('reading', path, () => {
      try {
        return fs.readFileSync(path)
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined
        throw error
      }
    }),
  open: (path, create) => attempt('opening', path, () => fs.openSync(path, create ? 'wx+' : 'r+', 0o600)),
  close: (file) => attempt('closing', file, () => fs.closeSync(file)),
  size: (file) => attempt('asking for the size of', file, () => fs.fstatSync(file).size),
  read: (file, target, at, length, position) =>
    attempt('reading', file, () => {
      let got = 0
      while (got < length) {
        const count = fs.readSync(file, target, at + got, length - got, position + got)
        if (count === 0) break
        got += count
      }
      return got
    }),
  write: (file, parts, position) => attempt('writing', file, () => writeAll(file, parts, position)),
  truncate: (file, size) => attempt('truncating', file, () => fs.ftruncateSync(file, size)),
  sync: (file) => attempt('syncing', file, () => fs.fdatasyncSync(file)),
  syncDirectory: (path) => attempt('syncing the directory', path, () => syncDirectory(path)),
  rename: (from, to) => attempt('renaming', from, () => fs.renameSync(from, to)),
  remove: (path) => attempt('removing', path, () => fs.rmSync(path, { force: true })),
}

/** Puts `bytes` under `name`, whole or not at all, and durably: temporary file, fsync, rename, fsync of the directory. */
export function replaceFile(files: DiskFiles, directory: string, name: string, bytes: Buffer): void {
  putInPlace(files, directory, name, writeBeside(files, directory, name, bytes))
}

/** The first half of `replaceFile`: if it fails, the disk is full, and nothing has changed. Returns the open file. */
export function writeBeside(files: DiskFiles, directory: string, name: string, bytes: Buffer): number {
  const temporary = temporaryOf(directory, name)
  files.remove(temporary)
  const file = files.open(temporary, true)
  try {
    files.write(file, [bytes], 0)
    return file
  } catch (error) {
    files.close(file)
    throw error
  }
}

/** The second half: if it fails, nobody knows which of the two is under `name` after a crash. */
export function putInPlace(files: DiskFiles, directory: string, name: string, file: number): void {
  try {
    files.sync(file)
  } finally {
    files.close(file)
  }
  files.rename(temporaryOf(directory, name), join(directory, name))
  files.syncDirectory(directory)
}

function temporaryOf(directory: string, name: string): string {
  return join(directory, `${name}.new`)
}

/** A short write is legal, and common on a nearly full disk. */
function writeAll(file: number, parts: readonly Uint8Array[], position: number): void {
  let rest = parts
  let at = position
  for (;;) {
    let written = fs.writevSync(file, rest as Uint8Array[], at)
    at += written
    let done = 0
    while (done < rest.length && written >= rest[done]!.length) written -= rest[done++]!.length
    if (done === rest.length) return
    rest = [rest[done]!.subarray(written), ...rest.slice(done + 1)]
  }
}

function attempt<T>(doing: string, what: string | number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw diskFailed(doing, what, error)
  }
}

/** `cause` as Node throws it, with the name of the errno as its code. */
export function diskFailed(doing: string, what: string | number, cause: unknown): DiskFailed {
  const code = codeOf(cause)
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  const value = typeof what === 'string' ? what : `file ${what}`
  return new DiskFailed({
    component: 'safekeeper log',
    value,
    problem: isFull ? `no space left while ${doing}` : `${code ?? String(cause)} while ${doing}`,
    remedy: isFull
      ? 'Free space on this disk and restart the zone; nothing acknowledged is lost.'
      : "Look at the kernel's log (dmesg) for this disk; replace it if it reports errors, then restart the zone.",
    cause,
  })
}
