/**
 * The file store: `file:///directory`, the embedded default. An object is a file under its key; file-create.ts says how a
 * name is taken once and durably, file-mend.ts what happens after a power failure. Any number of processes of one host
 * may use the same directory; no lock file, no daemon and no index is involved, so there is nothing to recover.
 */
import { unlink } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import type * as Effect from 'effect/Effect'
import { attempt } from '../system/run.ts'
import { codeOf } from '../system-calls.ts'
import { createLater, createNow } from './file-create.ts'
import { StoreDirectory } from './file-directory.ts'
import { type FileFailure, fileFailure, isAbsent } from './file-errors.ts'
import { listObjects } from './file-list.ts'
import { replaceTorn } from './file-mend.ts'
import { readObject, sizeOfObject } from './file-read.ts'
import { checkKey, checkPrefix, checkRange } from './keys.ts'
import type { ObjectStoreShape } from './object-store.ts'

/** The port with the two synchronous operations that only this store has. */
export type FileStore = ObjectStoreShape & Required<Pick<ObjectStoreShape, 'createNow' | 'replaceTorn'>>

/** Opens the store in `root`, an absolute path, and makes the directory (0700) if there is none. */
export function openFileStore(root: string): Effect.Effect<FileStore, FileFailure> {
  return attempt(async () => fileStore(root))
}

function fileStore(root: string): FileStore {
  const directory = openDirectory(root)
  return {
    url: pathToFileURL(root).href,
    create: (key, body) =>
      attempt(async () => {
        checkKey(key)
        return createLater(directory, key, body)
      }),
    createNow: (key, body) => {
      checkKey(key)
      return createNow(directory, key, body)
    },
    replaceTorn: (key, isWhole, body) => {
      checkKey(key)
      return replaceTorn(directory, key, isWhole, body)
    },
    read: (key, range) =>
      attempt(async () => {
        checkKey(key)
        checkRange(key, range)
        return readObject(directory, key, range)
      }),
    size: (key) =>
      attempt(async () => {
        checkKey(key)
        return sizeOfObject(directory, key)
      }),
    list: (prefix, listing = {}) =>
      attempt(async () => {
        checkPrefix(prefix)
        return listObjects(directory, prefix, listing)
      }),
    remove: (key) =>
      attempt(async () => {
        checkKey(key)
        await removeFile(directory.pathOf(key))
        await removeFile(directory.mendedPathOf(key))
        forgetFailedSync(directory, key)
      }),
  }
}

function openDirectory(root: string): StoreDirectory {
  try {
    const directory = new StoreDirectory(root)
    directory.sweep(Date.now())
    return directory
  } catch (error) {
    throw fileFailure(error, 'opening the store', root)
  }
}

function forgetFailedSync(directory: StoreDirectory, key: string): void {
  const path = directory.pathOf(key)
  try {
    directory.forgetUnsynced(path)
  } catch (error) {
    throw fileFailure(error, 'removing an object', path)
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    // A folder is not an object, so there is none of this name.
    if (isAbsent(error) || codeOf(error) === 'EISDIR') return
    throw fileFailure(error, 'removing an object', path)
  }
}
