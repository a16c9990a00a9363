/**
 * The safekeeper's life: one zone's acceptor of one timeline's log. Votes, appends and flushes are the acceptor's and
 * never pass through this machine; here is only whether it may take part.
 *
 *            Opened with a log, Elected            DutyGranted
 *   empty ─────────────────────────▶ following ◀──────────────▶ archiving
 *     ▲                                │    ▲    DutyRevoked,       │
 *     │                     FellBehind │    │    Elected            │ FellBehind
 *     │                                ▼    │ CaughtUp, Elected     ▼
 *     │                              catchingUp ◀───────────────────┘
 *     │ Wiped                          └─▶ archiving, if CaughtUp with the duty still held
 *   damaged ◀── DamageFound ── any but retired
 *   retired ◀── Retire ── any
 */
import type { TimelineId, ZoneId } from '../../events/identifiers.ts'
import { SafekeeperEvent } from '../../events/safekeeper.ts'
import { defineActor } from '../definition.ts'
import { actions, guards, type SafekeeperContext, type SafekeeperEffect } from './decide.ts'
import { type SafekeeperState, table } from './table.ts'

const states: readonly [SafekeeperState, ...SafekeeperState[]] = [
  'empty',
  'following',
  'catchingUp',
  'archiving',
  'retired',
  'damaged',
]

export interface SafekeeperInput {
  readonly zone: ZoneId
  readonly timeline: TimelineId
}

const contextOf = ({ zone, timeline }: SafekeeperInput): SafekeeperContext => ({
  zone,
  timeline,
  term: 0,
  position: 0,
  dutyTerm: 0,
  failures: 0,
  problem: '',
  timers: {},
})

export const safekeeper = defineActor<SafekeeperEffect>()({
  kind: 'safekeeper',
  states,
  schema: SafekeeperEvent,
  facts: [],
  unpublished: [],
  contextOf,
  onTimer: (name, at) => ({ type: 'TimerFired', name, at }),
  termOf: (context) => context.term,
  summary: ({ zone, timeline, term, position, dutyTerm, problem }) => ({
    zone,
    timeline,
    term,
    position,
    dutyTerm,
    problem,
  }),
  table,
  guards,
  actions,
})
