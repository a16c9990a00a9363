/**
 * The retry loop of the S3 store: bounded, with exponential backoff and full jitter, and a deadline for every attempt
 * that covers the body too. It decides nothing about errors; s3-errors.ts does. Draws, sleeping and timers come from outside
 * so that tests and simulations own them.
 */
import * as Effect from 'effect/Effect'
import type { StoreRefused, StoreUnavailable } from '../errors.ts'
import { classify, failureOf, type S3Fault, type S3Place } from './s3-errors.ts'

export interface RetryPolicy {
  readonly attemptsMax: number
  readonly backoffFirstMs: number
  readonly backoffMaxMs: number
  /** For one attempt with a small body; see `attemptTimeoutMs`. */
  readonly requestTimeoutMs: number
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly sleep: (ms: number) => Effect.Effect<void>
  /** Calls `fire` once after `ms`; returns what cancels it. */
  readonly after: (ms: number, fire: () => void) => () => void
}

/** Seven tries within some six seconds of backoff: longer than a failing-over store, shorter than a user's patience. */
export const RETRY_POLICY: RetryPolicy = {
  attemptsMax: 7,
  backoffFirstMs: 50,
  backoffMaxMs: 3_000,
  requestTimeoutMs: 10_000,
  random: Math.random,
  sleep: (ms) => Effect.sleep(ms),
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * Slowest link on which Loch is still to work; an attempt gets the time that its body needs on it. Of a whole object the
 * size is not known beforehand; the 8 MiB of the largest take a link of 1 MB/s within the plain timeout.
 */
const BYTES_PER_MS_MIN = 256

/** Faults that are an answer, not a failure. */
export type Answer = Exclude<S3Fault, { readonly kind: 'again' | 'refused' }>

export type Outcome<A> = { readonly kind: 'done'; readonly value: A } | Answer

/** As the SDK takes them. */
export interface SendOptions {
  readonly abortSignal: AbortSignal
}

export interface Call<A> {
  /** For errors: "creating timelines/a/log/1". */
  readonly doing: string
  readonly bodyBytes: number
  readonly send: (options: SendOptions) => Promise<A>
}

/** Sends until there is an answer. Fails with StoreUnavailable when the attempts are used up, StoreRefused at once. */
export const retrying = Effect.fnUntraced(function* <A>(
  call: Call<A>,
  policy: RetryPolicy,
  place: S3Place,
): Effect.fn.Return<Outcome<A>, StoreUnavailable | StoreRefused> {
  const timeoutMs = policy.requestTimeoutMs + Math.ceil(call.bodyBytes / BYTES_PER_MS_MIN)
  for (let tried = 1; ; tried++) {
    const sent = yield* once(call, timeoutMs, policy.after)
    if (sent.kind === 'done') return sent
    const fault = classify(sent.error, place)
    if (fault.kind === 'refused') return yield* failureOf(fault, call.doing, place, sent.error)
    if (fault.kind !== 'again') return fault
    if (tried >= policy.attemptsMax) return yield* failureOf(fault, call.doing, place, sent.error)
    yield* policy.sleep(backoffMs(tried, policy))
  }
})

/** Before the attempt after `tried`: anything up to a bound that doubles. Callers that failed together part ways. */
export function backoffMs(tried: number, policy: RetryPolicy): number {
  return policy.random() * Math.min(policy.backoffMaxMs, policy.backoffFirstMs * 2 ** (tried - 1))
}

type Sent<A> = { readonly kind: 'done'; readonly value: A } | { readonly kind: 'failed'; readonly error: unknown }

function once<A>(call: Call<A>, timeoutMs: number, after: RetryPolicy['after']): Effect.Effect<Sent<A>> {
  return Effect.callback((resume) => {
    // One for the deadline and for whoever interrupts.
    const control = new AbortController()
    withDeadline(call.send, timeoutMs, after, control).then(
      (value) => resume(Effect.succeed({ kind: 'done', value })),
      (error) => resume(Effect.succeed({ kind: 'failed', error })),
    )
    return Effect.sync(() => control.abort())
  })
}

/** Rejects at the deadline even if `send` does not heed its signal, as the SDK does once it reads a body. */
async function withDeadline<A>(
  send: Call<A>['send'],
  timeoutMs: number,
  after: RetryPolicy['after'],
  control: AbortController,
): Promise<A> {
  let stopTimer = () => {}
  const late = new Promise<never>((_, reject) => {
    stopTimer = after(timeoutMs, () => {
      reject(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError'))
      control.abort()
    })
  })
  try {
    return await Promise.race([send(optionsOf(control)), late])
  } finally {
    stopTimer()
  }
}

/** A signal costs more than all else that an attempt does here: it is made when somebody asks for it. */
function optionsOf(control: AbortController): SendOptions {
  return {
    get abortSignal() {
      return control.signal
    },
  }
}
