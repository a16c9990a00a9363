/**
 * The compute: one Postgres instance over a mounted volume, and the reign under which it may write. Hosted by the zone in
 * which it runs; journals nothing, for what must outlive it stands in the timeline's journal.
 *
 *                 Start          TermGranted      FenceGranted        Attached
 *   stopped ───────────▶ electing ──────────▶ fencing ─────────▶ attaching ─────────▶ recovering
 *      ▲                  ▲  ▲ │ retry          │                   │                  ▲     │
 *      │                  │  └─┘◀───────────────┴───────────────────┘                  │     │ PostgresReady
 *      │ Stopped          │       FenceFailed, AttachFailed: new term    PostgresExited │     ▼
 *      │                  │ Start was waiting                                        serving.active
 *   suspending ───────────┘                                            ClientsIdle │  ▲     │
 *      ▲                                                                           ▼  │ ClientsActive
 *      └───── Stop, or Start of a later launch, in any of the above              serving.idle
 *
 *   AppendRejected, or outvoted while fencing ──▶ fenced      both: all is shut down at once;
 *   5 crashes in 60 s, or a final refusal ──────▶ failed      a later launch starts afresh
 *
 *   following, promoting: where secondaries and replicas will stand; a primary never enters them.
 */
import { ComputeEvent, ComputeState } from '../../events/compute.ts'
import type { ComputeId, Term } from '../../events/identifiers.ts'
import { defineActor } from '../definition.ts'
import { actions, type ComputeContext, type ComputeEffect, guards } from './decide.ts'
import { table } from './table.ts'

const contextOf = (id: ComputeId): ComputeContext => ({
  id,
  current: undefined,
  waiting: undefined,
  term: 0 as Term,
  grant: undefined,
  tail: undefined,
  running: false,
  failures: 0,
  crashesAtMs: [],
  leaseHeld: false,
  problem: '',
  timers: {},
})

export const compute = defineActor<ComputeEffect>()({
  kind: 'compute',
  states: ComputeState.literals,
  schema: ComputeEvent,
  facts: [],
  unpublished: [],
  contextOf,
  onTimer: (name, at) => ({ type: 'TimerFired', name, at }),
  termOf: (context) => context.term,
  summary: (context) => ({
    endpoint: context.current?.endpoint ?? '',
    timeline: context.current?.timeline ?? '',
    zone: context.current?.zone ?? '',
    launch: context.current?.launch ?? 0,
    term: context.term,
    problem: context.problem,
  }),
  table,
  guards,
  actions,
})
