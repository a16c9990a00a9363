/**
 * What a safekeeper decides about its own life: whether it follows a writer, must catch up, archives, or can no longer be
 * believed. Its promises (votes, flushed positions) are the acceptor's and are never weakened here: a state only says
 * whether it may give any.
 */
import type { TimelineId, ZoneId } from '../../events/identifiers.ts'
import type { SafekeeperEvent } from '../../events/safekeeper.ts'
import { backoffMs } from '../backoff.ts'
import { type BaseContext, type Change, withoutTimer, withTimer } from '../definition.ts'

export interface SafekeeperContext extends BaseContext {
  readonly zone: ZoneId
  readonly timeline: TimelineId
  /** Highest term that a writer was elected under here. */
  readonly term: number
  /** Up to where the log is known to be whole, when this was last looked at. */
  readonly position: number
  /** Term whose archiving is this safekeeper's duty; 0 if none. */
  readonly dutyTerm: number
  readonly failures: number
  readonly problem: string
}

export type SafekeeperEffect =
  /** Fetch the missing bytes from the archive or a peer; results in CaughtUp or CatchUpFailed. */
  | { readonly type: 'catchUp'; readonly term: number }
  /** Create log objects until told to stop. Whoever granted the duty has said from where on. */
  | { readonly type: 'startArchiving'; readonly term: number }
  | { readonly type: 'stopArchiving' }
  /** Answer nothing any more: what this disk says is not to be counted. */
  | { readonly type: 'withdraw'; readonly problem: string }
  /** Remove the local log; its timeline is gone or served elsewhere. */
  | { readonly type: 'removeLog' }

type Of<Type extends SafekeeperEvent['type']> = Extract<SafekeeperEvent, { readonly type: Type }>
type SafekeeperChange = Change<SafekeeperContext, SafekeeperEffect>

export const guards = {
  hasLog: (_: SafekeeperContext, event: Of<'Opened'>) => event.term > 0 || event.position > 0,
  termIsOld: ({ term }: SafekeeperContext, event: SafekeeperEvent & { readonly term: number }) => event.term < term,
  hasDuty: ({ dutyTerm, term }: SafekeeperContext) => dutyTerm > 0 && dutyTerm === term,
  otherDuty: ({ dutyTerm }: SafekeeperContext, event: Of<'DutyRevoked'>) => event.term !== dutyTerm,
  retryDue: ({ timers }: SafekeeperContext, event: Of<'TimerFired'>) =>
    event.name === 'retry' && timers['retry'] !== undefined && event.at >= timers['retry'],
}

export const actions = {
  notePlace: (
    context: SafekeeperContext,
    event: Of<'Opened' | 'Elected' | 'FellBehind' | 'CaughtUp'>,
  ): SafekeeperChange => ({
    context: { ...context, term: event.term, position: event.position, failures: 0, problem: '' },
  }),

  catchUp: (context: SafekeeperContext): SafekeeperChange => ({
    context: { ...context, timers: withoutTimer(context.timers, 'retry') },
    effects: [{ type: 'catchUp', term: context.term }],
  }),

  noteFailure: (context: SafekeeperContext, event: Of<'CatchUpFailed'>): SafekeeperChange => {
    const failures = context.failures + 1
    const timers = withTimer(context.timers, 'retry', event.at + backoffMs(failures))
    return { context: { ...context, failures, problem: event.problem, timers } }
  },

  forgetRetry: (context: SafekeeperContext): SafekeeperChange => ({
    context: { ...context, timers: withoutTimer(context.timers, 'retry') },
  }),

  takeDuty: (context: SafekeeperContext, event: Of<'DutyGranted'>): SafekeeperChange => ({
    context: { ...context, dutyTerm: event.term },
  }),

  dropDuty: (context: SafekeeperContext): SafekeeperChange => ({ context: { ...context, dutyTerm: 0 } }),

  startArchiving: (context: SafekeeperContext): SafekeeperChange => ({
    effects: [{ type: 'startArchiving', term: context.dutyTerm }],
  }),

  stopArchiving: (): SafekeeperChange => ({ effects: [{ type: 'stopArchiving' }] }),

  withdraw: (context: SafekeeperContext, event: Of<'DamageFound'>): SafekeeperChange => ({
    context: { ...context, problem: event.problem, dutyTerm: 0, timers: {} },
    effects: [{ type: 'withdraw', problem: event.problem }],
  }),

  startEmpty: (context: SafekeeperContext): SafekeeperChange => ({
    context: { ...context, term: 0, position: 0, failures: 0, problem: '' },
  }),

  removeLog: (context: SafekeeperContext): SafekeeperChange => ({
    context: { ...context, dutyTerm: 0, timers: {} },
    effects: [{ type: 'removeLog' }],
  }),
}
