/**
 * A mount without a kernel: operations of simulated Postgres on the real volume, with the service around them that the FUSE
 * loop has in production. An operation that lacks bytes or room is done again once they have come. Nothing is answered
 * here that the volume did not answer.
 */
import { NEEDS_SEAL, WANTS_BYTES } from '../../runtime/volume/types.ts'
import type { Volume } from '../../runtime/volume/volume.ts'
import type { Kernel, Process } from '../kernel/kernel.ts'
import type { SyncedAnswer } from '../oracles/reign-observer.ts'
import { EIO, ENOENT, MountFailed, type SimMount } from '../postgres/mount.ts'
import { type KernelThread, RING_POLL_MS } from './kernel-thread.ts'
import type { PendingSyncs } from './pending-syncs.ts'

export interface VolumeMountPorts {
  readonly kernel: Kernel
  readonly process: Process
  readonly thread: KernelThread
  readonly syncs: PendingSyncs
  readonly nowMs: () => number
  /** An fsync was answered with success. */
  readonly synced: (answer: Omit<SyncedAnswer, 'term'>) => void
  /** Whoever calls is dead: what it still waits for must not happen any more, as the kernel withdraws a dead process's requests. */
  readonly isCallerGone?: () => boolean
}

const ROOT = 1
const ENODEV = 19
const FILE_MODE = 0o100600
const DIRECTORY_MODE = 0o40700

/** Of all callers together. */
interface MountState {
  isMounted: boolean
  /** By inode, how often it was changed through this mount. */
  readonly changes: Map<number, number>
  /** Up to here the log must be durable before any fsync succeeds. */
  guarded: number
}

export class VolumeMount implements SimMount {
  readonly #ports: VolumeMountPorts
  readonly #volume: Volume
  readonly #state: MountState

  constructor(ports: VolumeMountPorts, state: MountState = { isMounted: true, changes: new Map(), guarded: 0 }) {
    this.#ports = ports
    this.#state = state
    this.#volume = ports.thread.volume
  }

  /** Whatever is asked from now on fails, and so does what still waits. */
  unmount(): void {
    this.#state.isMounted = false
    this.#ports.syncs.failAll()
  }

  /** The same mount for a caller that may die. */
  forCaller(isCallerGone: () => boolean): VolumeMount {
    return new VolumeMount({ ...this.#ports, isCallerGone }, this.#state)
  }

  get #isMounted(): boolean {
    return this.#state.isMounted
  }

  /** How far the log is written that a Postgres left which died. */
  get written(): number {
    return this.#ports.thread.serving?.log.end ?? 0
  }

  /** A Postgres starts where another has died, which had written the log up to `written`. */
  guardedFrom(written: number): void {
    this.#state.guarded = Math.max(this.#state.guarded, written)
  }

  async lookup(path: string): Promise<number> {
    return this.#perform('lookup', false, () => this.#find(path))
  }

  create(path: string): Promise<number> {
    return this.#make('create', path, FILE_MODE)
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#make('mkdir', path, DIRECTORY_MODE)
  }

  async list(path: string): Promise<readonly string[]> {
    const ino = await this.lookup(path)
    const children = this.#volume.node(ino)?.children
    if (!children) throw new MountFailed('readdir', ENOENT)
    return [...children.keys()]
  }

  async size(ino: number): Promise<number> {
    const node = this.#volume.node(ino)
    if (!this.#isMounted || !node) throw new MountFailed('stat', ENOENT)
    return node.size
  }

  async read(ino: number, offset: number, length: number): Promise<Buffer> {
    const target = Buffer.alloc(length)
    const count = await this.#perform('read', false, () => this.#volume.read(ino, offset, length, target, 0))
    return target.subarray(0, count)
  }

  async write(ino: number, offset: number, bytes: Uint8Array): Promise<void> {
    const write = () => this.#changing(ino, this.#volume.write(ino, offset, bytes, 0, bytes.length))
    await this.#perform('write', true, write, true)
  }

  async truncate(ino: number, size: number): Promise<void> {
    await this.#perform('truncate', true, () => this.#changing(ino, this.#volume.truncate(ino, size)))
  }

  async unlink(path: string): Promise<void> {
    await this.#perform('unlink', true, () => this.#at(path, (parent, name) => this.#volume.unlink(parent, name)))
  }

  async removeDirectory(path: string): Promise<void> {
    await this.#perform('rmdir', true, () => this.#at(path, (parent, name) => this.#volume.rmdir(parent, name)))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#perform('rename', true, () =>
      this.#at(from, (parent, name) =>
        this.#at(to, (newParent, newName) => this.#volume.rename(parent, name, newParent, newName, false)),
      ),
    )
  }

  fsync(ino: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const { syncs } = this.#ports
      const changes = this.#state.changes.get(ino)
      const wasDirty = !this.#volume.isClean(ino)
      const written = Math.max(this.#volume.lastPosition(ino), this.#state.guarded)
      const number = syncs.open((errno) => {
        if (errno !== 0) return reject(new MountFailed('fsync', errno))
        // Pages that were dirty are not safe before the entry that says where they are; of others nothing like it is needed.
        const waitsForSeals = wasDirty && this.#state.changes.get(ino) === changes
        const wanted = waitsForSeals ? Math.max(written, this.#volume.lastPosition(ino)) : written
        const { serving } = this.#ports.thread
        const isUnsealed = waitsForSeals && !this.#volume.isClean(ino)
        if (serving) this.#ports.synced({ ino, wanted, durable: serving.log.durable, isUnsealed })
        resolve()
      })
      const sync = () => {
        const { serving } = this.#ports.thread
        if (!this.#isMounted || !serving) return syncs.replyError(number, 0, ENODEV)
        if (this.#ports.thread.waitsForRoom) return this.#afterPoll(sync)
        try {
          serving.service.begin(this.#ports.nowMs())
          if (!serving.service.sync(number, 0, ino)) syncs.replyEmpty(number)
          serving.service.tick()
        } catch (error) {
          this.#ports.thread.breakDown(error)
        }
      }
      sync()
    })
  }

  /** An operation may wait for room, so it counts when it is done, not when it is asked for. */
  #changing(ino: number, result: number): number {
    this.#state.changes.set(ino, (this.#state.changes.get(ino) ?? 0) + 1)
    return result
  }

  #make(operation: string, path: string, mode: number): Promise<number> {
    const make = () => this.#at(path, (parent, name) => this.#volume.create(parent, name, mode, 0, 0))
    return this.#perform(operation, true, make)
  }

  /** One operation, until it neither lacks bytes nor room. Rejects with MountFailed. */
  #perform(operation: string, isChange: boolean, work: () => number, isWrite = false): Promise<number> {
    return new Promise((resolve, reject) => {
      const fail = (errno: number) => reject(new MountFailed(operation, errno))
      const perform = () => {
        const { thread, isCallerGone } = this.#ports
        if (isCallerGone?.()) return
        const { serving } = thread
        if (!this.#isMounted || !serving) return fail(ENODEV)
        const { service, log } = serving
        if (thread.waitsForRoom) return this.#afterPoll(perform)
        try {
          const refusal = service.begin(this.#ports.nowMs())
          if (isChange && refusal !== 0) return fail(refusal)
          const before = log.end
          const result = work()
          if (result === WANTS_BYTES) service.wantBytes((arrived) => (arrived ? perform() : fail(EIO)))
          else if (result === NEEDS_SEAL) service.wantRoom(perform)
          service.end(isWrite, before)
          service.tick()
          if (result >= 0) resolve(result)
          else if (result !== WANTS_BYTES && result !== NEEDS_SEAL) fail(-result)
        } catch (error) {
          thread.breakDown(error)
          fail(EIO)
        }
      }
      perform()
    })
  }

  #afterPoll(again: () => void): void {
    this.#ports.kernel.after(this.#ports.process, RING_POLL_MS, again)
  }

  #find(path: string): number {
    let ino = ROOT
    for (const name of path.split('/')) {
      if (name !== '' && ino !== 0) ino = this.#volume.lookup(ino, name)
    }
    return ino
  }

  #at(path: string, work: (parent: number, name: string) => number): number {
    const slash = path.lastIndexOf('/')
    const parent = this.#find(path.slice(0, Math.max(0, slash)))
    return parent === 0 ? -ENOENT : work(parent, path.slice(slash + 1))
  }
}
