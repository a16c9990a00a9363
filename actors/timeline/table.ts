/**
 * The timeline's transition table. Commands leave the state alone and record facts; facts move it. A fact in a state where
 * it is refused can only come from a damaged journal, and the fold reports it as such.
 */
import type { TimelineEvent } from '../../events/timeline.ts'
import { each, ignored, refused, type Table, when } from '../table.ts'
import type { actions, guards } from './decide.ts'

export type TimelineState = 'creating' | 'active' | 'deleting' | 'deleted'

const notYet = refused('the timeline has not been created')
const exists = refused('the timeline exists already')
const goingAway = refused('the timeline is being deleted')
const gone = refused('the timeline has been deleted')
const fenced = refused('a higher term has been granted: this writer must stop', 'Fenced')
const unknownTerm = refused('this term was never granted', 'BadArgument')
const noTimers = ignored('a timeline sets no timers')
const impossible = refused('no fact of this kind can stand here in a journal')

const commandTypes = ['Create', 'StartTerm', 'RecordTermBegan', 'RecordSnapshot', 'RecordSafekeeper', 'Delete'] as const
const lifeFacts = ['TermStarted', 'TermBegan', 'SnapshotRecorded', 'SafekeeperRecorded'] as const

export const table: Table<TimelineState, TimelineEvent, typeof guards, typeof actions> = {
  creating: {
    ...each(commandTypes, notYet),
    Create: { do: ['create'] },
    ObjectsDeleted: notYet,
    Resumed: ignored('nothing was begun'),
    TimerFired: noTimers,
    ...each(lifeFacts, impossible),
    TimelineCreated: { to: 'active', do: ['rememberCreation'] },
    DeletionStarted: impossible,
    TimelineDeleted: impossible,
  },
  active: {
    Create: exists,
    StartTerm: { do: ['grantNextTerm'] },
    RecordTermBegan: [
      when('termIsOld', fenced),
      when('termIsUnknown', unknownTerm),
      when('beginIsKnown', ignored('the begin of this term is known')),
      { do: ['recordBegin'] },
    ],
    RecordSnapshot: [
      when('termIsOld', fenced),
      when('termIsUnknown', unknownTerm),
      when('snapshotIsOlder', ignored('a snapshot at or after this position is known')),
      { do: ['recordSnapshot'] },
    ],
    RecordSafekeeper: [
      when('zoneIsForeign', refused('this zone has no safekeeper of the timeline', 'BadArgument')),
      when('diskIsKnown', ignored('this disk is known')),
      { do: ['recordDisk'] },
    ],
    Delete: { do: ['startDeletion'] },
    ObjectsDeleted: refused('the timeline is not being deleted'),
    Resumed: ignored('nothing is under way'),
    TimerFired: noTimers,
    TimelineCreated: impossible,
    TermStarted: { do: ['rememberTerm', 'replyTerm'] },
    TermBegan: { do: ['rememberBegin'] },
    SnapshotRecorded: { do: ['rememberSnapshot'] },
    SafekeeperRecorded: { do: ['rememberDisk'] },
    DeletionStarted: { to: 'deleting', do: ['deleteObjects'] },
    TimelineDeleted: impossible,
  },
  deleting: {
    ...each(commandTypes, goingAway),
    // Asked again in case the order got lost with an answer of the store; removing twice does no harm.
    Delete: { do: ['deleteObjects'] },
    ObjectsDeleted: { do: ['finishDeletion'] },
    Resumed: { do: ['deleteObjects'] },
    TimerFired: noTimers,
    ...each(lifeFacts, impossible),
    TimelineCreated: impossible,
    DeletionStarted: impossible,
    TimelineDeleted: { to: 'deleted' },
  },
  deleted: {
    ...each(commandTypes, gone),
    Delete: ignored('the timeline has been deleted'),
    ObjectsDeleted: ignored('the timeline has been deleted'),
    Resumed: ignored('nothing is left to do'),
    TimerFired: noTimers,
    ...each(lifeFacts, impossible),
    TimelineCreated: impossible,
    DeletionStarted: impossible,
    TimelineDeleted: impossible,
  },
}
