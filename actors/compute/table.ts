/**
 * The compute's transition table. Read a row as "while in this state"; the constants above it are the answers that several
 * states share, each with its reason.
 */
import type { ComputeEvent, ComputeState } from '../../events/compute.ts'
import { each, ignored, refused, type Table, when } from '../table.ts'
import type { actions, guards } from './decide.ts'

const stale = ignored('an answer to a former reign')
const notAsked = ignored('nothing of the kind is under way')
const unused = ignored('a term that nobody waits for stays unused')
const stopping = ignored('the compute is being stopped')
const noLease = ignored('a lease counts only while Postgres may serve')
const noClients = ignored('clients count only while Postgres serves')
const notDue = ignored('this timer is not set, or not due')
const noFollower = refused('a compute is launched as primary; nothing leads to this state yet')

const otherReign = when('otherReign', stale)
const reportOnly = when('reportDue', { do: ['report'] as const })

/** A repeated order is answered with a report; a later one stops this launch first. */
const relaunch = [
  when('launchIsOld', { do: ['report'] as const }),
  { to: 'suspending', do: ['rememberLaunch', 'shutDownFast', 'report'] },
] as const
const stop = [
  when('stopIsOld', ignored('this order meant a former launch')),
  { to: 'suspending', do: ['forgetWaitingLaunch', 'shutDownFast', 'report'] },
] as const
/** Every reject is fatal for the writer: somebody else continues the log. */
const rejected = [otherReign, { to: 'fenced', do: ['noteProblem', 'shutDownNow', 'report'] }] as const
const volumeLost = [otherReign, { to: 'failed', do: ['noteVolumeLost', 'noteStopped', 'report'] }] as const
/** The mount survives a crash of Postgres, so it recovers under the same term. */
const crashed = [
  otherReign,
  when('crashLoops', { to: 'failed', do: ['noteCrash', 'shutDownNow', 'report'] as const }),
  { to: 'recovering', do: ['noteCrash', 'startPostgres', 'report'] },
] as const
const lapsed = [otherReign, { do: ['loseLease', 'report'] }] as const
const renewed = [otherReign, { do: ['regainLease', 'report'] }] as const
const relaunchNow = { to: 'electing', do: ['beginLaunch', 'askTerm', 'report'] } as const
const startWaiting = when('startWaits', { to: 'electing', do: ['beginWaitingLaunch', 'askTerm', 'report'] as const })

const results = ['FenceGranted', 'FenceFailed', 'Attached', 'AttachFailed', 'PostgresReady', 'PostgresExited'] as const
const leases = ['LeaseLapsed', 'LeaseRenewed'] as const
const clients = ['ClientsActive', 'ClientsIdle'] as const

/** What the states between an order and a serving Postgres share. */
const starting = {
  Start: relaunch,
  Stop: stop,
  TermGranted: unused,
  TermRefused: unused,
  ...each(results, notAsked),
  ...each(leases, noLease),
  ...each(clients, noClients),
  AppendRejected: ignored('nothing has been appended in this reign'),
  Stopped: volumeLost,
} as const

const serving = {
  ...starting,
  PostgresReady: ignored('it serves already'),
  PostgresExited: crashed,
  AppendRejected: rejected,
  LeaseLapsed: lapsed,
  LeaseRenewed: renewed,
  TimerFired: [reportOnly, notDue],
} as const

/** The reign is over for good; what is left of it is being cleared away, or has been. */
const ended = {
  ...starting,
  Start: [
    when('launchIsOld', { do: ['report'] as const }),
    when('stillRunning', { to: 'suspending', do: ['rememberLaunch', 'report'] as const }),
    relaunchNow,
  ],
  Stop: [
    when('stopIsOld', ignored('this order meant a former launch')),
    when('stillRunning', { to: 'suspending', do: ['forgetWaitingLaunch', 'report'] as const }),
    { to: 'stopped', do: ['report'] },
  ],
  AppendRejected: ignored('the reign is over'),
  Stopped: [otherReign, { do: ['noteStopped', 'report'] }],
  TimerFired: [when('shutdownDue', { do: ['shutDownNow'] as const }), reportOnly, notDue],
} as const

const follower = {
  ...each(['Start', 'Stop', 'TermGranted', 'TermRefused', 'AppendRejected', 'Stopped', 'TimerFired'], noFollower),
  ...each(results, noFollower),
  ...each(leases, noFollower),
  ...each(clients, noFollower),
} as const

export const table: Table<ComputeState, ComputeEvent, typeof guards, typeof actions> = {
  stopped: {
    ...starting,
    Start: [when('launchIsOld', { do: ['report'] }), relaunchNow],
    Stop: { do: ['report'] },
    Stopped: notAsked,
    TimerFired: notDue,
  },
  electing: {
    ...starting,
    TermGranted: [when('termIsSpent', stale), { to: 'fencing', do: ['fence', 'report'] }],
    TermRefused: [
      when('isFinal', { to: 'failed', do: ['noteProblem', 'shutDownNow', 'report'] }),
      { do: ['noteFailure', 'report'] },
    ],
    TimerFired: [when('retryDue', { do: ['askTerm'] }), reportOnly, notDue],
  },
  fencing: {
    ...starting,
    // Another request of ours was granted too, a former launch's for instance: what was granted before is over.
    TermGranted: [when('termIsSpent', stale), { do: ['fence', 'report'] }],
    FenceGranted: [otherReign, { to: 'attaching', do: ['noteTail', 'attach', 'report'] }],
    FenceFailed: [
      otherReign,
      when('outvoted', { to: 'fenced', do: ['noteProblem', 'shutDownNow', 'report'] }),
      // A vote whose answer got lost cannot be cast twice, so the next attempt is a new term.
      { to: 'electing', do: ['noteFailure', 'report'] },
    ],
    TimerFired: [reportOnly, notDue],
  },
  attaching: {
    ...starting,
    Attached: [otherReign, { to: 'recovering', do: ['startPostgres', 'report'] }],
    AttachFailed: [
      otherReign,
      when('isFinal', { to: 'failed', do: ['noteProblem', 'shutDownNow', 'report'] }),
      // Something may have been appended already, and a term's log is written once: the next attempt is a new term.
      { to: 'electing', do: ['noteFailure', 'report'] },
    ],
    AppendRejected: rejected,
    TimerFired: [reportOnly, notDue],
  },
  recovering: {
    ...starting,
    PostgresReady: [otherReign, { to: 'serving.active', do: ['noteReady', 'report'] }],
    PostgresExited: crashed,
    AppendRejected: rejected,
    LeaseLapsed: lapsed,
    LeaseRenewed: renewed,
    TimerFired: [reportOnly, notDue],
  },
  'serving.active': {
    ...serving,
    ClientsActive: ignored('clients are known to be active'),
    ClientsIdle: [otherReign, { to: 'serving.idle', do: ['report'] }],
  },
  'serving.idle': {
    ...serving,
    ClientsActive: [otherReign, { to: 'serving.active', do: ['report'] }],
    ClientsIdle: ignored('clients are known to be idle'),
  },
  following: follower,
  promoting: follower,
  suspending: {
    ...starting,
    Start: [when('launchIsOld', { do: ['report'] }), { do: ['rememberLaunch', 'report'] }],
    Stop: [when('stopIsOld', ignored('this order meant a former launch')), { do: ['forgetWaitingLaunch'] }],
    ...each(results, stopping),
    // The last seal may be refused; there is nothing left to stop that is not being stopped.
    AppendRejected: [otherReign, { to: 'fenced', do: ['noteProblem', 'shutDownNow', 'report'] }],
    Stopped: [otherReign, startWaiting, { to: 'stopped', do: ['noteStopped', 'report'] }],
    TimerFired: [when('shutdownDue', { do: ['shutDownNow'] }), reportOnly, notDue],
  },
  fenced: ended,
  failed: ended,
}
