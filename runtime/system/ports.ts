/**
 * What the loop needs of the world, and the subjects it speaks on. Types only, and names: whatever a port does is done
 * in production by the neighbouring folders and in simulation by the kernel.
 */
import type { ActorEffect, Outcome, Snapshot } from '../../actors/definition.ts'
import type { ActorEvent, Envelope } from '../../events/envelope.ts'
import type { Journal } from '../log/journal.ts'

/** A message as the bus delivers it. */
export interface SystemMessage {
  readonly data: Uint8Array
  readonly reply?: string | undefined
}

/** One message that an actor heard and all that came of it; its facts are durable. */
export interface Taken {
  readonly message: Envelope
  readonly outcome: Outcome
  readonly facts: ReadonlyArray<Envelope>
  readonly effects: ReadonlyArray<ActorEffect>
  readonly before: Snapshot<string, unknown>
  readonly after: Snapshot<string, unknown>
}

/** Is shown what happens to the actors of one host, to keep it for replay. Must not throw, wait, or change anything. */
export interface Recorder {
  /** `<kind>.<id>` is hosted from now on. */
  readonly began: (actor: string, snapshot: Snapshot<string, unknown>) => void
  readonly took: (taken: Taken) => void
  /** A fact that another host of the actor made durable has been folded. */
  readonly folded: (fact: Envelope, before: Snapshot<string, unknown>, after: Snapshot<string, unknown>) => void
  /** What no actor hears: positions on the data path. `source` is who it is about; no user data. */
  readonly noted: (source: string, type: string, fields: Readonly<Record<string, unknown>>) => void
}

/** What an actor takes instead of a message. */
export interface Edited {
  /** Taken before it, from nobody. */
  readonly before: ReadonlyArray<ActorEvent>
  /** In its place; undefined if nothing is taken, and nobody answered. */
  readonly event: ActorEvent | undefined
}

export interface SystemPorts {
  readonly project: string
  readonly bus: {
    readonly publish: (subject: string, data: Uint8Array) => void
    /** Returns what ends the subscription. */
    readonly subscribe: (subject: string, handler: (message: SystemMessage) => void) => () => void
  }
  readonly clock: { readonly nowMs: () => number }
  /** Unique strings. */
  readonly ids: { readonly next: () => string }
  readonly timers: {
    /** Calls `fire` once, not before `atMs`; replaces a timer of the same name. */
    readonly set: (name: string, atMs: number, fire: () => void) => void
    readonly cancel: (name: string) => void
  }
  /** Asked once for every journaled actor that is hosted. */
  readonly openJournal: (kind: string, id: string) => Journal
  /** Told of what cannot be answered to anyone: an effect that threw, a snapshot that could not be stored. */
  readonly report: (actor: string, doing: string, error: unknown) => void
  readonly recorder?: Recorder | undefined
  /** Absent in production. A fork of a simulation edits messages just before they are taken; undefined leaves one as it is. */
  readonly edited?: ((actor: string, id: string, event: ActorEvent) => Edited | undefined) | undefined
}

/** Effects that the loop performs itself; all others are the host's. */
export type OwnEffect<Eff extends ActorEffect> = Exclude<Eff, { readonly type: 'record' | 'reply' | 'send' }>

export interface EffectScope<State extends string, Context, Event> {
  readonly actor: string
  readonly snapshot: Snapshot<State, Context>
  /** The event that led to the effect. */
  readonly cause: Envelope
  /** For effects with more than one result, like a Postgres that is ready now and exits later. */
  readonly tell: (event: Event) => void
  /** Says `event` to the actor `<kind>.<id>`, wherever it is hosted. May get lost. */
  readonly send: (to: string, event: ActorEvent) => void
}

// biome-ignore lint/suspicious/noConfusingVoidType: a performer without a result returns nothing.
export type PerformResult<Event> = Event | ReadonlyArray<Event> | undefined | void

/**
 * Performs one effect. What it returns, now or later, comes back to the actor as events whose cause is the effect's. It is
 * started in order and not waited for. It must turn failures into events: one that throws leaves its actor waiting.
 */
export type Perform<State extends string, Context, Event, Eff extends ActorEffect> = (
  effect: OwnEffect<Eff>,
  scope: EffectScope<State, Context, Event>,
) => PerformResult<Event> | Promise<PerformResult<Event>>

export interface ActorInspection {
  /** `<kind>.<id>`. */
  readonly actor: string
  readonly state: string
  readonly term: number
  /** Events so far: of the journal, or since hosting began. */
  readonly sequence: number
  readonly queued: number
  /** Type of the event that is being handled; undefined if none is. */
  readonly handling: string | undefined
  /** Types of the effects that have not ended, oldest first. */
  readonly running: readonly string[]
  readonly timers: Readonly<Record<string, number>>
  readonly summary: Readonly<Record<string, unknown>>
  /** The fold of its journal; undefined if it keeps none. */
  readonly remembered: unknown
}

/** Where messages for an actor go. */
export function actorSubject(project: string, actor: string): string {
  return `loch.${project}.actor.${actor}`
}

/** Where what happened to an actor is published. */
export function eventsSubject(project: string, actor: string): string {
  return `loch.${project}.events.${actor}`
}
