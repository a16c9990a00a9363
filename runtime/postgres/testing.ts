/** What the tests of this folder share: whether Postgres can run here, and a package as npm leaves it without scripts. */
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isLochError } from '../errors.ts'
import { inspectNative, locateBinaries, type PackagedBinaries } from './binaries.ts'
import { unprivilegedUser } from './user.ts'

/** Why Postgres cannot be run by this process on this host, or undefined if it can. */
export function whatIsMissing(): string | undefined {
  try {
    locateBinaries()
    unprivilegedUser()
    return undefined
  } catch (error) {
    return isLochError(error) ? error.problem : String(error)
  }
}

/** A copy of the installed package at `target`, without the library links that its install script makes. */
export function packageWithoutLinks(target: string): PackagedBinaries {
  const installed = locateBinaries().native
  const filter = (path: string) => !/\.a$|\/pgxs$/.test(path)
  cpSync(installed, target, { recursive: true, verbatimSymlinks: true, filter })
  const listing = JSON.parse(readFileSync(join(installed, 'pg-symlinks.json'), 'utf8')) as { target: string }[]
  for (const link of listing) rmSync(join(target, link.target.slice('native/'.length)), { force: true })
  if (existsSync(join(target, 'lib/libpq.so.5'))) throw new Error('broken invariant: the links are gone')
  return inspectNative(target)
}
