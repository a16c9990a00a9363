/**
 * The endpoint: the stable address of a branch, and the one who decides where its compute runs. Hosted by the leader
 * zone, journaled. Every arrow is a fact; commands, reports and deadlines record them.
 *
 *                       ComputePlaced           ComputeServed            ComputeImpaired
 *     ┌──▶ suspended ─────────────────▶ waking ──────────────▶ available ──────────────▶ degraded
 *     │        ▲                          │ ▲                      │   ▲                    │  │
 *     │        │ EndpointSuspended        │ │ ComputePlaced        │   │    ComputeServed   │  │
 *     │        │ (from all to the right)  │ └──── (restart) ───────┴───┼────────────────────┘  │
 *     │                                   │ ComputeLost                │ ComputeServed         │
 *     │ EndpointCreated                   ▼                            │                       │
 *     │ EndpointEnabled              failingOver ──────────────────────┘       ComputeLost     │
 *     │                                ▲   └─▶ ComputePlaced: another zone, or the same        │
 *   disabled ◀─ EndpointDisabled ─ any └───────────────────────────────────────────────────────┘
 *
 * An endpoint nobody has created is disabled and has no name.
 */
import { EndpointEvent, EndpointFact } from '../../events/endpoint.ts'
import { defineActor } from '../definition.ts'
import { actions, type EndpointContext, type EndpointEffect, guards } from './decide.ts'
import { type EndpointState, table } from './table.ts'

const states: readonly [EndpointState, ...EndpointState[]] = [
  'disabled',
  'suspended',
  'waking',
  'available',
  'degraded',
  'failingOver',
]

const nothing: EndpointContext = {
  timers: {},
  zonesUp: [],
  doubts: 0,
  remembered: {
    endpoint: '',
    timeline: '',
    primary: null,
    launch: 0,
    lastZone: '',
    lostInARow: 0,
    term: 0,
    problem: '',
  },
}

export const endpoint = defineActor<EndpointEffect>()({
  kind: 'endpoint',
  states,
  schema: EndpointEvent,
  facts: EndpointFact.members.map((member) => member.fields.type.literal),
  unpublished: ['ComputeReport'],
  contextOf: (_: undefined) => nothing,
  onTimer: (name, at) => ({ type: 'TimerFired', name, at }),
  termOf: (context) => context.remembered.term,
  summary: ({ remembered }) => ({
    timeline: remembered.timeline,
    compute: remembered.primary?.compute ?? '',
    zone: remembered.primary?.zone ?? '',
    term: remembered.term,
    problem: remembered.problem,
  }),
  table,
  guards,
  actions,
})
