/**
 * The repair of an object that a power failure has torn. Its name is taken, so nobody could ever create it; and a whole
 * object, which after the repair it is, must never be replaced. Several may find it torn at once, and one that judged it
 * torn may be arbitrarily slow to act, so "look, then replace" is not enough:
 *
 *   1. Write the new object, durably and nameless.
 *   2. link(2) it to the mending name of the key: the first to do so decides, once and for all, by what the torn
 *      object is replaced. Everybody else takes up the winner's.
 *   3. rename(2) a further link of the decided file over the torn one.
 *
 * Step 3 may come late and often: it can only put the decided file where it already is, a no-op by rename(2). And it
 * never meets a whole object of a writer, because an object that is visible is whole until the power fails
 * (file-create.ts), and no writer lives through that. The mending name stays until the object is removed; its file is
 * the object's own, so it costs a directory entry.
 */
import { linkSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { DiskFailed } from '../errors.ts'
import { syncDirectory } from '../system-calls.ts'
import { createNow, linkIfFree, settleExisting, unlinkIfThere, writeNameless } from './file-create.ts'
import type { StoreDirectory } from './file-directory.ts'
import { fileFailure, isAbsent } from './file-errors.ts'
import type { Creation } from './object-store.ts'

/** See `ObjectStoreShape.replaceTorn`. Throws the members of FileFailure. */
export function replaceTorn(
  directory: StoreDirectory,
  key: string,
  isWhole: (bytes: Uint8Array) => boolean,
  body: ReadonlyArray<Uint8Array>,
): Creation {
  const path = directory.pathOf(key)
  try {
    const found = readIfThere(path)
    if (found === undefined) return createNow(directory, key, body)
    if (isWhole(found)) {
      settleExisting(directory, path)
      return 'exists'
    }
    const creation = decide(directory, key, body)
    install(directory, key)
    if (creation === 'exists') expectWhole(path, isWhole)
    return creation
  } catch (error) {
    throw fileFailure(error, 'replacing a torn object', path)
  }
}

function decide(directory: StoreDirectory, key: string, body: ReadonlyArray<Uint8Array>): Creation {
  const temporary = writeNameless(directory, body)
  try {
    return linkIfFree(temporary, directory.mendedPathOf(key)) ? 'created' : 'exists'
  } finally {
    unlinkIfThere(temporary)
  }
}

function install(directory: StoreDirectory, key: string): void {
  const path = directory.pathOf(key)
  const further = directory.temporaryPath()
  linkSync(directory.mendedPathOf(key), further)
  try {
    renameSync(further, path)
  } finally {
    // Still there if it was the same file already.
    unlinkIfThere(further)
  }
  syncDirectory(dirname(path))
}

/** A mended object was durable before it was named; if it does not check now, the disk has lost what it promised. */
function expectWhole(path: string, isWhole: (bytes: Uint8Array) => boolean): void {
  const bytes = readIfThere(path)
  if (bytes === undefined || isWhole(bytes)) return
  throw new DiskFailed({
    component: 'object store',
    value: path,
    problem: 'the object is damaged although it was replaced and synced once before',
    remedy: "Look at the kernel's log (dmesg) for this disk, and at whether it honours cache flushes.",
  })
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
