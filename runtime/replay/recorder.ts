/**
 * Writes down what happens to actors, as a run log (events/run-log.ts). One recorder serves all hosts of a run; each gets a
 * `Recorder` of its own, which names it in the log. It only looks: it must never change what it is shown, and never keep
 * user data, of which it notes length and checksum. Where the bytes go is its owner's business.
 */
import type { Snapshot } from '../../actors/definition.ts'
import { checksum } from '../../events/checksum.ts'
import type { Envelope } from '../../events/envelope.ts'
import type { RunLogEncoder, RunSnapshot } from '../../events/run-log.ts'
import type { Recorder, Taken } from '../system/ports.ts'
import { changesBetween } from './changes.ts'

/** Inputs of an actor between two whole snapshots of it: what a reader folds at most to know a state. */
export const SNAPSHOT_INTERVAL_INPUTS = 256

export type MessageCause = Partial<Pick<Envelope, 'causationId' | 'correlationId'>>
type AnySnapshot = Snapshot<string, unknown>

interface Lane {
  last: AnySnapshot
  /** Since a snapshot stands in the log; undefined if none does. */
  inputs: number | undefined
}

export class RunRecorder {
  #encoder: RunLogEncoder
  readonly #nowMs: () => number
  readonly #lanes = new Map<string, Lane>()

  constructor(encoder: RunLogEncoder, nowMs: () => number) {
    this.#encoder = encoder
    this.#nowMs = nowMs
  }

  /** What comes now goes to another log, which is to be readable alone. */
  continueIn(encoder: RunLogEncoder): void {
    this.#encoder = encoder
    for (const lane of this.#lanes.values()) lane.inputs = undefined
  }

  /** The recorder for actors hosted by `host`: a zone or a process. */
  of(host: string): Recorder {
    const sourceOf = (actor: string) => `${actor}@${host}`
    return {
      began: (actor, snapshot) => this.#began(sourceOf(actor), snapshot),
      took: (taken) => this.#took(sourceOf(taken.message.actor), taken),
      folded: (fact, before, after) => this.#folded(sourceOf(fact.actor), fact, before, after),
      noted: (source, type, fields) => this.note(source, type, fields),
    }
  }

  fault(type: string, fields: Readonly<Record<string, unknown>>): void {
    const at = this.#nowMs()
    this.#encoder.event({ kind: 'fault', at, source: 'world', type, payload: withoutData(fields) })
  }

  /** `cause` is the event that led to it, if that is known. */
  message(from: string, to: string, subject: string, data: Uint8Array, cause: MessageCause = {}): void {
    const payload = { to, ...summaryOf(data) }
    this.#encoder.event({ kind: 'message', at: this.#nowMs(), source: from, type: subject, payload, ...cause })
  }

  note(source: string, type: string, fields: Readonly<Record<string, unknown>>): void {
    this.#encoder.event({ kind: 'note', at: this.#nowMs(), source, type, payload: withoutData(fields) })
  }

  #began(source: string, snapshot: AnySnapshot, at = this.#nowMs()): void {
    const { state } = snapshot
    this.#lanes.set(source, { last: snapshot, inputs: 0 })
    this.#encoder.event({ kind: 'began', at, source, type: 'began', state, snapshot: plain(snapshot) })
  }

  #took(source: string, { message, outcome, facts, effects, before, after }: Taken): void {
    const lane = this.#laneFrom(source, before, message.at)
    this.#encoder.event({
      kind: 'took',
      source,
      ...identityOf(message),
      state: after.state,
      outcome: outcome.kind,
      reason: outcome.kind === 'taken' ? '' : outcome.reason,
      facts: withoutData(facts),
      effects: withoutData(effects),
      changes: changesBetween(before, after),
    })
    this.#moved(lane, after)
  }

  #folded(source: string, fact: Envelope, before: AnySnapshot, after: AnySnapshot): void {
    const lane = this.#laneFrom(source, before, fact.at)
    const changes = changesBetween(before, after)
    this.#encoder.event({ kind: 'folded', source, ...identityOf(fact), state: after.state, changes })
    this.#moved(lane, after)
  }

  /** The lane, with a state in the log that the event can be folded onto. */
  #laneFrom(source: string, before: AnySnapshot, at: number): Lane {
    let lane = this.#lanes.get(source)
    // Hosted anew, or by somebody who does not say so.
    if (lane?.last !== before) {
      this.#began(source, before, at)
      lane = this.#lanes.get(source)!
    }
    if (lane.inputs === undefined || lane.inputs >= SNAPSHOT_INTERVAL_INPUTS) {
      this.#encoder.snapshot(source, plain(before))
      lane.inputs = 0
    }
    return lane
  }

  #moved(lane: Lane, after: AnySnapshot): void {
    lane.last = after
    lane.inputs = (lane.inputs ?? 0) + 1
  }
}

function identityOf(envelope: Envelope) {
  const { id, at, type, term, version, causationId, correlationId, sequence: actorSequence } = envelope
  const payload = withoutData(envelope.payload)
  return { id, at, type, term, version, causationId, correlationId, actorSequence, payload }
}

function plain({ state, context }: AnySnapshot): RunSnapshot {
  return { state, context }
}

function summaryOf(data: Uint8Array): { readonly length: number; readonly checksum: number } {
  return { length: data.length, checksum: checksum(data) }
}

/** The same value if it holds no bytes, which is nearly always. */
function withoutData<T>(value: T): T {
  if (ArrayBuffer.isView(value)) return summaryOf(value as unknown as Uint8Array) as T
  if (typeof value !== 'object' || value === null) return value
  let copy: Record<string, unknown> | undefined
  for (const [key, part] of Object.entries(value)) {
    const kept = withoutData(part)
    if (kept === part) continue
    copy ??= (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
    copy[key] = kept
  }
  return (copy ?? value) as T
}
