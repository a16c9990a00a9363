/**
 * Makes the packaged Postgres runnable by the unprivileged user. The package may lie below a 0700 home, be read-only, or
 * have been installed with its scripts skipped, so that the names the loader asks for (libpq.so.5) do not exist.
 * Postgres finds lib/ and share/ relative to the resolved path of its executable, so a tree of symlinks would lead back
 * to where the user may not go. Three placements work; the first that a trial run as that user confirms is taken:
 *
 * - in place: nothing but a directory of links for the missing library names, given to the loader by LD_LIBRARY_PATH;
 * - bind mount: the package appears read-only under a path that the user can traverse, and costs neither time nor memory;
 * - copy: ~60 MB, when mounting is forbidden or the files themselves are unreadable.
 *
 * Several processes may share a directory: each leaves a mark, and the last to leave removes the tree. What a killed
 * process leaves behind is removed by the next one to prepare. Only this file creates or removes anything there.
 */
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { HostUnfit } from '../errors.ts'
import type { LibraryLink, PackagedBinaries } from './binaries.ts'
import { copyNative, linkLibraries, makePublicDirectory } from './binary-copy.ts'
import { runCommand } from './command.ts'
import { withHostLock } from './host-lock.ts'
import { bindReadOnly, hasMountsBelow, isMounted, unmount } from './mounts.ts'
import { processStartTicks } from './processes.ts'
import { asUser, type UnprivilegedUser } from './user.ts'

export type Placement = 'in-place' | 'bind-mount' | 'copy'

export interface PostgresBinaries {
  readonly placement: Placement
  /** Absolute path of the postgres executable, as the unprivileged user reaches it. */
  readonly postgres: string
  readonly initdb: string
  /** What these programs need in their environment beside BASE_ENVIRONMENT. */
  readonly environment: Readonly<Record<string, string>>
  /** Gives the tree back; whoever is last removes it. Safe to call twice. Stop every Postgres of this tree first. */
  readonly dispose: () => Promise<void>
}

export interface PrepareOptions {
  readonly source: PackagedBinaries
  /** Where to keep what has to be prepared; its parents must be traversable by the user (0755). Created if absent. */
  readonly directory: string
  readonly user: UnprivilegedUser
  /** Which placements may be tried, in this order. */
  readonly placements?: readonly Placement[]
}

const PLACEMENTS: readonly Placement[] = ['in-place', 'bind-mount', 'copy']

/**
 * Prepares a runnable tree, or shares the one that another process prepared.
 * @throws HostUnfit with what each placement failed of.
 */
export async function prepareBinaries(options: PrepareOptions): Promise<PostgresBinaries> {
  makePublicDirectory(options.directory)
  const directory = realpathSync(options.directory)
  const lock = join(directory, 'lock')
  const tree = join(directory, treeName(options.source, options.user))
  return withHostLock(lock, async () => {
    await sweep(directory)
    const mark = leaveMark(tree)
    const dispose = async () => {
      if (existsSync(tree)) await withHostLock(lock, () => giveBack(tree, mark))
    }
    try {
      return { ...(await place(options, tree)), dispose }
    } catch (error) {
      await giveBack(tree, mark)
      throw error
    }
  })
}

async function place(options: PrepareOptions, tree: string): Promise<Omit<PostgresBinaries, 'dispose'>> {
  const complaints: string[] = []
  for (const placement of options.placements ?? PLACEMENTS) {
    const root = await provideRoot(placement, options.source, tree)
    if (typeof root !== 'string') {
      complaints.push(`${placement}: ${root.complaint}`)
      continue
    }
    const environment = placement === 'copy' ? {} : provideLibraries(placement, root, options.source, tree)
    const complaint = await trialRun(root, environment, options.user)
    if (complaint === undefined) {
      return { placement, postgres: join(root, 'bin/postgres'), initdb: join(root, 'bin/initdb'), environment }
    }
    complaints.push(`${placement}: ${complaint}`)
  }
  throw new HostUnfit({
    component: 'postgres binaries',
    value: options.source.native,
    problem: `the user ${options.user.name} cannot run Postgres: ${complaints.join('; ')}`,
    remedy:
      'If a shared library is missing, install it (Debian: libstdc++6). Otherwise make the package readable for that ' +
      `user (chmod o+x on its parent directories), allow mounts, or keep ${tree} on a file system without noexec.`,
  })
}

/** The directory with bin/, lib/ and share/ of a placement, or what stands in its way. */
async function provideRoot(
  placement: Placement,
  source: PackagedBinaries,
  tree: string,
): Promise<string | { readonly complaint: string }> {
  switch (placement) {
    case 'in-place':
      return source.native
    case 'bind-mount': {
      const target = join(tree, 'native')
      makePublicDirectory(target)
      const complaint = isMounted(target) ? undefined : await bindReadOnly(source.native, target)
      return complaint === undefined ? target : { complaint }
    }
    case 'copy':
      try {
        return copyNative(source, join(tree, 'copy'))
      } catch (error) {
        return { complaint: error instanceof Error ? error.message : String(error) }
      }
  }
}

function provideLibraries(placement: Placement, root: string, source: PackagedBinaries, tree: string) {
  if (source.missingLinks.length === 0) return {}
  // Only what is needed goes in: LD_LIBRARY_PATH also reaches the programs that Postgres itself starts.
  const libraries = join(tree, `lib-${placement}`)
  linkLibraries(root, [...source.missingLinks, ...companions(source)], libraries)
  return { LD_LIBRARY_PATH: libraries }
}

/**
 * What the libraries behind the missing names load in turn. They look beside themselves (RUNPATH $ORIGIN), and to the
 * loader that is where the link lies, not the file that it leads to.
 */
function companions(source: PackagedBinaries): readonly LibraryLink[] {
  const names = readdirSync(join(source.native, 'lib')).filter((name) => /^lib(ssl|crypto)\.so\./.test(name))
  return names.map((name) => ({ name: `lib/${name}`, file: `lib/${name}` }))
}

/** What the unprivileged user must be able to do, tried rather than derived from modes: ACLs and noexec count too. */
const TRIAL = `
"$1/bin/postgres" --version && "$1/bin/initdb" --version || exit 1
for file in share/postgresql/postgres.bki share/postgresql/timezonesets/Default lib/postgresql/plpgsql.so; do
  test -r "$1/$file" || { echo "$1/$file is not readable" >&2; exit 1; }
done`

async function trialRun(root: string, environment: Record<string, string>, user: UnprivilegedUser) {
  const result = await runCommand(asUser(user, ['/bin/sh', '-c', TRIAL, 'sh', root]), { environment })
  return result.code === 0 ? undefined : result.stderr.trim() || `the trial run ended with code ${result.code}`
}

/** Another package, another user or another boot is another tree: what was copied before a power cut may be torn. */
function treeName(source: PackagedBinaries, user: UnprivilegedUser): string {
  const executable = statSync(join(source.native, 'bin/postgres'))
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const identity = [source.native, executable.dev, executable.ino, executable.mtimeMs, executable.size, user.uid, boot]
  return createHash('sha256').update(identity.join('\n')).digest('hex').slice(0, 12)
}

function leaveMark(tree: string): string {
  makePublicDirectory(join(tree, 'users'))
  const mark = join(tree, 'users', `${process.pid}-${processStartTicks(process.pid)}-${randomBytes(4).toString('hex')}`)
  writeFileSync(mark, '')
  return mark
}

async function giveBack(tree: string, mark: string): Promise<void> {
  rmSync(mark, { force: true })
  await removeIfUnused(tree)
}

/** Removes trees whose users are all gone, as after a kill. */
async function sweep(directory: string): Promise<void> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory() && /^[0-9a-f]{12}$/.test(entry.name)) await removeIfUnused(join(directory, entry.name))
  }
}

async function removeIfUnused(tree: string): Promise<void> {
  const users = join(tree, 'users')
  mkdirSync(users, { recursive: true })
  for (const mark of readdirSync(users)) if (!isAlive(mark)) rmSync(join(users, mark), { force: true })
  if (readdirSync(users).length > 0) return
  const mountPoint = join(tree, 'native')
  while (isMounted(mountPoint)) if (!(await unmount(mountPoint))) return
  // Deleting through a mount would delete the package itself.
  if (hasMountsBelow(tree)) return
  for (const name of readdirSync(tree))
    if (name !== 'native') rmSync(join(tree, name), { recursive: true, force: true })
  if (existsSync(mountPoint)) rmdirSync(mountPoint)
  rmdirSync(tree)
}

/** A pid alone would be fooled by its next owner; with the start time it names one process of this boot. */
function isAlive(mark: string): boolean {
  const [pid, startTicks] = mark.split('-')
  return processStartTicks(Number(pid)) === Number(startTicks)
}
