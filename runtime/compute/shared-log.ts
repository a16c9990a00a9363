/**
 * The memory that a compute's two threads share: the newest log bytes in a ring, how far they got, and the fsyncs that
 * wait for them. The FUSE worker appends and sends; the main thread learns from acknowledgements what is durable and
 * answers the waiting fsyncs, so a commit crosses no message port in either direction.
 *
 * One writer per word: the worker owns `end`, `sent` and the slots it claims; the main thread owns `durable`,
 * `archived`, `released` and `failure`. Positions are aligned 64-bit floats that only grow: a reader that sees an older
 * one waits a little longer and is never wrong. Nothing here knows FUSE or NATS.
 */
import { RESENDABLE_BYTES_MAX } from '../../events/frame.ts'

export const RING_BYTES = RESENDABLE_BYTES_MAX
/** One operation's entries always fit into this part of the ring: the worker waits until so much of it is free. */
const RESERVE_FRACTION = 1 / 4
export const RING_RESERVE_BYTES = RING_BYTES * RESERVE_FRACTION
/** Postgres has at most a few fsyncs in flight: one per backend that commits, plus checkpointer and helpers. */
export const SYNC_SLOTS = 512

/** Frames of which begin and chain are remembered, so that the same cut can be sent again. */
export const FRAME_MARKS = 8192

const CONTROL_BYTES = 1024
const SLOT_BYTES = 16
const SLOTS_AT = CONTROL_BYTES
const SLOT_POSITIONS_AT = SLOTS_AT + SYNC_SLOTS * SLOT_BYTES
const MARKS_AT = SLOT_POSITIONS_AT + SYNC_SLOTS * 8
const MARK_CHAINS_AT = MARKS_AT + FRAME_MARKS * 8
const RING_AT = MARK_CHAINS_AT + FRAME_MARKS * 4

const Word = { base: 0, end: 1, sent: 2, durable: 3, archived: 4, released: 5 } as const
const Flag = {
  failure: 0,
  quiet: 1,
  wakePending: 2,
  progress: 3,
  waiting: 4,
  socket: 5,
  socketLock: 6,
  chain: 7,
  marks: 8,
  slotsUsed: 9,
  frameFlags: 10,
} as const
const SlotState = { free: 0, waiting: 1, taken: 2 } as const

/** Called with the FUSE request id of each fsync that may now be answered. */
export type Answer = (uniqueLow: number, uniqueHigh: number) => void

export class SharedLog {
  readonly memory: SharedArrayBuffer
  readonly ring: Buffer
  readonly ringBytes: number
  readonly reserveBytes: number
  private readonly positions: Float64Array
  private readonly flags: Int32Array
  private readonly slots: Int32Array
  private readonly slotPositions: Float64Array
  private readonly markPositions: Float64Array
  private readonly markChains: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.positions = new Float64Array(memory, 0, 16)
    this.flags = new Int32Array(memory, 128, 16)
    this.slots = new Int32Array(memory, SLOTS_AT, (SYNC_SLOTS * SLOT_BYTES) / 4)
    this.slotPositions = new Float64Array(memory, SLOT_POSITIONS_AT, SYNC_SLOTS)
    this.markPositions = new Float64Array(memory, MARKS_AT, FRAME_MARKS)
    this.markChains = new Int32Array(memory, MARK_CHAINS_AT, FRAME_MARKS)
    this.ringBytes = memory.byteLength - RING_AT
    this.reserveBytes = this.ringBytes * RESERVE_FRACTION
    this.ring = Buffer.from(memory, RING_AT, this.ringBytes)
  }

  /** Fresh memory for a log that starts at `position` with `chain` over everything before it. */
  static allocate(position: number, chain: number, ringBytes = RING_BYTES): SharedLog {
    const log = new SharedLog(new SharedArrayBuffer(RING_AT + ringBytes))
    log.positions.fill(position, Word.base, Word.released + 1)
    log.flags[Flag.chain] = chain | 0
    log.flags[Flag.socket] = -1
    return log
  }

  get base(): number {
    return this.positions[Word.base]!
  }
  /** Chain over the log before `base`. */
  get baseChain(): number {
    return this.flags[Flag.chain]! >>> 0
  }
  get end(): number {
    return this.positions[Word.end]!
  }
  set end(position: number) {
    this.positions[Word.end] = position
  }
  get sent(): number {
    return this.positions[Word.sent]!
  }
  set sent(position: number) {
    this.positions[Word.sent] = position
  }
  get durable(): number {
    return this.positions[Word.durable]!
  }
  get archived(): number {
    return this.positions[Word.archived]!
  }
  set archived(position: number) {
    this.positions[Word.archived] = position
  }
  /** Bytes below it may be overwritten in the ring. */
  get released(): number {
    return this.positions[Word.released]!
  }
  get ringFree(): number {
    return this.ringBytes - (this.end - this.released)
  }

  /** A quiet log sends when asked or when much has gathered, not at every write (cluster creation). */
  get quiet(): boolean {
    return Atomics.load(this.flags, Flag.quiet) === 1
  }
  set quiet(value: boolean) {
    Atomics.store(this.flags, Flag.quiet, value ? 1 : 0)
  }

  /** FrameFlag bits for the frames to come. Main writes, both threads read. */
  get frameFlags(): number {
    return Atomics.load(this.flags, Flag.frameFlags)
  }
  set frameFlags(flags: number) {
    Atomics.store(this.flags, Flag.frameFlags, flags)
  }

  /** errno that every later write and fsync gets, 0 while the log is alive. It never becomes 0 again. */
  get failure(): number {
    return Atomics.load(this.flags, Flag.failure)
  }

  /** File descriptor of the socket that frames are written to, -1 while there is none. */
  get socket(): number {
    return Atomics.load(this.flags, Flag.socket)
  }
  set socket(descriptor: number) {
    Atomics.store(this.flags, Flag.socket, descriptor)
  }

  /** Runs `write` while no other thread writes to the socket. Held for one write, so waiting is rare and short. */
  withSocket(write: () => void): void {
    while (Atomics.compareExchange(this.flags, Flag.socketLock, 0, 1) !== 0)
      Atomics.wait(this.flags, Flag.socketLock, 1, 1)
    try {
      write()
    } finally {
      Atomics.store(this.flags, Flag.socketLock, 0)
      Atomics.notify(this.flags, Flag.socketLock, 1)
    }
  }

  /** Worker: a frame that begins at `position`, with `chain` before it, is about to be sent. */
  markFrame(position: number, chain: number): void {
    const count = Atomics.load(this.flags, Flag.marks)
    this.markPositions[count % FRAME_MARKS] = position
    this.markChains[count % FRAME_MARKS] = chain | 0
    Atomics.store(this.flags, Flag.marks, count + 1)
  }

  /** Main: the nearest place at or before `position` whose chain is known: a remembered frame's begin, or the base. */
  placeBefore(position: number): { readonly position: number; readonly chain: number } | undefined {
    const count = Atomics.load(this.flags, Flag.marks)
    const oldest = Math.max(0, count - FRAME_MARKS + 1)
    let low = oldest
    let high = count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (this.markPositions[middle % FRAME_MARKS]! <= position) low = middle + 1
      else high = middle - 1
    }
    if (high >= oldest) {
      return { position: this.markPositions[high % FRAME_MARKS]!, chain: this.markChains[high % FRAME_MARKS]! >>> 0 }
    }
    return oldest === 0 && position >= this.base ? { position: this.base, chain: this.baseChain } : undefined
  }

  /**
   * Main: true while log bytes from `position` on are in the ring. Check again after copying: the worker may have gone on. What is
   * not released stays, however full the ring is: a worker that waits for room waits for just these bytes to be sent again.
   */
  holds(position: number): boolean {
    const oldest = Math.min(this.released, this.end - this.ringBytes + this.reserveBytes)
    return position >= this.base && position >= oldest && position <= this.end
  }

  /**
   * Main: up to where the ring may be released if the log before `position` is needed no more. The whole frame is kept that
   * `position` lies within, since without its beginning the chain there would not be known.
   */
  releasable(position: number): number {
    if (position >= this.sent) return position
    return this.placeBefore(position)?.position ?? position
  }

  /** Copies log bytes [from, to) into `target`; they must still be in the ring. */
  copyOut(from: number, to: number, target: Uint8Array, targetAt: number): void {
    const start = from % this.ringBytes
    const first = Math.min(to - from, this.ringBytes - start)
    target.set(this.ring.subarray(start, start + first), targetAt)
    if (first < to - from) target.set(this.ring.subarray(0, to - from - first), targetAt + first)
  }

  /** Worker: blocks until at least `bytes` of the ring are free, or the log failed. */
  awaitRing(bytes: number): void {
    while (this.ringFree < bytes && this.failure === 0) {
      const seen = Atomics.load(this.flags, Flag.progress)
      if (this.ringFree < bytes) Atomics.wait(this.flags, Flag.progress, seen, RING_WAIT_MS)
    }
  }

  /**
   * Worker: registers an fsync that waits for `position`. Returns false if it needs not wait after all (it is durable,
   * or the log failed): then the caller answers it.
   */
  enqueueSync(uniqueLow: number, uniqueHigh: number, position: number): boolean {
    if (this.durable >= position || this.failure !== 0) return false
    const slot = this.claimFreeSlot()
    if (slot < 0) return this.awaitDurable(position)
    const at = slot * (SLOT_BYTES / 4)
    this.slots[at + 1] = uniqueLow
    this.slots[at + 2] = uniqueHigh
    this.slotPositions[slot] = position
    Atomics.add(this.flags, Flag.waiting, 1)
    if (slot >= Atomics.load(this.flags, Flag.slotsUsed)) Atomics.store(this.flags, Flag.slotsUsed, slot + 1)
    Atomics.store(this.slots, at, SlotState.waiting)
    // The main thread may have looked just before the slot was filled; whoever takes the slot answers. `failure` first: it
    // is loaded atomically, and so keeps the plain load of `durable` behind the store above, on arm64 too.
    if ((this.failure === 0 && this.durable < position) || !this.take(at)) return true
    this.free(at)
    return false
  }

  private claimFreeSlot(): number {
    for (let slot = 0; slot < SYNC_SLOTS; slot++) {
      if (Atomics.load(this.slots, slot * (SLOT_BYTES / 4)) === SlotState.free) return slot
    }
    return -1
  }

  private awaitDurable(position: number): false {
    while (this.durable < position && this.failure === 0) {
      const seen = Atomics.load(this.flags, Flag.progress)
      if (this.durable < position) Atomics.wait(this.flags, Flag.progress, seen, RING_WAIT_MS)
    }
    return false
  }

  private take(at: number): boolean {
    return Atomics.compareExchange(this.slots, at, SlotState.waiting, SlotState.taken) === SlotState.waiting
  }

  private free(at: number): void {
    Atomics.sub(this.flags, Flag.waiting, 1)
    Atomics.store(this.slots, at, SlotState.free)
  }

  /** Main: `durable` and `released` grew; answers every fsync that waited for no more than `durable`. */
  advance(durable: number, released: number, answer: Answer): void {
    this.positions[Word.durable] = durable
    this.positions[Word.released] = released
    Atomics.add(this.flags, Flag.progress, 1)
    Atomics.notify(this.flags, Flag.progress)
    this.answerSyncs(durable, answer)
  }

  /** Main: nothing more becomes durable; every fsync, waiting or to come, gets `errno` through `answer`. */
  fail(errno: number, answer: Answer): void {
    Atomics.compareExchange(this.flags, Flag.failure, 0, errno)
    Atomics.add(this.flags, Flag.progress, 1)
    Atomics.notify(this.flags, Flag.progress)
    this.answerSyncs(Number.POSITIVE_INFINITY, answer)
  }

  get waitingSyncs(): number {
    return Atomics.load(this.flags, Flag.waiting)
  }

  private answerSyncs(durable: number, answer: Answer): void {
    // Not the waiting ones counted before: the worker may fill a slot in front of one that is due.
    const used = Atomics.load(this.flags, Flag.slotsUsed)
    for (let slot = 0; slot < used; slot++) {
      const at = slot * (SLOT_BYTES / 4)
      if (Atomics.load(this.slots, at) === SlotState.waiting) this.answerSlot(slot, at, durable, answer)
    }
  }

  /** Taken first and read after: a slot can be freed and filled anew between a look and a claim. */
  private answerSlot(slot: number, at: number, durable: number, answer: Answer): void {
    if (!this.take(at)) return
    if (this.slotPositions[slot]! > durable) {
      Atomics.store(this.slots, at, SlotState.waiting)
      return
    }
    const low = this.slots[at + 1]! >>> 0
    const high = this.slots[at + 2]! >>> 0
    this.free(at)
    answer(low, high)
  }

  /** Main: true if the worker must be woken, false if a wake is already under way. */
  requestWake(): boolean {
    return Atomics.exchange(this.flags, Flag.wakePending, 1) === 0
  }
  /** Worker: about to drain its inbox; a message posted after this asks for a new wake. */
  clearWake(): void {
    Atomics.store(this.flags, Flag.wakePending, 0)
  }
}

/** Upper bound of one sleep, so that a lost notification costs a moment and never a hang. */
const RING_WAIT_MS = 20
