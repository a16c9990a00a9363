/**
 * A simulated S3 bucket, stricter than the real one, below the real store's code: the client that it gives to s3.ts answers late, with
 * errors, or never; what it was asked may happen all the same, and much later. Strongly consistent, as S3 is: there is
 * one moment in which a request is carried out. Retries and what an answer means are the store's business.
 */
import * as Effect from 'effect/Effect'
import type { ObjectStoreShape } from '../../runtime/object-store/object-store.ts'
import { s3Store } from '../../runtime/object-store/s3.ts'
import type { S3Connection } from '../../runtime/object-store/s3-client.ts'
import type { Timers } from '../../runtime/system/timers.ts'
import type { Draws } from '../kernel/draws.ts'
import { type Kernel, type Process, WORLD } from '../kernel/kernel.ts'
import { drawLatencyMs } from './latency.ts'
import { S3Failure, type S3Input, S3Objects } from './s3-objects.ts'
import { S3_SETTINGS, type S3Settings } from './s3-settings.ts'

type Operation = 'put' | 'head' | 'get' | 'list' | 'delete'

interface Request {
  readonly process: Process
  readonly operation: Operation
  readonly input: S3Input
  readonly resolve: (answer: object) => void
  readonly reject: (error: S3Failure) => void
}

interface Command {
  readonly operation: Operation
  readonly input: S3Input
}

/** What befalls a request; 'stuck' ones get no answer, and may be carried out much later. */
type Fault = 'none' | 'slow-down' | 'too-many-requests' | 'internal-error' | 'reset' | 'stuck'

/** What else a bucket counts. */
type Incident = 'conflict' | 'expired' | 'truncated' | 'posthumous'

const ENDPOINT = 'sim://s3'

/** The part of the SDK that s3-requests.ts uses: commands are data. */
const SDK = {
  PutObjectCommand: commandOf('put'),
  HeadObjectCommand: commandOf('head'),
  GetObjectCommand: commandOf('get'),
  ListObjectsV2Command: commandOf('list'),
  DeleteObjectCommand: commandOf('delete'),
}

/** Told of every creation that was asked for; `before` is what stands under the name already. */
export type WatchCreation = (key: string, body: Uint8Array, before: Uint8Array | undefined) => void

/** Told of every object that is removed, after it, and by whom. */
export type WatchRemoval = (key: string, by: string) => void

export class SimBucket {
  /** Keys of objects that are not what was stored any more. */
  readonly rotten = new Set<string>()
  /** Carried out so far. */
  requests = 0
  /** Faults met so far. */
  readonly met: Record<Exclude<Fault, 'none'> | Incident, number> = {
    'slow-down': 0,
    'too-many-requests': 0,
    'internal-error': 0,
    reset: 0,
    stuck: 0,
    conflict: 0,
    expired: 0,
    truncated: 0,
    posthumous: 0,
  }
  /** Of them, those that asked who had created an object. */
  looks = 0
  /** For whoever looks on. */
  watch: WatchCreation | undefined
  watchRemoval: WatchRemoval | undefined
  readonly #kernel: Kernel
  #settings: S3Settings
  readonly #objects: S3Objects
  /** Creations on their way, by key. */
  readonly #creating = new Map<string, number>()
  #outageUntilMs = Number.NEGATIVE_INFINITY
  #slow = { factor: 1, untilMs: Number.NEGATIVE_INFINITY }
  #expiredUntilMs = Number.NEGATIVE_INFINITY

  constructor(kernel: Kernel, settings: Partial<S3Settings> = {}) {
    this.#kernel = kernel
    this.#settings = { ...S3_SETTINGS, ...settings }
    this.#objects = new S3Objects(this.#settings.pageKeysMax)
  }

  /** For whoever looks on. */
  get objects(): ReadonlyMap<string, Uint8Array> {
    return this.#objects.bodies
  }

  /** The store as `process` has it. `writer` must be its own, as a process's random name is; so may its timers. */
  openStore(
    process: Process,
    options: { readonly writer: string; readonly after?: Timers['after'] },
  ): ObjectStoreShape {
    const kernel = this.#kernel
    const { writer, after = (ms: number, fire: () => void) => kernel.after(process, ms, fire) } = options
    const client = {
      send: ({ operation, input }: Command) =>
        new Promise<object>((resolve, reject) => this.#send({ process, operation, input, resolve, reject })),
      destroy() {},
    }
    const connection = { sdk: SDK, client, endpoint: ENDPOINT } as unknown as S3Connection
    const sleep = (ms: number) => Effect.callback<void>((resume) => Effect.sync(after(ms, () => resume(Effect.void))))
    const random = () => kernel.draws.uniform(`s3.backoff.${process.name}`)
    return s3Store(connection, { bucket: 'loch', prefix: '', writer, retry: { random, sleep, after } })
  }

  /** Until then it is down: it refuses, breaks off, or says nothing. */
  outage(untilMs: number): void {
    this.#outageUntilMs = Math.max(this.#outageUntilMs, untilMs)
  }

  /** Until then it takes `factor` times as long over everything; the last one to say so counts. */
  slow(factor: number, untilMs: number): void {
    this.#slow = { factor, untilMs }
  }

  /** Until then, when somebody renews them, nobody's credentials are good for anything; what has arrived is not touched. */
  expireCredentials(untilMs: number): void {
    this.#expiredUntilMs = Math.max(this.#expiredUntilMs, untilMs)
  }

  /** From now on everything is answered, and rightly. */
  heal(): void {
    this.#outageUntilMs = Number.NEGATIVE_INFINITY
    this.#expiredUntilMs = Number.NEGATIVE_INFINITY
    this.#slow.untilMs = Number.NEGATIVE_INFINITY
    this.#settings = { ...this.#settings, errorShare: 0, lostAnswerShare: 0, truncatedShare: 0 }
  }

  /**
   * A bit of one object at rest flips, of whatever kind there is: all that Loch stores carries a checksum, so none may be believed.
   * Returns its key; undefined if nothing is there. Beyond what Loch promises to survive.
   */
  rot(draws: Draws): string | undefined {
    const keys = [...this.#objects.bodies.keys()].sort()
    if (keys.length === 0) return undefined
    // The kind first: of few objects of a kind much may hang.
    const kind = draws.pick('s3.rot.kind', [...new Set(keys.map(kindOf))].sort())
    const key = draws.pick(
      's3.rot.object',
      keys.filter((key) => kindOf(key) === kind),
    )
    const body = this.#objects.bodies.get(key)!
    const at = draws.between('s3.rot.byte', 0, body.length - 1)
    body[at] = body[at]! ^ (1 << draws.between('s3.rot.bit', 0, 7))
    this.rotten.add(key)
    return key
  }

  #send(request: Request): void {
    const { input } = request
    // The sender may use its buffer again once it was told that the request is over, and this may come later than that.
    const sent = input.Body === undefined ? request : { ...request, input: { ...input, Body: Buffer.from(input.Body) } }
    const fault = this.#drawFault(request)
    if (fault !== 'none') this.met[fault]++
    if (isUnderWay(request, fault)) this.#creating.set(input.Key!, (this.#creating.get(input.Key!) ?? 0) + 1)
    const waitMs = this.#latencyMs(request, input.Body?.length ?? 0) + (fault === 'stuck' ? this.#stuckMs(request) : 0)
    this.#kernel.after(WORLD, waitMs, () => this.#arrive(sent, fault))
  }

  #arrive(request: Request, fault: Fault): void {
    const isRival = isUnderWay(request, fault) && this.#leave(request.input.Key!)
    // Whether the bytes of a process that has died were out already, nobody knows.
    if (!request.process.isAlive) {
      if (!this.#chance(request, 'posthumous', POSTHUMOUS_SHARE)) return
      this.met.posthumous++
    }
    if (this.#expiredUntilMs > this.#kernel.nowMs) {
      this.met.expired++
      // What breaks or gets stuck does so whatever the answer is; it is not carried out, for the store looks who asks first.
      this.#reply(request, fault, this.#refusal(request))
      return
    }
    if (isRival && fault === 'none' && this.#chance(request, 'conflict', this.#settings.conflictShare)) {
      this.met.conflict++
      this.#answer(request, new S3Failure('ConditionalRequestConflict', 409), 0)
      return
    }
    const isApplied = fault === 'none' || (!isBusy(fault) && this.#isChangedAllTheSame(request))
    const outcome = isApplied ? this.#apply(request) : undefined
    this.#reply(request, fault, outcome)
  }

  /** With `outcome`, unless a fault comes between. */
  #reply(request: Request, fault: Fault, outcome: object | undefined): void {
    if (fault === 'none') this.#answer(request, outcome!, bytesOf(outcome!))
    else if (fault !== 'stuck') this.#answer(request, failureOf(fault), 0)
  }

  /** An answer to HEAD has no body, so that its status is all that the SDK can say of it. */
  #refusal({ operation, process }: Request): S3Failure {
    const [name, status] = this.#kernel.draws.pick(`s3.refusal.${process.name}`, REFUSALS)
    return new S3Failure(operation === 'head' ? String(status) : name, status)
  }

  #apply(request: Request): object | S3Failure {
    this.requests++
    if (request.operation === 'head') this.looks++
    const { input, operation, process } = request
    try {
      switch (operation) {
        case 'put':
          this.watch?.(input.Key!, input.Body!, this.#objects.bodies.get(input.Key!))
          return this.#objects.put(input)
        case 'head':
          return this.#objects.head(input)
        case 'get':
          return this.#objects.get(input, (bytes) => this.#arriving(request, bytes))
        case 'list':
          return this.#objects.list(input)
        case 'delete': {
          const key = input.Key!
          if (this.#objects.remove(key)) this.watchRemoval?.(key, process.name)
          return {}
        }
      }
    } catch (error) {
      if (error instanceof S3Failure) return error
      throw error
    }
  }

  #answer(request: Request, outcome: object, bytes: number): void {
    this.#kernel.after(request.process, this.#latencyMs(request, bytes), () => {
      if (outcome instanceof S3Failure) request.reject(outcome)
      else request.resolve(outcome)
    })
  }

  #drawFault(request: Request): Fault {
    const { errorShare, lostAnswerShare } = this.#settings
    const name = `s3.fault.${request.operation}.${request.process.name}`
    const drawn = this.#kernel.draws.uniform(name)
    if (this.#outageUntilMs > this.#kernel.nowMs) {
      return drawn < OUTAGE_STUCK_SHARE ? 'stuck' : this.#throttled(request, pickError(drawn))
    }
    if (drawn < errorShare) return this.#throttled(request, pickError(drawn / errorShare))
    return drawn < errorShare + lostAnswerShare ? 'stuck' : 'none'
  }

  #throttled(request: Request, fault: Fault): Fault {
    const isThrottled = fault === 'slow-down' && this.#chance(request, 'throttled', this.#settings.throttleShare)
    return isThrottled ? 'too-many-requests' : fault
  }

  /** Of a request that is not answered as it should be. */
  #isChangedAllTheSame(request: Request): boolean {
    const { operation } = request
    if (operation !== 'put' && operation !== 'delete') return false
    const isDown = this.#outageUntilMs > this.#kernel.nowMs
    return !isDown && this.#chance(request, 'applied', this.#settings.appliedShare)
  }

  /** In time half of the time, so that the lost answer is all that is wrong. */
  #stuckMs(request: Request): number {
    if (this.#chance(request, 'in-time', 0.5)) return 0
    const name = `s3.late.${request.process.name}`
    return Math.min(this.#kernel.draws.exponential(name, this.#settings.lateMeanMs), this.#settings.lateMaxMs)
  }

  #arriving(request: Request, bytes: number): number {
    if (bytes === 0 || !this.#chance(request, 'truncated', this.#settings.truncatedShare)) return bytes
    this.met.truncated++
    return this.#kernel.draws.between(`s3.truncated.bytes.${request.process.name}`, 0, bytes - 1)
  }

  #latencyMs({ process, operation }: Request, bytes: number): number {
    const { latency, bytesPerMs } = this.#settings
    const drawnMs = drawLatencyMs(this.#kernel.draws, `s3.latency.${operation}.${process.name}`, latency)
    const factor = this.#kernel.nowMs < this.#slow.untilMs ? this.#slow.factor : 1
    return (drawnMs + bytes / bytesPerMs) * factor
  }

  #chance({ process }: Request, what: string, share: number): boolean {
    return share > 0 && this.#kernel.draws.chance(`s3.${what}.${process.name}`, share)
  }

  /** True if other creations of the key are under way. */
  #leave(key: string): boolean {
    const others = this.#creating.get(key)! - 1
    if (others > 0) this.#creating.set(key, others)
    else this.#creating.delete(key)
    return others > 0
  }
}

/** Keys but for their numbers and names: of a journal, its snapshots, the log, segments, the index. */
function kindOf(key: string): string {
  return /\/(journal\/snapshots|journal|log|segments|index)\//.exec(key)?.[1] ?? ''
}

/** What is stuck somewhere on its way has not reached S3, and stands in nobody's way there. */
function isUnderWay({ operation }: Request, fault: Fault): boolean {
  return operation === 'put' && fault !== 'stuck'
}

/** A store that is too busy has done nothing. */
function isBusy(fault: Fault): boolean {
  return fault === 'slow-down' || fault === 'too-many-requests'
}

/** What S3 says to credentials that have expired, that were taken away, and that may not do this. */
const REFUSALS = [
  ['ExpiredToken', 400],
  ['InvalidAccessKeyId', 403],
  ['AccessDenied', 403],
] as const
const POSTHUMOUS_SHARE = 0.5
const OUTAGE_STUCK_SHARE = 0.3

/** From a uniform draw. */
function pickError(drawn: number): Fault {
  if (drawn < 1 / 3) return 'internal-error'
  return drawn < 2 / 3 ? 'slow-down' : 'reset'
}

function failureOf(fault: Exclude<Fault, 'none' | 'stuck'>): S3Failure {
  switch (fault) {
    case 'slow-down':
      return new S3Failure('SlowDown', 503)
    case 'too-many-requests':
      return new S3Failure('TooManyRequests', 429)
    case 'internal-error':
      return new S3Failure('InternalError', 500)
    case 'reset':
      return new S3Failure('Error', undefined, 'ECONNRESET')
  }
}

function bytesOf(answer: object): number {
  return 'ContentLength' in answer && 'Body' in answer ? Number(answer.ContentLength) : 0
}

function commandOf(operation: Operation) {
  return class {
    readonly operation = operation
    readonly input: S3Input

    constructor(input: S3Input) {
      this.input = input
    }
  }
}
