/**
 * The timeline: owner of one log. Hosted by the leader zone, journaled; two hosts at once do no harm, because the loser
 * of a journal slot folds the winner's facts and decides again.
 *
 *              TimelineCreated             DeletionStarted              TimelineDeleted
 *   creating ──────────────────▶ active ──────────────────▶ deleting ──────────────────▶ deleted
 *                                │    ▲
 *                                └────┘ TermStarted, TermBegan, SnapshotRecorded, SafekeeperRecorded
 *
 * Every arrow is a fact. Commands (Create, StartTerm, Record…, Delete) record them or are refused.
 */
import { TimelineEvent, TimelineFact } from '../../events/timeline.ts'
import { defineActor } from '../definition.ts'
import { actions, guards, type TimelineContext, type TimelineEffect } from './decide.ts'
import { type TimelineState, table } from './table.ts'

const states: readonly [TimelineState, ...TimelineState[]] = ['creating', 'active', 'deleting', 'deleted']

const nothing: TimelineContext = {
  timers: {},
  remembered: {
    timeline: '',
    zones: [],
    durability: 'archived',
    term: 0,
    compute: '',
    computeZone: '',
    reigns: [],
    snapshot: null,
    disks: {},
  },
}

export const timeline = defineActor<TimelineEffect>()({
  kind: 'timeline',
  states,
  schema: TimelineEvent,
  facts: TimelineFact.members.map((member) => member.fields.type.literal),
  unpublished: [],
  contextOf: (_: undefined) => nothing,
  onTimer: (name, at) => ({ type: 'TimerFired', name, at }),
  termOf: (context) => context.remembered.term,
  summary: ({ remembered }) => ({
    term: remembered.term,
    compute: remembered.compute,
    zone: remembered.computeZone,
    durability: remembered.durability,
    snapshotPosition: remembered.snapshot?.position ?? 0,
  }),
  table,
  guards,
  actions,
})
