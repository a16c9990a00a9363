/**
 * The zone: one failure domain, seen by itself. Every zone process hosts the actor of its own zone and feeds it its
 * peers' heartbeats.
 *
 *             sees a majority            sees none           none for 5 s
 *   joining ──────────────────▶ up ──────────────▶ suspected ────────────▶ down
 *      ▲                        ▲                      │                     │
 *      │                        └──────────────────────┴─────────────────────┘
 *      │ Undrain                         sees a majority again
 *   draining ◀── Drain ── any
 *
 * Leader is the lowest-numbered zone that sees a majority and does not drain; it follows from the context, and the
 * effects becomeLeader and loseLeadership mark its edges. The host sends Tick when the timer `tick` is due, and the
 * first one when it begins.
 */
import type { ZoneId } from '../../events/identifiers.ts'
import { ZoneEvent, ZoneState } from '../../events/zone.ts'
import { defineActor } from '../definition.ts'
import { actions, guards, type ZoneContext, type ZoneEffect } from './decide.ts'
import { table } from './table.ts'

export interface ZoneInput {
  readonly id: ZoneId
  /** All zones of the cluster, lowest number first. */
  readonly zones: ReadonlyArray<ZoneId>
  /** Higher for every life of the process, for example its start time in ms. */
  readonly incarnation: number
}

const contextOf = ({ id, zones, incarnation }: ZoneInput): ZoneContext => ({
  id,
  zones,
  incarnation,
  peers: {},
  majorityAtMs: 0,
  tickedAtMs: 0,
  leader: '',
  timers: {},
})

export const zone = defineActor<ZoneEffect>()({
  kind: 'zone',
  states: ZoneState.literals,
  schema: ZoneEvent,
  facts: [],
  unpublished: ['Heartbeat', 'Tick'],
  contextOf,
  onTimer: (_, at) => ({ type: 'Tick', at }),
  termOf: () => 0,
  summary: ({ leader, peers, incarnation }) => ({
    leader,
    incarnation,
    peers: Object.fromEntries(Object.entries(peers).map(([id, peer]) => [id, peer.up ? peer.state : 'down'])),
  }),
  table,
  guards,
  actions,
})
