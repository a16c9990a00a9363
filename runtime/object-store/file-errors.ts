/**
 * What a failed system call means to the owner of a database: which disk, and what to do about it. Codes that no full,
 * forbidden or broken disk explains are not translated; they are faults of ours and must surface as such.
 */
import { BadArgument, DiskFailed, isLochError, ObjectMissing, StoreRefused } from '../errors.ts'
import { codeOf } from '../system-calls.ts'

export type FileFailure = BadArgument | StoreRefused | DiskFailed

/** True if `error` says that the file, or a folder on the way to it, is not there. */
export function isAbsent(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** The failure to throw for `error`, met while `doing` something to `path`. Members of the closed set pass unchanged. */
export function fileFailure(error: unknown, doing: string, path: string): unknown {
  if (isLochError(error)) return error
  const code = codeOf(error)
  const complaint = { component: 'object store', value: path, cause: error }
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new DiskFailed({
        ...complaint,
        problem: `no space left while ${doing}`,
        remedy: 'Free space on this disk or move the store to a larger one; nothing acknowledged is lost.',
      })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StoreRefused({
        ...complaint,
        problem: `not permitted while ${doing} (${code})`,
        remedy: 'Let the user that runs Loch own the directory, on a writable filesystem that has hard links.',
      })
    case 'EXDEV':
    case 'EMLINK':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'ENOSYS':
      return new StoreRefused({
        ...complaint,
        problem: `the filesystem lacks what the store needs, while ${doing} (${code})`,
        remedy: 'Keep the store on one local filesystem with hard links, such as ext4, xfs or btrfs.',
      })
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENAMETOOLONG':
      return new BadArgument({
        ...complaint,
        problem: `a name cannot be both an object and a folder, nor too long, while ${doing} (${code})`,
        remedy: 'Choose another name.',
      })
    case 'EMFILE':
    case 'ENFILE':
      return new DiskFailed({
        ...complaint,
        problem: `too many open files while ${doing}`,
        remedy: 'Raise the limit of open files (ulimit -n, or LimitNOFILE of the service).',
      })
    default:
      if (code === undefined) return error
      return new DiskFailed({
        ...complaint,
        problem: `${code} while ${doing}`,
        remedy: "Look at the kernel's log (dmesg) for this disk; replace it if it reports errors.",
      })
  }
}

/** What a reader is told of a name that is not there. */
export function objectMissing(key: string, store: string): ObjectMissing {
  return new ObjectMissing({
    component: 'object store',
    value: key,
    problem: `there is no such object in ${store}`,
    remedy: 'Check that Loch uses the store that the data was written to.',
  })
}
