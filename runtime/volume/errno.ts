/**
 * The refusals of POSIX that a volume gives, as Linux numbers them. Operations return them negated. They are not errors in
 * the sense of runtime/errors.ts: the caller is a program that asked for something, not somebody whose database failed.
 */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ENOTEMPTY: 39,
} as const
