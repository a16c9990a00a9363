/**
 * A world for tests of safekeepers: the disk of testing-memory-disk.ts, a bus and an object store inside this
 * process, and a writer of frames. Nothing here is used by Loch itself.
 */
import * as Effect from 'effect/Effect'
import { chainOver, chainSeed, FRAME_HEADER_BYTES, writeFrameHeader } from '../../events/frame.ts'
import { type AppendAck, decodeAck } from '../../events/safekeeper-wire.ts'
import type { BusMessage, BusShape } from '../bus/bus.ts'
import { NoAnswer, ObjectMissing, StoreUnavailable } from '../errors.ts'
import type { Creation } from '../object-store/object-store.ts'
import type { DiskFiles } from './disk-files.ts'
import type { LogLimits } from './disk-log.ts'
import type { Past } from './past.ts'
import type { SafekeeperPorts } from './ports.ts'
import { SafekeeperService } from './safekeeper.ts'

export { MemoryDisk } from './testing-memory-disk.ts'
/** Delivers in order, in a microtask of its own, each subscriber its own copy. */
export class LocalBus implements Pick<BusShape, 'publish' | 'subscribe' | 'request'> {
  readonly #handlers = new Map<string, Set<(message: BusMessage) => void>>()
  #inboxes = 0
  readonly published: Array<{ readonly subject: string; readonly data: Uint8Array }> = []
  /** True for messages that get lost. */
  loses: (subject: string) => boolean = () => false

  publish(subject: string, data: Uint8Array, options: { readonly reply?: string | undefined } = {}): void {
    this.published.push({ subject, data })
    if (this.loses(subject)) return
    const copy = Uint8Array.from(data)
    queueMicrotask(() => this.#deliver(subject, copy, options.reply))
  }

  subscribe(subject: string, handler: (message: BusMessage) => void) {
    const handlers = this.#handlers.get(subject) ?? new Set()
    this.#handlers.set(subject, handlers.add(handler))
    return { subject, unsubscribe: () => void handlers.delete(handler) }
  }

  request(subject: string, data: Uint8Array): Effect.Effect<BusMessage, NoAnswer> {
    return Effect.callback((resume) => {
      const inbox = `_INBOX.${++this.#inboxes}`
      if (!this.#handlers.get(subject)?.size) {
        resume(Effect.fail(noAnswer(subject)))
        return
      }
      this.subscribe(inbox, (message) => resume(Effect.succeed(message)))
      this.publish(subject, data, { reply: inbox })
    })
  }

  #deliver(subject: string, data: Uint8Array, reply: string | undefined): void {
    for (const handler of [...(this.#handlers.get(subject) ?? [])]) {
      const respond = (answer: Uint8Array) => {
        if (reply !== undefined) this.publish(reply, answer)
      }
      handler({ subject, data: Uint8Array.from(data), reply, respond })
    }
  }
}

function noAnswer(value: string): NoAnswer {
  return new NoAnswer({ component: 'local bus', value, problem: 'nobody serves it', remedy: 'None: this is a test.' })
}

/** Objects in memory; synchronous creation as the file store has it only if asked for. */
export class TestStore {
  readonly objects = new Map<string, Uint8Array>()
  readonly url = 'memory:'
  down = false
  /** The next creation happens, and then the answer is that of a second attempt. */
  loseNextAnswer = false
  /** Held back until released, for tests of what is in flight. */
  readonly held: Array<() => void> = []
  holds = false
  reads = 0
  readonly createNow?: (key: string, body: readonly Uint8Array[]) => Creation
  readonly replaceTorn?: (key: string, isWhole: (bytes: Uint8Array) => boolean, body: readonly Uint8Array[]) => Creation

  constructor(options: { readonly synchronous: boolean }) {
    if (!options.synchronous) return
    this.createNow = (key, body) => {
      if (this.down) throw unavailable(key)
      return this.#make(key, body)
    }
    this.replaceTorn = (key, isWhole, body) => {
      const found = this.objects.get(key)
      if (found && isWhole(found)) return 'exists'
      this.objects.set(key, Uint8Array.from(Buffer.concat(body)))
      return 'created'
    }
  }

  create = (key: string, body: readonly Uint8Array[]) =>
    Effect.callback<Creation, StoreUnavailable>((resume) => {
      const answer = () => resume(this.down ? Effect.fail(unavailable(key)) : Effect.succeed(this.#make(key, body)))
      if (this.holds) this.held.push(answer)
      else setImmediate(answer)
    })

  read = (key: string) =>
    Effect.suspend((): Effect.Effect<Uint8Array, ObjectMissing | StoreUnavailable> => {
      this.reads++
      const found = this.objects.get(key)
      if (this.down) return Effect.fail(unavailable(key))
      return found ? Effect.succeed(Uint8Array.from(found)) : Effect.fail(missing(key))
    })

  list = (prefix: string, options: { readonly startAfter?: string } = {}) =>
    Effect.suspend(
      (): Effect.Effect<ReadonlyArray<{ readonly key: string; readonly size: undefined }>, StoreUnavailable> => {
        if (this.down) return Effect.fail(unavailable(prefix))
        const keys = [...this.objects.keys()].filter(
          (key) => key.startsWith(prefix) && key > (options.startAfter ?? ''),
        )
        return Effect.succeed(keys.sort().map((key) => ({ key, size: undefined })))
      },
    )

  #make(key: string, body: readonly Uint8Array[]): Creation {
    if (this.objects.has(key)) return 'exists'
    this.objects.set(key, Uint8Array.from(Buffer.concat(body)))
    const lost = this.loseNextAnswer
    this.loseNextAnswer = false
    return lost ? 'exists' : 'created'
  }
}

function unavailable(value: string): StoreUnavailable {
  return new StoreUnavailable({
    component: 'test store',
    value,
    problem: 'it is down',
    remedy: 'None: this is a test.',
  })
}

function missing(value: string): ObjectMissing {
  return new ObjectMissing({
    component: 'test store',
    value,
    problem: 'no such object',
    remedy: 'None: this is a test.',
  })
}

const WRITER = Buffer.from('test-writer-0123', 'latin1')

/** Makes the frames of a log of one timeline. */
export class FrameWriter {
  position: number
  chain: number
  term: number
  /** What it allows safekeepers to put off. */
  flags = 0

  constructor(timeline: string, term: number, position = 0, chain = chainSeed(timeline)) {
    this.position = position
    this.chain = chain
    this.term = term
  }

  /** The next frame, with `payload`. */
  frame(payload: Uint8Array | string, archived = 0): Buffer {
    const bytes = Buffer.from(payload as string)
    const chainAfter = chainOver(bytes, this.chain)
    const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), bytes])
    const header = {
      term: this.term,
      begin: this.position,
      length: bytes.length,
      chainBefore: this.chain,
      chainAfter,
      flags: this.flags,
      archived,
    }
    writeFrameHeader(frame, 0, header, WRITER)
    this.position += bytes.length
    this.chain = chainAfter
    return frame
  }
}

export const PROJECT = 'test'
export const TIMELINE = 'main'

/** Ports of one safekeeper in a shared world; the clock stands, retries fire when `fireTimers` is called. */
export class SafekeeperWorld {
  readonly bus = new LocalBus()
  monotonicMs = 1_000
  readonly store: TestStore
  readonly reports: string[] = []
  readonly #timers = new Set<() => void>()
  past: Past = { term: 0, hadDisk: false }
  logLimits: LogLimits | undefined
  #ids = 0

  constructor(options: { readonly synchronous?: boolean } = {}) {
    this.store = new TestStore({ synchronous: options.synchronous ?? true })
  }

  ports(zone: string, files: DiskFiles, peers: readonly string[] = []): SafekeeperPorts {
    return {
      project: PROJECT,
      timeline: TIMELINE,
      zone,
      peers,
      directory: `/${zone}`,
      files,
      ...(this.logLimits ? { logLimits: this.logLimits } : {}),
      bus: this.bus,
      store: this.store,
      writer: Buffer.from(zone.padEnd(16, '-'), 'latin1'),
      newId: () => `id-${++this.#ids}`,
      nowMs: () => 1_000,
      monotonicMs: () => this.monotonicMs,
      defer: (work) => void setImmediate(work),
      after: (_, fire) => {
        this.#timers.add(fire)
        return () => this.#timers.delete(fire)
      },
      past: async () => this.past,
      report: (line) => void this.reports.push(line),
    }
  }

  open(zone: string, files: DiskFiles, peers: readonly string[] = []): Promise<SafekeeperService> {
    return SafekeeperService.open(this.ports(zone, files, peers))
  }

  get timers(): number {
    return this.#timers.size
  }

  fireTimers(): void {
    const due = [...this.#timers]
    this.#timers.clear()
    for (const fire of due) fire()
  }

  /** Acknowledgements on `subject`, in the order in which they come. */
  acks(subject: string): AppendAck[] {
    const acks: AppendAck[] = []
    this.bus.subscribe(subject, ({ data }) => {
      const ack = decodeAck(data)
      if (ack) acks.push(ack)
    })
    return acks
  }
}

/** Lets everything happen that needs no timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}
