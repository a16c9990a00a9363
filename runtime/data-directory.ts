/**
 * The data directory: what belongs to one Loch on one host. It says which version wrote it, which process owns it now,
 * and where things lie in it; the files themselves belong to their writers. Nothing in it but `objects/` is
 * authoritative, and that only for the embedded store: the rest may be lost at any time.
 *
 * One process owns it at a time. The owner is named by the newest of the files `run/owner.<n>`: to become the owner is to
 * create the next one, and only one process can. So a dead owner's claim is never removed before it is superseded, and
 * there is no moment at which two processes both believe that they broke a stale lock.
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { claimOwnership, type Ownership } from './control/ownership.ts'
import { removeTree } from './control/remove-tree.ts'
import { writeWhole } from './control/small-files.ts'
import { BadArgument, Damaged, DiskFailed, FormatTooNew, isLochError } from './errors.ts'
import { makePublicDirectory } from './postgres/binary-copy.ts'

export interface DataDirectory {
  /** Absolute, without symbolic links. */
  readonly path: string
  /** Eight hexadecimal digits that name the directory on this host. */
  readonly instance: string
  /** /run/loch/<instance>: for what Postgres's user must reach, since `path` may lie below a directory of root's. */
  readonly runtimePath: string
  readonly paths: DataPaths
  /** Removes `runtimePath` unless something is mounted there, and lets others own it. Harmless when repeated. */
  readonly release: () => void
}

export interface DataPaths {
  readonly objects: string
  readonly zones: string
  readonly logs: string
  readonly run: string
  readonly password: string
  readonly status: string
}

/** Of the layout of the directory, not of what is in the object store. */
export const FORMAT_VERSION = 1
const FORMAT_PREFIX = 'loch '
const RUNTIME_ROOT = '/run/loch'
const OWN_NAMES: readonly string[] = ['objects', 'zones', 'logs', 'run', 'password']

/**
 * Opens `path` for this process alone, making it (0700) if there is none. `runtimeRoot` is for tests.
 * @throws FormatTooNew, Damaged; BadArgument if it is somebody else's directory; Refused naming the pid of its owner;
 * DiskFailed.
 */
export function openDataDirectory(path: string, runtimeRoot: string = RUNTIME_ROOT): DataDirectory {
  return onDisk(path, () => {
    const absolute = resolve(path)
    refuseForeign(absolute)
    mkdirSync(absolute, { recursive: true, mode: 0o700 })
    const real = realpathSync(absolute)
    checkFormat(real)
    chmodSync(real, 0o700)
    const paths = dataPaths(real)
    for (const directory of [paths.run, paths.logs, paths.zones]) mkdirSync(directory, { recursive: true, mode: 0o700 })
    const ownership = claimOwnership(paths.run, real)
    const runtime = runtimeOf(real, runtimeRoot)
    return { path: real, paths, ...runtime, release: releaseOnce(runtime.runtimePath, ownership) }
  })
}

/** Where things lie in a data directory, whether or not it exists. */
export function dataPaths(path: string): DataPaths {
  const absolute = existsSync(path) ? realpathSync(path) : resolve(path)
  const run = join(absolute, 'run')
  return {
    objects: join(absolute, 'objects'),
    zones: join(absolute, 'zones'),
    logs: join(absolute, 'logs'),
    run,
    password: join(absolute, 'password'),
    status: join(run, 'status.json'),
  }
}

/** Eight hexadecimal digits: two directories of a host share them once in 4 billion pairs. */
export function instanceOf(realPath: string): string {
  return createHash('sha256').update(realPath).digest('hex').slice(0, 8)
}

function runtimeOf(realPath: string, runtimeRoot: string): { readonly instance: string; readonly runtimePath: string } {
  const instance = instanceOf(realPath)
  const runtimePath = join(runtimeRoot, instance)
  makePublicDirectory(runtimePath)
  return { instance, runtimePath }
}

/** First what lies outside of the directory, while nobody else can have put it there. */
function releaseOnce(runtimePath: string, ownership: Ownership): () => void {
  let isReleased = false
  return () => {
    if (isReleased) return
    isReleased = true
    try {
      removeTree(runtimePath)
    } catch {
      // Left for the next start, which makes it anew or uses it.
    }
    ownership.release()
  }
}

/** Its mode is about to be changed and files put into it: that must not happen to somebody's home. */
function refuseForeign(path: string): void {
  if (!existsSync(path) || existsSync(join(path, 'format'))) return
  const stranger = readdirSync(path).find((name) => !isOurs(name))
  if (stranger === undefined) return
  throw new BadArgument({
    component: '--data',
    value: path,
    problem: `this directory is not Loch's: it has no file "format", but holds "${stranger}"`,
    remedy: 'Name a directory that is empty or does not exist yet.',
  })
}

/**
 * What an interrupted first start can leave before the format file stands, and what somebody leaves who deletes everything
 * but the object store, which must be enough to start from.
 */
function isOurs(name: string): boolean {
  return name.startsWith('.format.') || OWN_NAMES.includes(name)
}

function checkFormat(path: string): void {
  const file = join(path, 'format')
  if (!existsSync(file)) writeWhole(file, `${FORMAT_PREFIX}${FORMAT_VERSION}\n`, 0o600)
  const text = readFileSync(file, 'utf8').trim()
  const version = new RegExp(`^${FORMAT_PREFIX}(\\d{1,9})$`).exec(text)?.[1]
  if (version === undefined) {
    throw new Damaged({
      component: 'data directory',
      value: file,
      problem: `${basename(file)} says ${JSON.stringify(text.slice(0, 40))} instead of "${FORMAT_PREFIX}${FORMAT_VERSION}"`,
      remedy: "Restore this file; if the directory is not Loch's, name another with --data.",
    })
  }
  if (Number(version) <= FORMAT_VERSION) return
  throw new FormatTooNew({
    component: 'data directory',
    value: path,
    problem: `it was written in format ${version}, and this Loch knows ${FORMAT_VERSION}`,
    remedy: 'Start the version of Loch that wrote it, or a newer one. Nothing has been changed.',
  })
}

function onDisk<A>(path: string, work: () => A): A {
  try {
    return work()
  } catch (cause) {
    if (isLochError(cause)) throw cause
    throw new DiskFailed({
      component: 'data directory',
      value: path,
      problem: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Check that the path is a directory that root can write to, and that the disk has space.',
      cause,
    })
  }
}
