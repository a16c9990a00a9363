/**
 * The file operations behind `binary-tree.ts`: directories that anybody may traverse, links for library names, and a
 * copy of the package that anybody may read. Modes are set explicitly, since both our umask and the one npm ran under
 * may be 077.
 */
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { LibraryLink, PackagedBinaries } from './binaries.ts'

/** Creates a directory and its missing parents with mode 0755, whatever the umask. Directories that exist keep theirs. */
export function makePublicDirectory(path: string): void {
  if (existsSync(path)) return
  makePublicDirectory(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  }
  chmodSync(path, 0o755)
}

/** Fills `directory` with a symlink for every name, to the file under `root` that carries it. */
export function linkLibraries(root: string, links: readonly LibraryLink[], directory: string): void {
  makePublicDirectory(directory)
  for (const link of links) {
    try {
      symlinkSync(join(root, link.file), join(directory, link.name.slice(link.name.lastIndexOf('/') + 1)))
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error
    }
  }
}

/** Static libraries and build files: nothing that runs needs them. */
const NOT_COPIED = /\.a$|^pgxs$|^pkgconfig$/

/**
 * Copies the package to `target`, with the missing links, and returns `target`; a complete copy is taken as it is.
 * The caller holds the directory's lock. Throws what node:fs throws (ENOSPC, EROFS).
 */
export function copyNative(source: PackagedBinaries, target: string): string {
  if (existsSync(target)) return target
  const partial = `${target}.partial`
  rmSync(partial, { recursive: true, force: true })
  copyDirectory(source.native, partial)
  for (const link of source.missingLinks) {
    const name = link.name.slice(link.name.lastIndexOf('/') + 1)
    symlinkSync(link.file.slice(link.file.lastIndexOf('/') + 1), join(partial, dirname(link.name), name))
  }
  // The name says that it is complete.
  renameSync(partial, target)
  return target
}

function copyDirectory(from: string, to: string): void {
  makePublicDirectory(to)
  for (const name of readdirSync(from)) {
    if (NOT_COPIED.test(name)) continue
    const [source, target] = [join(from, name), join(to, name)]
    const status = lstatSync(source)
    if (status.isSymbolicLink()) {
      // The package's links are library names beside their files.
      symlinkSync(readlinkSync(source), target)
    } else if (status.isDirectory()) {
      copyDirectory(source, target)
    } else {
      copyFileSync(source, target, constants.COPYFILE_FICLONE)
      chmodSync(target, status.mode & 0o100 ? 0o755 : 0o644)
    }
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
