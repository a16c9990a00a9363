/**
 * Reading objects of the file store. Opening and stat(2) happen on the calling thread, for they cost microseconds where a
 * hop to the thread pool costs tens; bytes are read, and the disk is waited for, in the pool. Nothing is cached: the
 * kernel does that.
 */
import { closeSync, constants, fstatSync, fsync, openSync, read } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { syncDirectory } from '../system-calls.ts'
import { settleExisting } from './file-create.ts'
import type { StoreDirectory } from './file-directory.ts'
import { fileFailure, isAbsent, objectMissing } from './file-errors.ts'
import type { ByteRange } from './object-store.ts'

const readLater = promisify(read)
const fsyncLater = promisify(fsync)

/**
 * An object may be seen before it is on the disk: its writer may be about to sync it, or may have been killed before it
 * could. Whoever reads one whole (a journal, the end of the log) is about to build on it, so it is synced first, however old
 * it looks: that costs a flush of the device, there are few such reads, and clocks and the kernel's write-back prove nothing.
 * Ranges are exempt, since they are read of objects that something durable refers to.
 *
 * Throws ObjectMissing or a member of FileFailure.
 */
export async function readObject(
  directory: StoreDirectory,
  key: string,
  range: ByteRange | undefined,
): Promise<Uint8Array> {
  const path = directory.pathOf(key)
  try {
    const file = openSync(path, constants.O_RDONLY)
    try {
      const status = fstatSync(file)
      if (!status.isFile()) throw objectMissing(key, directory.root)
      if (range === undefined) await settle(directory, file, path, status.nlink)
      const offset = range?.offset ?? 0
      const length = Math.max(0, Math.min(range?.length ?? status.size, status.size - offset))
      return await readFully(file, offset, length)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw isAbsent(error) ? objectMissing(key, directory.root) : fileFailure(error, 'reading an object', path)
  }
}

async function settle(directory: StoreDirectory, file: number, path: string, links: number): Promise<void> {
  if (directory.isUnsynced(path)) return settleExisting(directory, path)
  try {
    await fsyncLater(file)
  } catch (error) {
    directory.noteUnsynced(path)
    throw error
  }
  if (!directory.takesNameAlong(links)) syncDirectory(dirname(path))
}

/** Bytes. Throws ObjectMissing or a member of FileFailure. */
export async function sizeOfObject(directory: StoreDirectory, key: string): Promise<number> {
  const path = directory.pathOf(key)
  try {
    const status = await stat(path)
    if (!status.isFile()) throw objectMissing(key, directory.root)
    return status.size
  } catch (error) {
    throw isAbsent(error) ? objectMissing(key, directory.root) : fileFailure(error, 'looking at an object', path)
  }
}

/** Memory of its own, not of Node's pool: readers pass it on to other threads. Short only if the file shrank. */
async function readFully(file: number, offset: number, length: number): Promise<Uint8Array> {
  const target = Buffer.allocUnsafeSlow(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await readLater(file, target, done, length - done, offset + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return target.subarray(0, done)
}
