/**
 * What becomes of a file's bytes. Decided once, when the file is created, from its name and directory, and kept in the
 * file table. The rule is part of the meaning of the log: a file that was made under one class is read back under it, so
 * the rule may be widened for names that no log contains, and not otherwise.
 *
 *   logged  pg_wal and everything small: the bytes stand in the log, because they must be durable at once and in order.
 *   paged   relation files: pages are sealed into segments at fsync and never logged, because they are most of the bytes.
 *   local   what Postgres throws away at its next start: neither logged nor sealed, and gone with the process. Lock files
 *           are among them, so that no reign finds the pid of an earlier one.
 *
 * Nothing here knows where the data directory lies in the volume: only a file's parent and grandparent are looked at.
 */
export const FileClass = { logged: 1, paged: 2, local: 3 } as const
export type FileClass = (typeof FileClass)[keyof typeof FileClass]

/** A directory, as far as its place decides on what is made in it. */
export interface Place {
  readonly name: string
  readonly parent: Place | undefined
  readonly fileClass: FileClass
}

const RELATION = /^\d+(_(fsm|vm|init))?(\.\d+)?$/
const TEMPORARY_RELATION = /^t\d+_\d+(_(fsm|vm|init))?(\.\d+)?$/
const NUMBER = /^\d+$/
/** A tablespace inside the data directory has one of these per version of the catalogue. */
const VERSION_DIRECTORY = /^PG_\d+_\d+$/
const LOCK_FILES: ReadonlySet<string> = new Set(['postmaster.pid', 'postmaster.opts'])

/** Class of a node about to be made as `name` in `directory`. Only regular files can be paged. */
export function classify(directory: Place, name: string, isFile: boolean): FileClass {
  if (isLocal(directory, name)) return FileClass.local
  return isFile && holdsRelations(directory) && RELATION.test(name) ? FileClass.paged : FileClass.logged
}

function isLocal(directory: Place, name: string): boolean {
  if (directory.fileClass === FileClass.local) return true
  if (name.startsWith('pgsql_tmp') || directory.name === 'pg_stat_tmp' || LOCK_FILES.has(name)) return true
  return holdsRelations(directory) && TEMPORARY_RELATION.test(name)
}

function holdsRelations(directory: Place): boolean {
  if (directory.name === 'global') return true
  const above = directory.parent?.name ?? ''
  return NUMBER.test(directory.name) && (above === 'base' || VERSION_DIRECTORY.test(above))
}

/** A symbolic link here would name a tablespace outside the volume, which would not be durable and not be in a branch. */
export function refusesLinks(directory: Place): boolean {
  return directory.name === 'pg_tblspc'
}
