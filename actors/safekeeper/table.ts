/**
 * The safekeeper's transition table: its life, not its log. Votes and appends do not pass here.
 */
import type { SafekeeperEvent } from '../../events/safekeeper.ts'
import { each, ignored, refused, type Table, when } from '../table.ts'
import type { actions, guards } from './decide.ts'

export type SafekeeperState = 'empty' | 'following' | 'catchingUp' | 'archiving' | 'retired' | 'damaged'

const oldTerm = when('termIsOld', ignored('of a term that has been succeeded'))
const opened = ignored('the log has been opened')
const notBehind = ignored('nothing is being caught up with')
const noDuty = ignored('it has no archive duty')
const notDamaged = refused('the log is not damaged: a log that is believed is not thrown away')
const notDue = ignored('this timer is not set, or not due')
const retire = { to: 'retired', do: ['removeLog'] } as const
const withdrawn = refused('the local log is damaged: repair or wipe it first')
const gone = refused('this safekeeper has been retired')

export const table: Table<SafekeeperState, SafekeeperEvent, typeof guards, typeof actions> = {
  empty: {
    Opened: [when('hasLog', { to: 'following', do: ['notePlace'] }), { do: ['notePlace'] }],
    Elected: [oldTerm, { to: 'following', do: ['notePlace'] }],
    FellBehind: [oldTerm, { to: 'catchingUp', do: ['notePlace', 'catchUp'] }],
    CaughtUp: notBehind,
    CatchUpFailed: notBehind,
    DutyGranted: refused('it has no log to archive'),
    DutyRevoked: noDuty,
    DamageFound: { to: 'damaged', do: ['withdraw'] },
    Wiped: ignored('it is empty'),
    Retire: retire,
    TimerFired: notDue,
  },
  following: {
    Opened: opened,
    Elected: [oldTerm, { do: ['notePlace'] }],
    FellBehind: [oldTerm, { to: 'catchingUp', do: ['notePlace', 'catchUp'] }],
    CaughtUp: notBehind,
    CatchUpFailed: notBehind,
    DutyGranted: [oldTerm, { to: 'archiving', do: ['takeDuty', 'startArchiving'] }],
    DutyRevoked: noDuty,
    DamageFound: { to: 'damaged', do: ['withdraw'] },
    Wiped: notDamaged,
    Retire: retire,
    TimerFired: notDue,
  },
  catchingUp: {
    Opened: opened,
    Elected: [oldTerm, { to: 'following', do: ['notePlace', 'forgetRetry', 'dropDuty'] }],
    FellBehind: ignored('it is catching up; what is still missing then will be noticed'),
    CaughtUp: [
      oldTerm,
      when('hasDuty', { to: 'archiving', do: ['notePlace', 'startArchiving'] }),
      { to: 'following', do: ['notePlace'] },
    ],
    CatchUpFailed: { do: ['noteFailure'] },
    // Archiving begins where the log is whole, so the duty waits.
    DutyGranted: [oldTerm, { do: ['takeDuty'] }],
    DutyRevoked: [when('otherDuty', noDuty), { do: ['dropDuty'] }],
    DamageFound: { to: 'damaged', do: ['withdraw'] },
    Wiped: notDamaged,
    Retire: retire,
    TimerFired: [when('retryDue', { do: ['catchUp'] }), notDue],
  },
  archiving: {
    Opened: opened,
    // Duty is given per term: the new writer says who has it now.
    Elected: [oldTerm, { to: 'following', do: ['stopArchiving', 'dropDuty', 'notePlace'] }],
    FellBehind: [oldTerm, { to: 'catchingUp', do: ['stopArchiving', 'notePlace', 'catchUp'] }],
    CaughtUp: notBehind,
    CatchUpFailed: notBehind,
    DutyGranted: ignored('it archives already'),
    DutyRevoked: [when('otherDuty', noDuty), { to: 'following', do: ['stopArchiving', 'dropDuty'] }],
    DamageFound: { to: 'damaged', do: ['stopArchiving', 'withdraw'] },
    Wiped: notDamaged,
    Retire: { to: 'retired', do: ['stopArchiving', 'removeLog'] },
    TimerFired: notDue,
  },
  damaged: {
    ...each(['Opened', 'Elected', 'FellBehind', 'CaughtUp', 'CatchUpFailed', 'DutyGranted', 'DutyRevoked'], withdrawn),
    DamageFound: ignored('it is known to be damaged'),
    Wiped: { to: 'empty', do: ['startEmpty'] },
    Retire: retire,
    TimerFired: notDue,
  },
  retired: {
    ...each(['Opened', 'Elected', 'FellBehind', 'CaughtUp', 'CatchUpFailed', 'DutyGranted', 'DutyRevoked'], gone),
    DamageFound: gone,
    Wiped: gone,
    Retire: ignored('it has been retired'),
    TimerFired: notDue,
  },
}
