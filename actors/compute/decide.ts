/**
 * What a compute decides on its way from nothing to serving and back. It owns a reign: whatever it does carries the term it
 * was granted, and an answer under another term is not for it. Everything that fails is either tried again at a deadline
 * in `timers` or ends the reign; nothing is retried without a bound or a reason. Nothing here touches Postgres or a mount:
 * effects name what is to be done, their results come back as events.
 */
import type { ComputeEvent, ComputeReport, ComputeState } from '../../events/compute.ts'
import type { ComputeId, EndpointId, Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { LogPlace, TermGrant } from '../../events/timeline.ts'
import { backoffMs } from '../backoff.ts'
import { type BaseContext, type Change, type SendEffect, withoutTimer, withTimer } from '../definition.ts'

/** Postgres that dies this often within the window will not get better by starting it again. */
export const CRASHES_MAX = 5
export const CRASH_WINDOW_MS = 60_000
/** A report may get lost; the endpoint waits for several of these before it doubts the compute. */
export const REPORT_INTERVAL_MS = 1_000
/** A fast shutdown checkpoints; after this long it is cut short, which costs the next start a recovery and no data. */
export const SHUTDOWN_PATIENCE_MS = 15_000

export interface Launch {
  readonly endpoint: EndpointId
  readonly timeline: TimelineId
  readonly zone: ZoneId
  readonly launch: number
}

export interface ComputeContext extends BaseContext {
  readonly id: ComputeId
  readonly current: Launch | undefined
  /** A later launch, to be begun once the current one has stopped. */
  readonly waiting: Launch | undefined
  readonly term: Term
  readonly grant: TermGrant | undefined
  readonly tail: LogPlace | undefined
  /** True from Start until Stopped: something may be running or mounted. */
  readonly running: boolean
  /** Failures in a row of what is being tried. */
  readonly failures: number
  readonly crashesAtMs: ReadonlyArray<number>
  readonly leaseHeld: boolean
  readonly problem: string
}

interface ReignEffect {
  readonly timeline: TimelineId
  readonly term: Term
}

export type ComputeEffect =
  /** Ask the timeline for the next term; results in TermGranted or TermRefused. */
  | { readonly type: 'startTerm'; readonly timeline: TimelineId; readonly compute: ComputeId; readonly zone: ZoneId }
  /** Vote at the safekeepers, choose the tail, make a majority hold it; results in FenceGranted or FenceFailed. */
  | (ReignEffect & { readonly type: 'fence'; readonly grant: TermGrant })
  /** Fold, mount, write the term's first entry; results in Attached or AttachFailed. */
  | (ReignEffect & { readonly type: 'attach'; readonly grant: TermGrant; readonly tail: LogPlace })
  /** Results in PostgresReady, and in PostgresExited whenever it ends, unless that end was asked for. */
  | (ReignEffect & { readonly type: 'startPostgres' })
  /** End Postgres if it runs, then seal (fast only) and unmount; always results in Stopped, also if nothing ran. */
  | { readonly type: 'shutDown'; readonly term: Term; readonly mode: 'fast' | 'immediate' }
  | { readonly type: 'closeClients'; readonly term: Term }
  | { readonly type: 'openClients'; readonly term: Term }
  | SendEffect<ComputeReport>

type Of<Type extends ComputeEvent['type']> = Extract<ComputeEvent, { readonly type: Type }>
type OfReign = Extract<ComputeEvent, { readonly term: Term }>
type ComputeChange = Change<ComputeContext, ComputeEffect>

const due = ({ timers }: ComputeContext, event: Of<'TimerFired'>, name: string) =>
  event.name === name && timers[name] !== undefined && event.at >= timers[name]

const recentCrashes = (context: ComputeContext, at: number) =>
  context.crashesAtMs.filter((crashedAt) => at - crashedAt < CRASH_WINDOW_MS)

export const guards = {
  launchIsOld: ({ current, waiting }: ComputeContext, event: Of<'Start'>) =>
    event.launch <= (waiting ?? current ?? { launch: -1 }).launch,
  stopIsOld: ({ current, waiting }: ComputeContext, event: Of<'Stop'>) =>
    event.launch < (waiting ?? current ?? { launch: -1 }).launch,
  startWaits: ({ waiting }: ComputeContext) => waiting !== undefined,
  stillRunning: ({ running }: ComputeContext) => running,
  otherReign: ({ term }: ComputeContext, event: OfReign) => event.term !== term,
  termIsSpent: ({ term }: ComputeContext, event: Of<'TermGranted'>) => event.term <= term,
  outvoted: ({ term }: ComputeContext, event: Of<'FenceFailed'>) => event.higherTerm > term,
  isFinal: (_: ComputeContext, event: Of<'TermRefused' | 'AttachFailed'>) => !event.retryable,
  crashLoops: (context: ComputeContext, event: Of<'PostgresExited'>) =>
    recentCrashes(context, event.at).length + 1 >= CRASHES_MAX,
  retryDue: (context: ComputeContext, event: Of<'TimerFired'>) => due(context, event, 'retry'),
  reportDue: (context: ComputeContext, event: Of<'TimerFired'>) => due(context, event, 'report'),
  shutdownDue: (context: ComputeContext, event: Of<'TimerFired'>) => due(context, event, 'shutdown'),
}

const launchOf = ({ endpoint, timeline, zone, launch }: Of<'Start'>): Launch => ({ endpoint, timeline, zone, launch })

const begin = (context: ComputeContext, launch: Launch): ComputeContext => ({
  ...context,
  current: launch,
  waiting: undefined,
  grant: undefined,
  tail: undefined,
  running: true,
  failures: 0,
  crashesAtMs: [],
  leaseHeld: true,
  problem: '',
  timers: {},
})

const shutDown = (context: ComputeContext, at: number, mode: 'fast' | 'immediate'): ComputeChange => ({
  context: {
    ...context,
    timers: withTimer(withoutTimer(context.timers, 'retry'), 'shutdown', at + SHUTDOWN_PATIENCE_MS),
  },
  effects: [{ type: 'shutDown', term: context.term, mode }],
})

const failAgain = (context: ComputeContext, event: ComputeEvent & { readonly problem: string }): ComputeChange => {
  const failures = context.failures + 1
  const timers = withTimer(context.timers, 'retry', event.at + backoffMs(failures))
  return { context: { ...context, failures, problem: event.problem, timers } }
}

export const actions = {
  beginLaunch: (context: ComputeContext, event: Of<'Start'>): ComputeChange => ({
    context: begin(context, launchOf(event)),
  }),

  beginWaitingLaunch: (context: ComputeContext): ComputeChange =>
    context.waiting ? { context: begin(context, context.waiting) } : {},

  rememberLaunch: (context: ComputeContext, event: Of<'Start'>): ComputeChange => ({
    context: { ...context, waiting: launchOf(event) },
  }),

  forgetWaitingLaunch: (context: ComputeContext): ComputeChange => ({ context: { ...context, waiting: undefined } }),

  askTerm: (context: ComputeContext): ComputeChange => {
    const { current, id, timers } = context
    if (!current) return {}
    return {
      context: { ...context, timers: withoutTimer(timers, 'retry') },
      effects: [{ type: 'startTerm', timeline: current.timeline, compute: id, zone: current.zone }],
    }
  },

  fence: (context: ComputeContext, event: Of<'TermGranted'>): ComputeChange => ({
    context: { ...context, term: event.term, grant: event },
    effects: [{ type: 'fence', timeline: context.current!.timeline, term: event.term, grant: event }],
  }),

  noteTail: (context: ComputeContext, event: Of<'FenceGranted'>): ComputeChange => ({
    context: { ...context, tail: event.tail },
  }),

  attach: (context: ComputeContext): ComputeChange => {
    const { current, term, grant, tail, timers } = context
    if (!current || !grant || !tail) return {}
    return {
      context: { ...context, timers: withoutTimer(timers, 'retry') },
      effects: [{ type: 'attach', timeline: current.timeline, term, grant, tail }],
    }
  },

  noteFailure: failAgain,

  noteProblem: (
    context: ComputeContext,
    event: Extract<ComputeEvent, { readonly problem: string }>,
  ): ComputeChange => ({
    context: { ...context, problem: event.problem },
  }),

  startPostgres: (context: ComputeContext): ComputeChange => ({
    context: { ...context, failures: 0 },
    effects: [{ type: 'startPostgres', timeline: context.current!.timeline, term: context.term }],
  }),

  noteReady: (context: ComputeContext): ComputeChange => ({
    context: { ...context, problem: context.leaseHeld ? '' : context.problem },
  }),

  noteCrash: (context: ComputeContext, event: Of<'PostgresExited'>): ComputeChange => {
    const crashesAtMs = [...recentCrashes(context, event.at), event.at]
    return { context: { ...context, crashesAtMs, problem: `Postgres ended with status ${event.code}` } }
  },

  noteVolumeLost: (context: ComputeContext): ComputeChange => ({
    context: { ...context, problem: 'the volume went away under Postgres' },
  }),

  loseLease: (context: ComputeContext): ComputeChange => ({
    context: { ...context, leaseHeld: false, problem: 'no majority of safekeepers is heard' },
    effects: [{ type: 'closeClients', term: context.term }],
  }),

  regainLease: (context: ComputeContext): ComputeChange => ({
    context: { ...context, leaseHeld: true, problem: '' },
    effects: [{ type: 'openClients', term: context.term }],
  }),

  shutDownFast: (context: ComputeContext, event: ComputeEvent) => shutDown(context, event.at, 'fast'),

  shutDownNow: (context: ComputeContext, event: ComputeEvent) => shutDown(context, event.at, 'immediate'),

  noteStopped: (context: ComputeContext): ComputeChange => ({
    context: { ...context, running: false, timers: withoutTimer(context.timers, 'shutdown') },
  }),

  /** Tells the endpoint where things stand, now and every interval until stopped; about the launch it waits for, if any. */
  report: (context: ComputeContext, event: ComputeEvent, state: ComputeState): ComputeChange => {
    const { current, waiting, id, term, timers, problem } = context
    const about = waiting ?? current
    if (!about) return {}
    const { endpoint, zone, launch } = about
    const report = { type: 'ComputeReport', at: event.at, compute: id, zone, launch, term, state, problem } as const
    const next =
      state === 'stopped' ? withoutTimer(timers, 'report') : withTimer(timers, 'report', event.at + REPORT_INTERVAL_MS)
    return {
      context: { ...context, timers: next },
      effects: [{ type: 'send', to: `endpoint.${endpoint}`, event: report }],
    }
  },
}
