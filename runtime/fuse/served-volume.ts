/**
 * What the FUSE server needs of a volume and of its driver, and no more: the server can be tested against a small
 * volume, and the volume knows nothing of FUSE. All operations are synchronous. Where one returns a number, a negative
 * one is -errno, or WANTS_BYTES or NEEDS_SEAL (runtime/volume/types.ts); an operation that returns one of those two has
 * changed nothing and may be repeated.
 */

/** A file, directory or symbolic link. `mode` has the type bits of stat(2). */
export interface ServedNode {
  readonly ino: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly nlink: number
  /** Target of a symbolic link. */
  readonly target: string
  readonly mtimeMs: number
  readonly ctimeMs: number
  /** Name → inode, of a directory. */
  readonly children: ReadonlyMap<string, number> | undefined
}

export interface ServedVolume {
  /** Inode of the name, 0 if there is none. */
  lookup(parent: number, name: string): number
  /** The node while it has a name or is retained. */
  node(ino: number): ServedNode | undefined
  /** New inode or -errno. */
  create(parent: number, name: string, mode: number, uid: number, gid: number, target?: string): number
  unlink(parent: number, name: string): number
  rmdir(parent: number, name: string): number
  rename(parent: number, name: string, newParent: number, newName: string, noReplace: boolean): number
  link(ino: number, parent: number, name: string): number
  /** Sets all four; `mode` without type bits. */
  setAttributes(ino: number, mode: number, uid: number, gid: number, mtimeMs: number): number
  truncate(ino: number, size: number): number
  /** Grows the file to hold [offset, offset + length). */
  allocate(ino: number, offset: number, length: number): number
  /** Bytes read, fewer only at the end of the file. */
  read(ino: number, offset: number, length: number, target: Uint8Array, targetOffset: number): number
  /** Bytes written; the whole request is applied, or nothing. */
  write(ino: number, offset: number, source: Uint8Array, from: number, length: number): number
  /** Keeps an inode alive without a name; one call per `release`. */
  retain(ino: number): void
  release(ino: number): void
}

/** Where requests come from and replies go: `/dev/fuse` (device.ts), or a test's arrays. */
export interface FuseDevice {
  /** Bytes of the next request, 0 if there is none after all, `DEVICE_GONE` once unmounted. May block. */
  read(request: Buffer): number
  /** Sends bytes [0, length) as one reply or notification. False if nobody waits for it any more. */
  reply(bytes: Buffer, length: number): boolean
}

/** `FuseDevice.read`: the mount is gone and there will be no more requests. */
export const DEVICE_GONE = -1

/**
 * Who answers what cannot be answered at once. `bytesWanted` and `spaceWanted` are called when the server is done with
 * the request and has kept a copy; they may call `FuseServer.retry` at once or much later, from the server's thread.
 */
export interface SlowPath {
  /** The request lacks the bytes that `volume.wanted` names now. Deliver them, then `retry(token)` or `abandon(token)`. */
  bytesWanted(token: number, ino: number): void
  /** The request needs a free page slot: seal, then `retry(token)` or `abandon(token)`. */
  spaceWanted(token: number, ino: number): void
  /**
   * FSYNC of a file, or of a directory. True if it was or will be replied to by the callee (`replyEmpty`,
   * `replyError`, from any thread); false if there is nothing to wait for: then the server replies.
   */
  sync(uniqueLow: number, uniqueHigh: number, ino: number): boolean
}

export interface ServerOptions {
  /**
   * Seconds for which the kernel may keep attributes, names and the absence of names. Hours where this mount is the only
   * writer; 0 where the volume changes underneath (a standby that follows a log).
   */
  readonly validSeconds?: number
  /** Files whose pages the kernel may cache (never pg_wal of a standby). Default: none, all I/O is direct. */
  readonly cacheData?: (ino: number) => boolean
  /** Size that STATFS reports; there is no real bound but the bill. */
  readonly capacityBytes?: number
  /** Milliseconds since 1970, for utimensat(2) with UTIME_NOW. */
  readonly now?: () => number
}
