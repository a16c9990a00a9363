/**
 * Writes a run down as a run log (events/run-log.ts): what actors hear and decide by the recorder of production, and beside
 * it the plan, faults, messages, reports, clients and the verdict. A run is a function of its plan, and so are these bytes:
 * nothing may get into them that differs between two processes.
 */
import { type Cause, decodeEnvelope, isFault } from '../../events/envelope.ts'
import { RunLogEncoder } from '../../events/run-log.ts'
import { parseDeposition } from '../../runtime/compute/deposition.ts'
import { type MessageCause, RunRecorder } from '../../runtime/replay/recorder.ts'
import type { Recorder } from '../../runtime/system/ports.ts'
import { parsePlacement } from '../../runtime/zone/compute-placement.ts'
import type { Fault } from '../faults/fault.ts'
import type { Plan } from '../plan/plan.ts'
import { EPOCH_MS, type RunEvent, type RunObserver } from '../run/observer.ts'
import type { Outcome } from '../run/run.ts'

/** Types of its notes that others look for. */
export const PLAN_NOTE = 'plan'
export const VERDICT_NOTE = 'verdict'
const PROGRESS_NOTE = 'progress'
const WORLD = 'world'
/** Whose log it is: a simulated project has one. */
const TIMELINE = 'timeline.main'
/** Subjects that carry envelopes: what is said to actors and what happened to them, answers, heartbeats. */
const ENVELOPES = /^(?:_INBOX\b|loch\.[^.]+\.(?:actor|events|heartbeat)\b)/
const EVENTS = /^loch\.[^.]+\.events\./
const PLACEMENTS = /^loch\.[^.]+\.zone\.[^.]+\.place$/
const DEPOSITIONS = /^loch\.[^.]+\.zone\.[^.]+\.depose$/

export class SimulationLog implements RunObserver {
  readonly #runs: RunRecorder
  readonly #plan: Plan
  #nowMs = () => EPOCH_MS

  /** `write` gets the bytes of the log, piece by piece. */
  constructor(plan: Plan, write: (bytes: Uint8Array) => void) {
    this.#plan = plan
    const header = { kind: 'simulation', startedAt: EPOCH_MS, seed: String(plan.seed) } as const
    this.#runs = new RunRecorder(new RunLogEncoder(header, write), () => this.#nowMs())
  }

  begins(nowMs: () => number): void {
    this.#nowMs = nowMs
    this.#runs.note(WORLD, PLAN_NOTE, { ...this.#plan })
  }

  /** Without what hosts note of the log now and then: the world tells it at once. */
  recorderOf(host: string): Recorder {
    return { ...this.#runs.of(host), noted: () => {} }
  }

  durable(term: number, durablePosition: number): void {
    this.#runs.note(TIMELINE, PROGRESS_NOTE, { durablePosition, term })
  }

  observe(event: RunEvent): void {
    const { kind, lane, text, data } = event
    if (kind === 'fault') this.#fault(JSON.parse(text) as Fault)
    else if (kind === 'forwarded') this.#message(event, data!)
    else if (!LEFT_OUT.includes(kind) && !REPORTS_OF_THE_WORLD.includes(lane)) this.#runs.note(lane, kind, { text })
  }

  /** To be called once, after the run. */
  end({ violation, simulatedMs, steps, commits, servings, lastDraw }: Outcome): void {
    // A stack would name places on this machine.
    const words = violation?.replace(/(?:\n\s+at .*)+/g, '') ?? null
    this.#runs.note(WORLD, VERDICT_NOTE, { violation: words, simulatedMs, steps, commits, servings, lastDraw })
  }

  #fault({ kind, ...fields }: Fault): void {
    this.#runs.fault(kind, fields)
  }

  #message({ lane, to, text }: RunEvent, data: Uint8Array): void {
    this.#runs.message(lane, to!, text, data, originOf(text, data))
  }
}

/** What a message is taken with is said by its publication, which each receiver gets. */
const LEFT_OUT: readonly string[] = ['published']
/** Reported beside events of their own. */
const REPORTS_OF_THE_WORLD = ['FAULT', 'WORLD']

/**
 * The event that led to a message, if the message says so. It gets no id itself: an envelope's is that of the event which it
 * becomes where it is heard.
 */
function originOf(subject: string, data: Uint8Array): MessageCause | undefined {
  const cause = causeOfOrder(subject, data)
  if (cause) return { causationId: cause.id, correlationId: cause.correlationId }
  const envelope = ENVELOPES.test(subject) ? decodeEnvelope(data) : undefined
  if (envelope === undefined || isFault(envelope)) return undefined
  const { id, causationId, correlationId } = envelope
  // One that is published stands in the log already; one that nothing led to is where a chain begins.
  if (EVENTS.test(subject)) return { causationId: id, correlationId }
  return causationId === id ? { correlationId } : { causationId, correlationId }
}

/** Of what is said to a zone. */
function causeOfOrder(subject: string, data: Uint8Array): Cause | undefined {
  if (PLACEMENTS.test(subject)) return parsePlacement(data)?.cause
  return DEPOSITIONS.test(subject) ? parseDeposition(data)?.cause : undefined
}
