/**
 * Listing the file store: one walk in byte order of the keys, which never reads a folder that cannot hold an answer. A
 * timeline's log may have a hundred thousand objects in one folder, so sizes, which cost a stat(2) each, are left out
 * unless asked for.
 */
import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { StoreDirectory } from './file-directory.ts'
import { fileFailure, isAbsent } from './file-errors.ts'
import { isSegment } from './keys.ts'
import type { ListOptions, ObjectEntry } from './object-store.ts'

/** More at a time only queue up for the four threads of the pool. */
const STATS_AT_ONCE = 32

interface Query {
  readonly root: string
  readonly prefix: string
  readonly startAfter: string
  readonly limit: number
}

/** Throws the members of FileFailure. */
export async function listObjects(
  directory: StoreDirectory,
  prefix: string,
  { startAfter = '', limit = Number.POSITIVE_INFINITY, sizes = false }: ListOptions,
): Promise<ReadonlyArray<ObjectEntry>> {
  try {
    const keys: string[] = []
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    await walk({ root: directory.root, prefix, startAfter, limit }, folder, keys)
    return sizes ? await withSizes(directory, keys) : keys.map((key) => ({ key, size: undefined }))
  } catch (error) {
    throw fileFailure(error, 'listing objects', join(directory.root, prefix))
  }
}

/** Adds the keys below `folder` ('' or ending in a slash) that answer the query. */
async function walk(query: Query, folder: string, keys: string[]): Promise<void> {
  for (const name of await namesIn(join(query.root, folder))) {
    if (keys.length >= query.limit) return
    const key = folder + name
    if (name.endsWith('/')) {
      if (mayHold(query, key)) await walk(query, key, keys)
    } else if (key.startsWith(query.prefix) && key > query.startAfter) {
      keys.push(key)
    }
  }
}

/** True if a key below `folder` may begin with the prefix and come after `startAfter`. */
function mayHold({ prefix, startAfter }: Query, folder: string): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false
  return folder > startAfter || startAfter.startsWith(folder)
}

/** Sorted such that a walk yields keys in byte order: a folder counts as its name with the slash that follows in keys. */
async function namesIn(path: string): Promise<ReadonlyArray<string>> {
  let entries: ReadonlyArray<Dirent>
  try {
    entries = await readdir(path, { withFileTypes: true })
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
  const names: string[] = []
  for (const entry of entries) {
    if (!isSegment(entry.name)) continue
    if (entry.isFile()) names.push(entry.name)
    else if (entry.isDirectory()) names.push(`${entry.name}/`)
  }
  return names.sort()
}

/** Objects that were removed since are left out. */
async function withSizes(directory: StoreDirectory, keys: ReadonlyArray<string>): Promise<ReadonlyArray<ObjectEntry>> {
  const entries: ObjectEntry[] = []
  for (let at = 0; at < keys.length; at += STATS_AT_ONCE) {
    const found = await Promise.all(keys.slice(at, at + STATS_AT_ONCE).map((key) => sized(directory, key)))
    entries.push(...found.filter((entry) => entry !== undefined))
  }
  return entries
}

async function sized(directory: StoreDirectory, key: string): Promise<ObjectEntry | undefined> {
  try {
    return { key, size: (await stat(directory.pathOf(key))).size }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
