/**
 * The numbers of the kernel's FUSE protocol: opcodes, errno, flags and the limits agreed in INIT. Source: linux
 * include/uapi/linux/fuse.h and asm-generic/errno*.h; the numbers are the same on x86-64 and arm64. Nothing here may
 * depend on the volume: this file and structs.ts are the whole of what we know about the wire.
 */

/** `enum fuse_opcode`. What is not listed is answered ENOSYS, which the kernel remembers for optional operations. */
export const Opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  notifyReply: 41,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
} as const

/** Positive errno values; the wire and the volume carry them negated. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const

export const PROTOCOL_MAJOR = 7
/** Linux 5.4. Older kernels lack what DIRECT_IO over 1 MiB requests needs (FUSE_MAX_PAGES, 7.28). */
export const PROTOCOL_MINOR_MIN = 31
/** The newest layout these files describe: a newer kernel speaks the older dialect when told so. */
export const PROTOCOL_MINOR_MAX = 41

/** `fuse_init_in.flags` that we take when the kernel offers them. Never WRITEBACK_CACHE: it tears 8 KiB pages. */
export const InitFlag = {
  asyncRead: 1 << 0,
  atomicTruncate: 1 << 3,
  bigWrites: 1 << 5,
  readdirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  asyncDirectIo: 1 << 15,
  parallelDirectoryOps: 1 << 18,
  abortError: 1 << 21,
  maxPages: 1 << 22,
} as const

/** `fuse_open_out.open_flags`. */
export const OpenFlag = {
  directIo: 1 << 0,
  keepCache: 1 << 1,
  noFlush: 1 << 5,
  parallelDirectWrites: 1 << 6,
} as const

/** `fuse_setattr_in.valid`. Absent ones (ATIME, CTIME, FH, LOCKOWNER) need nothing from us. */
export const AttributeFlag = { mode: 1, uid: 2, gid: 4, size: 8, mtime: 32, mtimeNow: 256 } as const

/** open(2) flags that reach a server (asm-generic/fcntl.h). */
export const O_TRUNC = 0o1000
export const O_EXCL = 0o200
/** Part of O_SYNC, too. */
export const O_DSYNC = 0o10000

/** `renameat2` flag: fail instead of replacing. EXCHANGE and WHITEOUT are refused. */
export const RENAME_NOREPLACE = 1
/** `fallocate` flag: reserve space, keep the size. */
export const FALLOC_FL_KEEP_SIZE = 1

/** File types and bits of `st_mode`. */
export const S_IFMT = 0o170000
export const S_IFDIR = 0o040000
export const S_IFREG = 0o100000
export const S_IFLNK = 0o120000
export const S_ISGID = 0o2000
export const MODE_BITS = 0o7777

/** The root's node number is fixed by the protocol (FUSE_ROOT_ID); the volume's root has the same. */
export const ROOT_INO = 1
/** NAME_MAX: what STATFS promises. */
export const NAME_BYTES_MAX = 255
/** PATH_MAX: longest target of a symbolic link. */
export const TARGET_BYTES_MAX = 4096

/**
 * Largest READ or WRITE. The kernel would allow 1 MiB (`fs.fuse.max_pages_limit`), but a WRITE of pg_wal is one log entry,
 * and an entry must fit into a frame (FRAME_PAYLOAD_BYTES_MAX, which NATS bounds).
 */
export const TRANSFER_BYTES_MAX = 512 * 1024
export const KERNEL_PAGE_BYTES = 4096
/** The kernel refuses to hand requests to a smaller buffer: max_write, headers, and room for names. */
export const REQUEST_BYTES_MAX = TRANSFER_BYTES_MAX + 64 * 1024
/** Asynchronous requests in flight before the kernel holds callers back; congestion is its three quarters. */
export const BACKGROUND_REQUESTS_MAX = 64
/** `fuse_notify_code`: asks the kernel for cached bytes of a file, which it answers through our request queue. */
export const NOTIFY_RETRIEVE = 5
