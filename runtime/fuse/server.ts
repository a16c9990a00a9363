/**
 * The FUSE server: takes one request at a time from a buffer, applies it to the volume and answers it. What cannot be
 * answered at once is kept and handed to the slow path; the server itself never waits, owns no thread and no clock, so
 * the FUSE worker drives it in production and a test feeds it bytes.
 *
 *   const device = new KernelDevice(descriptor)
 *   const server = new FuseServer(device, volume, slowPath)
 *   for (let length; (length = device.read(request)) !== DEVICE_GONE; ) server.handle(request, length)
 */
import { NEEDS_SEAL, WANTS_BYTES } from '../volume/types.ts'
import { DirectoryOperations } from './directory-operations.ts'
import { Exchange, NO_REPLY } from './exchange.ts'
import { FileOperations } from './file-operations.ts'
import { KernelInodes } from './kernel-inodes.ts'
import { LateReplies } from './late-replies.ts'
import { NamespaceOperations } from './namespace-operations.ts'
import { negotiate } from './negotiation.ts'
import { Errno, O_TRUNC, Opcode } from './protocol.ts'
import type { FuseDevice, ServedVolume, ServerOptions, SlowPath } from './served-volume.ts'
import { OpenIn } from './structs.ts'
import { WAKE_INO, wakeAttributesReply } from './wake-file.ts'

/** A day. A mount is the only writer of its volume, unless the driver says otherwise. */
const VALID_SECONDS = 86_400

/** Operations that change the volume or promise durability: all refused once the log has failed. */
const changing = new Uint8Array(64)
for (const opcode of [
  Opcode.setattr,
  Opcode.symlink,
  Opcode.mknod,
  Opcode.mkdir,
  Opcode.unlink,
  Opcode.rmdir,
  Opcode.rename,
  Opcode.rename2,
  Opcode.link,
  Opcode.create,
  Opcode.write,
  Opcode.fallocate,
  Opcode.fsync,
  Opcode.fsyncdir,
]) {
  changing[opcode] = 1
}

export class FuseServer {
  /** Wake requests seen so far (wake.ts): when it has grown, another thread has left something for this one. */
  wakes = 0
  private failure = 0
  private lastToken = 0
  private readonly parked = new Map<number, Buffer>()
  private readonly exchange: Exchange
  private readonly late: LateReplies
  private readonly slow: SlowPath
  private readonly inodes: KernelInodes
  private readonly names: NamespaceOperations
  private readonly files: FileOperations
  private readonly directories: DirectoryOperations

  constructor(device: FuseDevice, volume: ServedVolume, slow: SlowPath, options: ServerOptions = {}) {
    this.exchange = new Exchange(device)
    this.late = new LateReplies(device)
    this.slow = slow
    this.inodes = new KernelInodes(volume, options.validSeconds ?? VALID_SECONDS)
    this.names = new NamespaceOperations(volume, this.inodes)
    this.files = new FileOperations(volume, this.inodes, this.names, slow, options)
    this.directories = new DirectoryOperations(volume, this.inodes)
  }

  /**
   * Handles the request in request[0, length). If the volume throws, the request is answered EIO and the error is
   * thrown on: the driver decides whether the volume can go on.
   */
  handle(request: Buffer, length: number): void {
    this.serve(request, length, 0)
  }

  /** Repeats a request whose bytes or space have come. It may turn out to lack more: then the slow path is asked again. */
  retry(token: number): void {
    const request = this.parkedRequest(token)
    this.serve(request, request.length, token)
  }

  /** Answers a kept request with `errno` (positive): its bytes or space will not come. */
  abandon(token: number, errno: number): void {
    const request = this.parkedRequest(token)
    this.parked.delete(token)
    this.exchange.begin(request, request.length)
    this.exchange.reply(-errno)
  }

  /** Answers an FSYNC that the slow path took (`SlowPath.sync`). Other threads use LateReplies. */
  replyEmpty(uniqueLow: number, uniqueHigh: number): void {
    this.late.replyEmpty(uniqueLow, uniqueHigh)
  }

  /** As `replyEmpty`, with failure; `errno` is positive. */
  replyError(uniqueLow: number, uniqueHigh: number, errno: number): void {
    this.late.replyError(uniqueLow, uniqueHigh, errno)
  }

  /** From now on every change and every sync is answered `errno` (positive): this writer's log has ended. */
  refuseChanges(errno: number): void {
    this.failure = errno
  }

  /** Requests that wait for bytes or space. */
  get parkedCount(): number {
    return this.parked.size
  }

  /** Inodes that the kernel knows, and directories that it has open. */
  get kernelState(): { readonly inodes: number; readonly directories: number } {
    return { inodes: this.inodes.count, directories: this.directories.openCount }
  }

  /** The mount is gone: lets go of what the kernel held. */
  close(): void {
    this.inodes.forgetAll()
    this.parked.clear()
  }

  private parkedRequest(token: number): Buffer {
    const request = this.parked.get(token)
    if (!request) throw new Error(`no request waits under token ${token}`)
    return request
  }

  /** `token` is 0 for a request that just arrived. */
  private serve(request: Buffer, length: number, token: number): void {
    const x = this.exchange
    x.begin(request, length)
    let result = NO_REPLY
    try {
      result = this.dispatch(x)
    } catch (error) {
      this.parked.delete(token)
      x.reply(-Errno.EIO)
      throw error
    }
    if (result === WANTS_BYTES || result === NEEDS_SEAL) this.park(x, token, result)
    else {
      if (token !== 0) this.parked.delete(token)
      if (result !== NO_REPLY) x.reply(result)
    }
  }

  /** Last thing done with a request, because the callee may retry at once. */
  private park(x: Exchange, retried: number, result: number): void {
    const token = retried !== 0 ? retried : ++this.lastToken
    if (retried === 0) this.parked.set(token, x.copyRequest())
    if (result === WANTS_BYTES) this.slow.bytesWanted(token, x.ino)
    else this.slow.spaceWanted(token, x.ino)
  }

  private dispatch(x: Exchange): number {
    if (this.failure !== 0 && isChange(x)) return -this.failure
    if (x.ino === WAKE_INO) return this.dispatchWakeFile(x)
    const { files, names, directories } = this
    switch (x.opcode) {
      case Opcode.read:
        return files.read(x)
      case Opcode.write:
        return files.write(x)
      case Opcode.fsync:
      case Opcode.fsyncdir:
        return files.sync(x)
      case Opcode.getattr:
        return files.getattr(x)
      case Opcode.lookup:
        return names.lookup(x)
      case Opcode.forget:
        return names.forget(x)
      case Opcode.batchForget:
        return names.batchForget(x)
      case Opcode.open:
        return files.open(x)
      case Opcode.release:
        return 0
      case Opcode.create:
        return files.create(x)
      case Opcode.setattr:
        return files.setattr(x)
      case Opcode.fallocate:
        return files.fallocate(x)
      case Opcode.statfs:
        return files.statfs(x)
      case Opcode.unlink:
        return names.unlink(x)
      case Opcode.rename:
        return names.rename(x)
      case Opcode.rename2:
        return names.rename2(x)
      case Opcode.mknod:
        return names.mknod(x)
      case Opcode.mkdir:
        return names.mkdir(x)
      case Opcode.rmdir:
        return names.rmdir(x)
      case Opcode.link:
        return names.link(x)
      case Opcode.symlink:
        return names.symlink(x)
      case Opcode.readlink:
        return names.readlink(x)
      case Opcode.opendir:
        return directories.opendir(x)
      case Opcode.readdir:
        return directories.readdir(x)
      case Opcode.readdirplus:
        return directories.readdirplus(x)
      case Opcode.releasedir:
        return directories.releasedir(x)
      case Opcode.init:
        return negotiate(x)
      case Opcode.destroy:
        this.inodes.forgetAll()
        return 0
      default:
        // FLUSH, ACCESS, *XATTR, LSEEK, COPY_FILE_RANGE, STATX, IOCTL, POLL: the kernel remembers and does without.
        // INTERRUPT too: it stops asking, and a caller waits for its answer, which always comes.
        return -Errno.ENOSYS
    }
  }

  private dispatchWakeFile(x: Exchange): number {
    switch (x.opcode) {
      case Opcode.notifyReply:
        this.wakes++
        return NO_REPLY
      case Opcode.getattr:
        return wakeAttributesReply(x.out)
      case Opcode.forget:
        return NO_REPLY
      default:
        return -Errno.EPERM
    }
  }
}

function isChange(x: Exchange): boolean {
  return changing[x.opcode] === 1 || (x.opcode === Opcode.open && (x.u32(OpenIn.flags) & O_TRUNC) !== 0)
}
