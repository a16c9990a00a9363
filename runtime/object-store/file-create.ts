/**
 * How an object gets its name in the file store. Both ways write a nameless file first and then give it the name with
 * link(2), which fails if the name is taken. So a name never shows a part of an object while the kernel lives: not of a
 * writer that is slow, nor of one that was killed. What remains is a power failure between link and fsync.
 *
 *   createNow    write, link, unlink, fsync: one wait for the disk. A power failure in between can leave the name on an object
 *                without all of its bytes (torn); its writer was never told 'created', and none that is alive can be
 *                still at it, which is what makes the repair in file-mend.ts sound. Costs ~10 us more than opening the
 *                final name with O_EXCL, which would show every writer's unfinished work.
 *   createLater  write, fsync, link, fsync of the folder: two waits, never torn.
 *
 * Whoever is told 'exists' may build on what is there, so its bytes are made durable before the answer: the one who
 * wrote them may have been killed before its fsync. A creation that fails once the object has its name may have happened:
 * a name that was seen cannot be taken back.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writevSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BadArgument } from '../errors.ts'
import { codeOf } from '../system-calls.ts'
import { FILE_MODE, isTaken, type StoreDirectory } from './file-directory.ts'
import { fileFailure, isAbsent } from './file-errors.ts'
import type { Creation } from './object-store.ts'

const EXCLUSIVE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY

/** Synchronous and at most once fsynced; see above. Throws the members of FileFailure. */
export function createNow(directory: StoreDirectory, key: string, body: ReadonlyArray<Uint8Array>): Creation {
  const path = directory.pathOf(key)
  return withFolder(directory, path, () => {
    const temporary = directory.temporaryPath()
    const file = openSync(temporary, EXCLUSIVE, FILE_MODE)
    let named = false
    try {
      writeAll(file, body)
      named = linkIfFree(temporary, path)
      // Before the sync, which is only sure to take a name along if it is the only one.
      unlinkSync(temporary)
      if (named) directory.settle(file, path)
    } catch (error) {
      // The name stays, though nobody knows whether it is durable: somebody may have read the object meanwhile.
      unlinkIfThere(temporary)
      throw error
    } finally {
      closeSync(file)
    }
    if (!named) settleExisting(directory, path)
    return named ? 'created' : 'exists'
  })
}

/** Writes off the main thread; only the names, which are small metadata, are made on it. Throws like `createNow`. */
export async function createLater(
  directory: StoreDirectory,
  key: string,
  body: ReadonlyArray<Uint8Array>,
): Promise<Creation> {
  const path = directory.pathOf(key)
  const temporary = directory.temporaryPath()
  try {
    const file = await open(temporary, EXCLUSIVE, FILE_MODE)
    try {
      await writeAllLater(file, body)
      await file.sync()
      const named = withFolder(directory, path, () => linkIfFree(temporary, path))
      if (named) await nameDurably(path)
      else settleExisting(directory, path)
      return named ? 'created' : 'exists'
    } finally {
      await file.close()
      unlinkIfThere(temporary)
    }
  } catch (error) {
    throw fileFailure(error, 'creating an object', path)
  }
}

/** A durable file without a name of its own; the caller links and unlinks it. Throws errno errors. */
export function writeNameless(directory: StoreDirectory, body: ReadonlyArray<Uint8Array>): string {
  const temporary = directory.temporaryPath()
  const file = openSync(temporary, EXCLUSIVE, FILE_MODE)
  try {
    writeAll(file, body)
    fsyncSync(file)
    return temporary
  } catch (error) {
    unlinkIfThere(temporary)
    throw error
  } finally {
    closeSync(file)
  }
}

/** Makes durable what somebody else named `path`. One that was removed since was still taken. */
export function settleExisting(directory: StoreDirectory, path: string): void {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY)
  } catch (error) {
    if (isAbsent(error)) return
    throw error
  }
  try {
    const status = fstatSync(file)
    if (!status.isFile()) throw folderInTheWay(path)
    const isUnsynced = directory.isUnsynced(path)
    if (isUnsynced) writeAgain(path, file)
    directory.settle(file, path, status.nlink)
    if (isUnsynced) directory.forgetUnsynced(path)
  } finally {
    closeSync(file)
  }
}

/**
 * After a failed fsync the kernel may call pages clean that never reached the disk, and the next fsync would say that all is
 * well. The same bytes over themselves make them dirty again, and no reader sees a difference. They are those of the open
 * `file`: what somebody has put into its place meanwhile (file-mend.ts) was durable before, and other bytes would spoil it.
 */
function writeAgain(path: string, file: number): void {
  const again = openSync(path, constants.O_WRONLY)
  try {
    if (fstatSync(again).ino === fstatSync(file).ino) writeAll(again, [readFileSync(file)])
  } finally {
    closeSync(again)
  }
}

/** False if the name is taken. */
export function linkIfFree(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (isTaken(error)) return false
    throw error
  }
}

export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}

/** Runs `work` with the folder of `path` in place, and once more if somebody removed it meanwhile. */
function withFolder<A>(directory: StoreDirectory, path: string, work: () => A): A {
  try {
    directory.ensure(dirname(path))
    try {
      return work()
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      directory.forget()
      directory.ensure(dirname(path))
      return work()
    }
  } catch (error) {
    throw fileFailure(error, 'creating an object', path)
  }
}

/** Off the main thread. If it fails the name stays, and may or may not be durable. */
async function nameDurably(path: string): Promise<void> {
  const folder = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function writeAll(file: number, body: ReadonlyArray<Uint8Array>): void {
  for (let rest = body.filter(hasBytes); rest.length > 0; ) rest = after(rest, writevSync(file, rest))
}

async function writeAllLater(file: FileHandle, body: ReadonlyArray<Uint8Array>): Promise<void> {
  for (let rest = body.filter(hasBytes); rest.length > 0; ) rest = after(rest, (await file.writev(rest)).bytesWritten)
}

/** What is left of `parts` after `written` bytes: a short write is legal, and common on a nearly full disk. */
function after(parts: Uint8Array[], written: number): Uint8Array[] {
  let skip = written
  let at = 0
  while (at < parts.length && skip >= parts[at]!.length) skip -= parts[at++]!.length
  const rest = parts.slice(at)
  if (skip > 0) rest[0] = rest[0]!.subarray(skip)
  return rest
}

function hasBytes(part: Uint8Array): boolean {
  return part.length > 0
}

function folderInTheWay(path: string): BadArgument {
  return new BadArgument({
    component: 'object store',
    value: path,
    problem: 'the key of an object is the folder of others',
    remedy: 'Choose another name.',
  })
}
