/**
 * A small world beside the run in which one crash image is recovered: a kernel and draws of its own, the bucket as it is, no
 * safekeepers, and a lane that acknowledges every frame at once and keeps none. The code that attaches and serves is the
 * real one. Nothing of it can be seen from the run.
 */
import * as Effect from 'effect/Effect'
import { nextHistory, type Tail } from '../../actors/compute/election.ts'
import { chainSeed, readFrameHeader } from '../../events/frame.ts'
import { Term as TermSchema, ZoneId } from '../../events/identifiers.ts'
import { encodeAck } from '../../events/safekeeper-ack.ts'
import type { IndexSnapshot } from '../../events/timeline.ts'
import type { BusShape } from '../../runtime/bus/bus.ts'
import type { Lane } from '../../runtime/bus/fast-lane.ts'
import type { Reign } from '../../runtime/compute/reign.ts'
import type { ReignPorts } from '../../runtime/compute/reign-ports.ts'
import { NoAnswer } from '../../runtime/errors.ts'
import { useScheduler } from '../../runtime/system/run.ts'
import type { Timers } from '../../runtime/system/timers.ts'
import { simBody } from '../cluster/sim-body.ts'
import { SeededDraws } from '../kernel/draws.ts'
import { Kernel, NEVER_PAUSED, type Process } from '../kernel/kernel.ts'
import { KernelScheduler } from '../kernel/scheduler.ts'
import type { SimPostgres } from '../postgres/postgres.ts'
import type { PostgresSettings } from '../postgres/settings.ts'
import type { TransactionResult } from '../postgres/transaction.ts'
import type { BucketView } from './bucket-view.ts'

export interface ImageWorld {
  readonly seed: number
  readonly epochMs: number
  readonly store: BucketView
  readonly timeline: string
  readonly postgres: PostgresSettings
  readonly keys: readonly number[]
}

const ZONE = ZoneId.make('image')
/** Higher than any that a run grants, so that its names are free. */
const TERM = TermSchema.make(99_999_999)
const RECOVERY_MS_MAX = 60_000
/** Room for all that a run logs: a log that is folded from its first byte has nothing sealed on the way. */
const CACHE_PAGES = 16_384

/** What Postgres holds after it has recovered on the log up to `tail`. Rejects with what went wrong, Corruption included. */
export async function recoverImage(
  world: ImageWorld,
  tail: Tail,
  snapshot: IndexSnapshot | undefined,
): Promise<TransactionResult> {
  const kernel = new Kernel(new SeededDraws(world.seed), world.epochMs)
  const process: Process = { name: ZONE, isAlive: true, pausedUntilMs: NEVER_PAUSED }
  useScheduler(new KernelScheduler(kernel))
  try {
    let outcome: { readonly results: TransactionResult } | { readonly error: unknown } | undefined
    recover(world, kernel, process, tail, snapshot).then(
      (results) => {
        outcome = { results }
      },
      (error: unknown) => {
        outcome = { error }
      },
    )
    await kernel.run(world.epochMs + RECOVERY_MS_MAX, () => outcome !== undefined)
    if (outcome === undefined) throw new Error(`it did not recover within ${RECOVERY_MS_MAX} ms`)
    if ('error' in outcome) throw outcome.error
    return outcome.results
  } finally {
    process.isAlive = false
    useScheduler(undefined)
  }
}

async function recover(
  world: ImageWorld,
  kernel: Kernel,
  process: Process,
  tail: Tail,
  snapshot: IndexSnapshot | undefined,
): Promise<TransactionResult> {
  const { timeline, keys, postgres } = world
  const lane = new EchoLane(kernel, process)
  let server: SimPostgres | undefined
  const body = simBody({
    kernel,
    process,
    timers: timersOf(kernel, process),
    lane,
    nowMs: () => kernel.nowMs,
    postgres,
    keys: keys.length,
    cachePages: CACHE_PAGES,
    segmentPages: undefined,
    ringBytes: undefined,
    snapshotLogBytes: undefined,
    observer: { executed: () => {}, corrupted: (corruption) => kernel.fail(corruption) },
    reigns: { opened: () => {}, durable: () => {} },
    address: {
      launched: () => {},
      listens: (listening) => {
        server = listening
      },
    },
  })
  const failed = (error: unknown) => kernel.fail(error)
  const events = {
    fenced: failed,
    broken: (problem: string) => failed(new Error(problem)),
    leaseLapsed: () => {},
    leaseRenewed: () => {},
  }
  const base = snapshot ?? { term: 0, position: 0, chain: chainSeed(timeline) }
  const volume = await body.attach(
    portsOf(world, kernel, process, lane),
    reignOf(tail, base, snapshot, kernel.nowMs),
    events,
    NEVER,
  )
  const launched = await volume.launch(false)
  await launched.ready
  return server!.execute({ id: 1, keys, isWrite: false })
}

const NEVER = new AbortController().signal

function reignOf(tail: Tail, base: Reign['base'], snapshot: IndexSnapshot | undefined, electedAtMs: number): Reign {
  const granted = { type: 'TermGranted', at: 0, term: TERM, zones: [ZONE], durability: 'archived', disks: {} } as const
  return {
    term: TERM,
    grant: snapshot ? { ...granted, snapshot } : granted,
    disks: new Map(),
    tail,
    history: nextHistory(tail, TERM),
    base,
    archived: tail,
    dutyZone: ZONE,
    holders: [],
    electedAtMs,
    predecessorsEndAtMs: 0,
  }
}

function portsOf({ store, timeline }: ImageWorld, kernel: Kernel, process: Process, lane: Lane): ReignPorts {
  let ids = 0
  return {
    bus: SILENT_BUS,
    lane,
    store,
    project: ZONE,
    timeline,
    zones: [ZONE],
    zone: ZONE,
    compute: ZONE,
    writer: Buffer.alloc(16),
    nowMs: () => kernel.nowMs,
    monotonicMs: () => kernel.nowMs,
    timers: timersOf(kernel, process),
    newId: () => `${ZONE}-${++ids}`,
    report: () => {},
  }
}

function timersOf(kernel: Kernel, process: Process): Timers {
  return { after: (ms, fire) => kernel.after(process, ms, fire) }
}

/** Nobody answers. */
const SILENT_BUS = {
  url: 'sim://silence',
  publish() {},
  subscribe: (subject: string) => ({ subject, unsubscribe() {} }),
  request: (subject: string) =>
    Effect.fail(new NoAnswer({ component: 'bus', value: subject, problem: 'nobody is there', remedy: 'None.' })),
} as unknown as BusShape

/** Every frame is durable as soon as it arrives. */
class EchoLane implements Lane {
  readonly #kernel: Kernel
  readonly #process: Process
  readonly #handlers = new Map<string, Parameters<Lane['subscribe']>[1]>()

  constructor(kernel: Kernel, process: Process) {
    this.#kernel = kernel
    this.#process = process
  }

  status(): 'connected' {
    return 'connected'
  }

  publish(subject: string, frame: Uint8Array, options?: { readonly reply?: string | undefined }): void {
    const header = readFrameHeader(Buffer.from(frame), 0)
    const reply = options?.reply
    if (typeof header === 'string' || reply === undefined) return
    const { term, begin, length } = header
    const flushed = begin + length
    const data = encodeAck({ zone: ZONE, term, flushed, archived: flushed, status: 'ok' })
    this.#kernel.after(this.#process, 0, () => {
      this.#handlers.get(reply)?.({ subject, data, reply: undefined, headers: {}, respond: () => {} })
    })
  }

  subscribe(subject: string, handler: Parameters<Lane['subscribe']>[1]) {
    this.#handlers.set(subject, handler)
    return { subject, unsubscribe: () => void this.#handlers.delete(subject) }
  }
}
