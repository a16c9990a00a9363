/** How bad a simulated S3 is: how long its answers take, and which share of requests meets which fault. */
import type { Draws } from '../kernel/draws.ts'
import type { Latency } from './latency.ts'

export interface S3Settings {
  /** Of one way; a request takes two. */
  readonly latency: Latency
  readonly bytesPerMs: number
  /** Of all requests: answered with an error, or by a connection that breaks. */
  readonly errorShare: number
  /** Of the answers of a store that is too busy: 429, as some services say it, in the place of 503. */
  readonly throttleShare: number
  /** Of requests that end so and change something: carried out nevertheless. */
  readonly appliedShare: number
  /** Of all requests: no answer comes. */
  readonly lostAnswerShare: number
  /** Of those that change something: what got stuck on the way is carried out, this much later, be the client long gone. */
  readonly lateMeanMs: number
  readonly lateMaxMs: number
  /** Of creations while another of the same key is under way: told to come again. */
  readonly conflictShare: number
  /** Of bodies: break off. */
  readonly truncatedShare: number
  /** Keys that one answer to a LIST names: a service may give fewer than the 1,000 that it is asked for. */
  readonly pageKeysMax: number
}

export const S3_SETTINGS: S3Settings = {
  latency: { minMs: 2, meanMs: 5, tailShare: 0.01, tailMeanMs: 200 },
  bytesPerMs: 50_000,
  errorShare: 0,
  throttleShare: 0,
  appliedShare: 0.5,
  lostAnswerShare: 0,
  lateMeanMs: 8_000,
  lateMaxMs: 60_000,
  conflictShare: 0.5,
  truncatedShare: 0,
  pageKeysMax: 1_000,
}

/** Beyond this the retries of the store do not suffice, which is what an outage is for. */
const SHARE_MAX = 0.15
/** Each costs a whole timeout: with more of them a run of half a minute is spent waiting. */
const LOST_ANSWER_SHARE_MAX = 0.04

/** Near, far, and behind a line on which a segment takes seconds; most stores are near. */
const BYTES_PER_MS = [50_000, 50_000, 5_000, 500]

/** Of the stores, how many give a listing in pages so small that a run sees the second. */
const PAGED_SHARE = 0.15
const PAGE_KEYS = [2, 7, 40]

/** A store of this seed's own kind: each fault is absent half of the time, so that the others are met alone, too. */
export function drawS3Settings(draws: Draws): S3Settings {
  const share = (name: string, max = SHARE_MAX) =>
    draws.chance(`s3.settings.has.${name}`, 0.5) ? draws.uniform(`s3.settings.${name}`) * max : 0
  const meanMs = draws.pick('s3.settings.mean', [1, 5, 30])
  return {
    ...S3_SETTINGS,
    latency: { minMs: meanMs / 3, meanMs, tailShare: share('tail'), tailMeanMs: meanMs * 40 },
    bytesPerMs: draws.pick('s3.settings.bandwidth', BYTES_PER_MS),
    errorShare: share('error'),
    throttleShare: share('throttle', 1),
    lostAnswerShare: share('lost-answer', LOST_ANSWER_SHARE_MAX),
    truncatedShare: share('truncated'),
    appliedShare: draws.uniform('s3.settings.applied'),
    conflictShare: draws.uniform('s3.settings.conflict'),
    ...(draws.chance('s3.settings.isPaged', PAGED_SHARE)
      ? { pageKeysMax: draws.pick('s3.settings.pageKeys', PAGE_KEYS) }
      : {}),
  }
}
