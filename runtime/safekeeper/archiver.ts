/**
 * Archive duty: the local log from some position on becomes objects, for as long as the term lasts. What it says is
 * archived is a contiguous stretch from where the duty began, and each object in it was created or looked at by itself.
 *
 * With a store that creates synchronously, objects are made in the caller's own tick: a promise would cost a commit more
 * than the disk does. Otherwise up to PUTS_IN_FLIGHT are on their way at once, each with whatever had gathered when its
 * turn came. A store that fails is asked again for ever: the log stays here meanwhile, and nothing is acknowledged.
 */
import { backoffMs } from '../../actors/backoff.ts'
import { termEndAfter } from '../../actors/compute/election.ts'
import type { FrameHeader } from '../../events/frame.ts'
import type { TermHistory } from '../../events/safekeeper-wire.ts'
import { Damaged, describe, isLochError, ObjectMissing } from '../errors.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'
import { run } from '../system/run.ts'
import { type ArchiveObject, judgeFound, makeObject, OBJECT_BUFFER_BYTES, type ObjectSource } from './archive-object.ts'
import type { DiskLog } from './disk-log.ts'
import { RecentFrames } from './recent-frames.ts'
import { scratch } from './scratch.ts'

/** Enough to fill a link to S3 (tens of milliseconds per PUT) with the objects of a busy log. */
export const PUTS_IN_FLIGHT = 8

export type ArchiverStore = Pick<ObjectStoreShape, 'create' | 'createNow' | 'replaceTorn' | 'read' | 'url'>

export interface ArchiverPorts {
  readonly timeline: string
  readonly store: ArchiverStore
  readonly log: DiskLog
  /** Marks our objects. */
  readonly writer: Uint8Array
  /** `archived` grew outside of `advance`. */
  readonly progressed: () => void
  /** Asks for another `advance`: something that stood in the way is gone. */
  readonly again: () => void
  /** The local log cannot be read. */
  readonly failed: (error: unknown) => void
  /** The duty was given up: what is in the archive is not the log that is here. */
  readonly gaveUp: (error: Damaged) => void
  /** Calls once, after `ms`; returns what cancels it. */
  readonly after: (ms: number, fire: () => void) => () => void
  readonly report: (line: string) => void
}

interface Put {
  readonly begin: number
  readonly end: number
  /** From its begin up to here it is in the object store: others may have archived a part of it. */
  upTo: number
}

export class Archiver {
  readonly #ports: ArchiverPorts
  /** Differs for every duty, so that answers to an earlier one are recognised. */
  #duty = 0
  #active = false
  #history: TermHistory = []
  #archived = 0
  /** Where the next object begins; everything before is archived or on its way. */
  #next = 0
  #puts: Put[] = []
  /** Set while the synchronous way waits: for a look at an object, or after a failure. */
  #blocked = false
  #failures = 0
  #cancelRetry = () => {}
  readonly #recent = new RecentFrames()
  readonly #frames: ObjectSource['log']

  constructor(ports: ArchiverPorts) {
    this.#ports = ports
    const { log } = ports
    this.#frames = {
      readFrame: (position, target, at) =>
        this.#recent.read(position, target, at) ?? log.readFrame(position, target, at),
    }
  }

  get isActive(): boolean {
    return this.#active
  }
  /** Where the next object begins: everything from there on is still to be sent. */
  get next(): number {
    return this.#active ? this.#next : Number.POSITIVE_INFINITY
  }

  /**
   * Below this the local log is not needed for archiving. What is on its way may be: where a shorter object stands under its name,
   * the rest is read again, though another may have archived it meanwhile, so that the writer calls it settled.
   */
  get needed(): number {
    return this.#puts[0]?.begin ?? this.next
  }
  /** Everything from where the duty began up to here is in the object store; 0 without duty or progress. */
  get archived(): number {
    return this.#archived
  }

  /** Begins the duty at `from`, which must not be before the local log. `history` is the present term's. */
  start(from: number, history: TermHistory): void {
    this.stop()
    this.#active = true
    this.#history = history
    this.#next = from
  }

  /** A frame was appended to the local log; the bytes are the caller's again when this returns. */
  received(header: FrameHeader, payload: Uint8Array): void {
    if (this.#active) this.#recent.add(header, payload, this.#next)
  }

  stop(): void {
    this.#duty++
    // The log may be cut before the next duty.
    this.#recent.clear()
    this.#active = false
    this.#archived = 0
    this.#puts = []
    this.#blocked = false
    this.#failures = 0
    this.#cancelRetry()
  }

  /**
   * Archives what has been appended, or sets it on its way. True if `archived` grew before this returned; with an
   * asynchronous store it grows later. Throws Damaged, DiskFailed if the local log cannot be read.
   */
  advance(): boolean {
    if (!this.#active) return false
    if (this.#ports.store.createNow) return this.#advanceNow(this.#ports.store.createNow)
    this.#fillPuts()
    return false
  }

  /** One object at a time: the writer hears of each, and sends more into the room that it makes. */
  #advanceNow(createNow: NonNullable<ArchiverStore['createNow']>): boolean {
    const before = this.#archived
    const { log } = this.#ports
    if (this.#blocked || this.#next >= log.end) return false
    const object = this.#make(this.#next, log.end)
    try {
      if (createNow(object.key, [object.bytes]) === 'created') this.#settled(object.end)
      else this.#blockedBy(object, this.#duty).catch(this.#ports.failed)
    } catch (error) {
      this.#retryLater(error, () => {
        this.#blocked = false
        this.#ports.again()
      })
      this.#blocked = true
    }
    if (!this.#blocked && this.#next < log.end) this.#ports.again()
    return this.#archived > before
  }

  /** Only this object is looked at: those after it wait, since they may begin elsewhere then. */
  async #blockedBy(object: ArchiveObject, duty: number): Promise<void> {
    this.#blocked = true
    const end = await this.#settleExisting(copyOf(object), duty)
    if (end === undefined) return
    this.#blocked = false
    this.#settled(end)
    this.#ports.progressed()
    this.#ports.again()
  }

  #settled(end: number): void {
    this.#failures = 0
    this.#next = end
    this.#archived = end
  }

  #fillPuts(): void {
    const { log } = this.#ports
    while (this.#active && this.#puts.length < PUTS_IN_FLIGHT && this.#next < log.end) {
      const object = copyOf(this.#make(this.#next, log.end))
      const put: Put = { begin: this.#next, end: object.end, upTo: this.#next }
      this.#puts.push(put)
      this.#next = object.end
      this.#put(put, object, this.#duty).catch(this.#ports.failed)
    }
  }

  async #put(put: Put, object: ArchiveObject, duty: number): Promise<void> {
    let rest = object
    // Where one object of another cut stands there may be more: to look costs less than to send all in vain.
    let isLooking = false
    while (put.upTo < put.end) {
      const creation: 'created' | 'exists' | undefined = isLooking ? 'exists' : await this.#create(rest, duty)
      if (creation === undefined) return
      const end: number | 'missing' | undefined =
        creation === 'created' ? put.end : await this.#settleExisting(rest, duty, isLooking)
      if (end === undefined) return
      isLooking = end !== 'missing'
      if (end === 'missing') continue
      if (end < put.end) rest = copyOf(this.#make(end, put.end))
      put.upTo = Math.min(end, put.end)
      this.#takePrefix()
      if (duty !== this.#duty) return
    }
  }

  /** What another has archived of the first one counts before that is done: who waits sees that it goes on. */
  #takePrefix(): void {
    const before = this.#archived
    for (let first = this.#puts[0]; first !== undefined; first = this.#puts[0]) {
      this.#archived = Math.max(this.#archived, first.upTo)
      if (first.upTo < first.end) break
      this.#puts.shift()
    }
    if (this.#archived === before) return
    this.#failures = 0
    this.#ports.progressed()
    this.#ports.again()
  }

  /** Undefined if the duty ended meanwhile. */
  async #create(object: ArchiveObject, duty: number): Promise<'created' | 'exists' | undefined> {
    for (let failures = 1; ; failures++) {
      try {
        const creation = await run(this.#ports.store.create(object.key, [object.bytes]))
        return duty === this.#duty ? creation : undefined
      } catch (error) {
        if (duty !== this.#duty) return undefined
        await this.#wait(error, failures)
        if (duty !== this.#duty) return undefined
      }
    }
  }

  /**
   * Where the object ends that stands under the name of ours; undefined if the duty ended, by itself or by this. One that nobody has
   * promised to be there may be missing.
   */
  async #settleExisting(object: ArchiveObject, duty: number): Promise<number | undefined>
  async #settleExisting(object: ArchiveObject, duty: number, mayMiss: boolean): Promise<number | 'missing' | undefined>
  async #settleExisting(object: ArchiveObject, duty: number, mayMiss = false): Promise<number | 'missing' | undefined> {
    const { store } = this.#ports
    for (let failures = 1; ; failures++) {
      try {
        const found = judgeFound(object, await run(store.read(object.key)))
        if (duty !== this.#duty) return undefined
        // It may run past its term's end, by what no later term knows.
        if (found.type === 'agrees') return Math.min(found.end, termEndAfter(this.#history, object.begin))
        if (found.type === 'contradicts' || !store.replaceTorn) throw unexpected(object.key, found.type)
        const isWhole = (bytes: Uint8Array) => judgeFound(object, bytes).type !== 'torn'
        if (store.replaceTorn(object.key, isWhole, [object.bytes]) === 'created') {
          this.#ports.report(`${object.key} had been torn by a crash and was written again`)
          return object.end
        }
      } catch (error) {
        if (duty !== this.#duty) return undefined
        if (mayMiss && error instanceof ObjectMissing) return 'missing'
        if (error instanceof Damaged) {
          this.stop()
          this.#ports.gaveUp(error)
          return undefined
        }
        await this.#wait(error, failures)
        if (duty !== this.#duty) return undefined
      }
    }
  }

  /** Good within this tick, until the next call. */
  #make(begin: number, until: number): ArchiveObject {
    const { timeline, writer, store } = this.#ports
    const log = this.#frames
    // Readers trust what an object says was archived before it: see archive-tail.ts.
    const archived = store.createNow ? begin : Math.min(this.#archived, begin)
    return makeObject(
      { timeline, log, writer, history: this.#history, archived },
      begin,
      until,
      scratch(OBJECT_BUFFER_BYTES),
    )
  }

  #wait(error: unknown, failures: number): Promise<void> {
    this.#reportOnce(error)
    return new Promise((resolve) => this.#ports.after(backoffMs(failures), resolve))
  }

  #retryLater(error: unknown, retry: () => void): void {
    if (!isLochError(error)) throw error
    this.#reportOnce(error)
    this.#cancelRetry = this.#ports.after(backoffMs(this.#failures), retry)
  }

  #reportOnce(error: unknown): void {
    if (!isLochError(error)) throw error
    if (this.#failures++ === 0) this.#ports.report(`archiving is held up: ${describe(error)}`)
  }
}

function copyOf(object: ArchiveObject): ArchiveObject {
  return { ...object, bytes: Buffer.from(object.bytes) }
}

function unexpected(key: string, found: 'torn' | 'contradicts'): Damaged {
  return new Damaged({
    component: 'archived log',
    value: key,
    problem: found === 'torn' ? 'its checksum is wrong' : 'it holds other bytes than the log of its term',
    remedy: 'Keep this object and report it with the logs of all zones; nothing has been overwritten.',
  })
}
