/**
 * The main thread's side of a volume: it starts the worker, feeds it the fold, and does for it what takes time: reading
 * pages and index blocks from object storage, storing segments and snapshots. It owns no page and no log byte.
 */
import type * as Effect from 'effect/Effect'
import { checksum } from '../../events/checksum.ts'
import { PAGE_BYTES } from '../../events/log-entry.ts'
import { Damaged, describe, type LochError, ObjectMissing, problemOf } from '../errors.ts'
import { segmentKey } from '../log/keys.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import { run } from '../system/run.ts'
import { sleep, type Timers } from '../system/timers.ts'
import { isIndexBlock } from '../volume/index-block.ts'
import type { PageLocation, Wanted } from '../volume/types.ts'
import type { FromVolume, ServeMessage, SnapshotMessage, ToServingVolume, ToVolume } from './volume-messages.ts'
import type { VolumeThread } from './volume-thread.ts'

export interface VolumeHostPorts {
  readonly store: ObjectStoreShape
  readonly timeline: string
  readonly term: number
  /** Stores a snapshot's objects and announces it; resolves to false if it could not. */
  readonly storeSnapshot: (message: SnapshotMessage) => Promise<boolean>
  readonly wake: () => void
  readonly unsent: (begin: number) => void
  /** The volume cannot go on: the compute must stop. */
  readonly broken: (problem: string) => void
  readonly report: (line: string) => void
  readonly timers: Timers
}

interface Expectation {
  readonly resolve: (message: FromVolume) => void
  readonly reject: (error: Error) => void
}

const RETRY_MS = 500
/** Readings after which bad bytes count as the object's and not as the line's. */
const DAMAGES_MAX = 3

export class VolumeHost {
  private readonly thread: VolumeThread
  private readonly ports: VolumeHostPorts
  private serves = false
  private readonly expected = new Map<FromVolume['kind'], Expectation>()
  /** Why the volume will never answer again. */
  private ended: Error | undefined
  private stopped: Promise<void> | undefined

  constructor(thread: VolumeThread, ports: VolumeHostPorts) {
    this.ports = ports
    this.thread = thread
    thread.listen(
      (message) => this.onMessage(message),
      (error) => this.broke(new Error(`the volume's thread failed: ${error instanceof Error ? error.stack : error}`)),
      () => this.end(new Error("the volume's thread has ended")),
    )
  }

  async restore(fileTable: Uint8Array | undefined): Promise<void> {
    const done = this.next('restored')
    this.toWorker({ kind: 'restore', fileTable })
    await done
  }

  /** Folds log bytes that begin at `position`; resolves when they are part of the volume. */
  async fold(bytes: Uint8Array, position: number): Promise<void> {
    const done = this.next('folded')
    this.toWorker({ kind: 'fold', bytes, position })
    await done
  }

  /** From here on the worker answers the mount and appends to the log. */
  async serve(message: Omit<ServeMessage, 'kind' | 'inbox'>): Promise<void> {
    this.serves = true
    const done = this.next('serving')
    this.thread.serve({ ...message, kind: 'serve' })
    await done
  }

  /** Seals everything and takes a snapshot; resolves to the log position that covers it. */
  async flush(): Promise<number> {
    const done = this.next('flushed')
    this.toWorker({ kind: 'flush' })
    const message = await done
    return message.kind === 'flushed' ? message.position : 0
  }

  /** From here on no fsync is answered before all that was written until now is durable. */
  async guard(): Promise<void> {
    const done = this.next('guarded')
    this.toWorker({ kind: 'guard' })
    await done
  }

  /** Ends the worker, and whatever waits for it; what was not sealed is gone, as after a crash. */
  stop(): Promise<void> {
    this.stopped ??= this.endWorker()
    return this.stopped
  }

  private async endWorker(): Promise<void> {
    if (!this.ended) {
      const done = this.next('stopped')
      this.toWorker({ kind: 'stop' })
      await done.catch(() => {})
    }
    await this.thread.terminate()
  }

  private next(kind: FromVolume['kind']): Promise<FromVolume> {
    if (this.ended) return Promise.reject(this.ended)
    return new Promise((resolve, reject) => this.expected.set(kind, { resolve, reject }))
  }

  private toWorker(message: ToVolume, transfer: ArrayBuffer[] = []): void {
    this.thread.post(message, transfer)
    if (this.serves) this.ports.wake()
  }

  private onMessage(message: FromVolume): void {
    switch (message.kind) {
      case 'fetch':
        void this.fetch(message.wanted)
        break
      case 'damaged':
        this.ports.report(describe(damaged(this.keyOf(message.wanted), 'a block of the page table fails its checksum')))
        break
      case 'seal':
        void this.storeSegment(message)
        break
      case 'snapshot':
        void this.ports.storeSnapshot(message).then((ok) => this.toWorker({ kind: 'snapshotWritten', ok }))
        break
      case 'unsent':
        this.ports.unsent(message.begin)
        break
      case 'broken':
        this.broke(message.damage ? new Damaged(message.damage) : new Error(message.problem))
        break
      case 'restored':
      case 'folded':
      case 'serving':
      case 'flushed':
      case 'guarded':
      case 'stopped':
        this.settle(message)
        break
    }
  }

  private settle(message: FromVolume): void {
    const expectation = this.expected.get(message.kind)
    this.expected.delete(message.kind)
    expectation?.resolve(message)
  }

  /** Before it serves only who waits for the volume is concerned; afterwards the whole reign. */
  private broke(error: Error): void {
    if (this.serves) this.ports.broken(problemOf(error))
    this.end(error)
  }

  private end(error: Error): void {
    this.ended ??= error
    for (const { reject } of this.expected.values()) reject(this.ended)
    this.expected.clear()
  }

  private async storeSegment(message: Extract<FromVolume, { kind: 'seal' }>): Promise<void> {
    const { seal, buffer, length } = message
    let ok = true
    if (length > 0) {
      const key = segmentKey(this.ports.timeline, this.ports.term, message.number)
      ok = await this.attempt(`segment ${key}`, this.ports.store.create(key, [new Uint8Array(buffer, 0, length)]))
    }
    // A store that fails is asked again by the next seal; not at once, or a dead store would spin us.
    if (!ok) await sleep(this.ports.timers, RETRY_MS)
    const answer: ToServingVolume = { kind: 'sealed', seal, ok, buffer }
    this.toWorker(answer, [buffer])
  }

  /** A store that cannot be reached is asked until it can; what it has lost or damaged is given up, and is EIO to the reader. */
  private async fetch(wanted: Wanted): Promise<void> {
    for (let damages = 0; ; ) {
      const bytes = await this.read(wanted)
      if (bytes === 'damaged') damages++
      else if (bytes !== 'later') return this.toWorker({ kind: 'fetched', wanted, bytes })
      if (this.ended || damages >= DAMAGES_MAX) return this.toWorker({ kind: 'fetched', wanted, bytes: undefined })
      await sleep(this.ports.timers, RETRY_MS)
    }
  }

  private async read(wanted: Wanted): Promise<Uint8Array | 'damaged' | 'later'> {
    const { store, report } = this.ports
    const key = this.keyOf(wanted)
    const range = wanted.kind === 'page' ? pageRange(wanted.location) : wanted
    try {
      const bytes = await run(store.read(key, { offset: range.offset, length: range.length }))
      if (isWhole(wanted, bytes)) return bytes
      const what = wanted.kind === 'page' ? `page ${wanted.block} of inode ${wanted.ino}` : 'a block of the page table'
      report(describe(damaged(key, `${what} fails its checksum`)))
      return 'damaged'
    } catch (error) {
      report(problemOf(error))
      return error instanceof ObjectMissing ? 'damaged' : 'later'
    }
  }

  private keyOf(wanted: Wanted): string {
    if (wanted.kind === 'index') return wanted.key
    const { segmentTerm, segmentNumber } = wanted.location
    return segmentKey(this.ports.timeline, segmentTerm, segmentNumber)
  }

  private async attempt(what: string, effect: Effect.Effect<'created' | 'exists', LochError>): Promise<boolean> {
    try {
      const result = await run(effect)
      if (result === 'exists') this.ports.report(`${what} exists already: another writer holds our term`)
      return result === 'created'
    } catch (error) {
      this.ports.report(problemOf(error))
      return false
    }
  }
}

function isWhole(wanted: Wanted, bytes: Uint8Array): boolean {
  return wanted.kind === 'page' ? checksum(bytes) === wanted.location.checksum : isIndexBlock(bytes)
}

function damaged(key: string, problem: string): Damaged {
  return new Damaged({
    component: 'volume',
    value: key,
    problem,
    remedy: 'Restore this object from a backup of the store. Whoever reads these pages gets an error until then.',
  })
}

function pageRange(location: PageLocation): { offset: number; length: number } {
  return { offset: location.slot * PAGE_BYTES, length: PAGE_BYTES }
}
