/** Deleting directories in which something may be mounted. */
import { existsSync, realpathSync, rmSync } from 'node:fs'
import { hasMountsBelow } from '../postgres/mounts.ts'

/**
 * Deletes `path` and what is in it. False, and nothing is deleted, if anything is mounted there, be it by a Postgres whose
 * binaries are bound there or by a volume: to delete through a mount is to delete what it shows.
 */
export function removeTree(path: string): boolean {
  if (!existsSync(path)) return true
  if (hasMountsBelow(realpathSync(path))) return false
  rmSync(path, { recursive: true, force: true })
  return true
}
