/**
 * The endpoint's transition table. Commands and reports leave the state alone and record facts; facts move it.
 */
import type { EndpointEvent } from '../../events/endpoint.ts'
import { each, ignored, refused, type Table, when } from '../table.ts'
import type { actions, guards } from './decide.ts'

export type EndpointState = 'suspended' | 'waking' | 'available' | 'degraded' | 'failingOver' | 'disabled'

const exists = refused('the endpoint exists already')
const unknown = refused('the endpoint has not been created')
const noZone = refused('no zone is up to run a compute in')
const isDisabled = refused('the endpoint is disabled: enable it first')
const onItsWay = ignored('its compute is on its way')
const notDue = ignored('this timer is not set, or not due')
const impossible = refused('no fact of this kind can stand here in a journal')
const otherGone = when('isOtherGone', ignored('a compute of a former launch is gone, as it should be'))
/** While two zones believe that they lead, one of them knows less; it must not stop what the other has placed. */
const newer = when('isNewer', ignored('another host of this endpoint has placed it: the journal is ahead of this one'))
const stray = when('isOther', { do: ['stopStray'] as const })

const zones = { ZoneUp: { do: ['noteZoneUp'] }, ZoneDown: { do: ['noteZoneDown'] } } as const
/** Nothing shall run. */
const resting = {
  ...zones,
  ComputeReport: [newer, otherGone, { do: ['stopStray'] }],
  Resumed: { do: ['noteZones'] },
  TimerFired: notDue,
  ...each(['ComputeServed', 'ComputeImpaired', 'ComputeLost'], impossible),
} as const

const lostZone = [
  when('isPrimaryZone', { do: ['noteZoneDown', 'recordZoneLoss'] as const }),
  { do: ['noteZoneDown'] },
] as const
const silence = [
  when('silentTooLong', { do: ['recordSilence'] as const }),
  when('silent', { do: ['doubt'] as const }),
] as const
const served = when('reportsServing', { do: ['recordServed'] as const })
const ended = when('reportsEnd', { do: ['recordEnd'] as const })

/** Something shall run; what differs is how far it got. */
const wanted = {
  Create: exists,
  Wake: onItsWay,
  Enable: ignored('the endpoint is enabled'),
  Suspend: { do: ['suspend'] },
  Disable: { do: ['disable'] },
  Restart: [when('noZoneUp', noZone), { do: ['place'] }],
  ComputeReport: [newer, otherGone, stray, served, ended, { do: ['hear'] }],
  ZoneUp: { do: ['noteZoneUp'] },
  ZoneDown: lostZone,
  Resumed: { do: ['noteZones', 'doubt'] },
  TimerFired: [...silence, notDue],
  EndpointCreated: impossible,
  EndpointEnabled: impossible,
  ComputePlaced: { to: 'waking', do: ['rememberPlacement'] },
  ComputeServed: { to: 'available', do: ['rememberServing'] },
  ComputeImpaired: impossible,
  ComputeLost: { to: 'failingOver', do: ['rememberLoss'] },
  EndpointSuspended: { to: 'suspended', do: ['rememberRest'] },
  EndpointDisabled: { to: 'disabled', do: ['rememberRest'] },
} as const

export const table: Table<EndpointState, EndpointEvent, typeof guards, typeof actions> = {
  disabled: {
    ...resting,
    Create: [
      when('isCreated', exists),
      when('nameTooLong', refused('the name is longer than 40 characters', 'BadArgument')),
      { do: ['create'] },
    ],
    Wake: [when('isUnknown', unknown), isDisabled],
    Restart: [when('isUnknown', unknown), isDisabled],
    Suspend: ignored('nothing runs'),
    Disable: ignored('the endpoint is disabled'),
    // Enabled without a zone it would rest suspended, with nobody left who asks for it.
    Enable: [when('isUnknown', unknown), when('noZoneUp', noZone), { do: ['enable'] }],
    EndpointCreated: { to: 'suspended', do: ['rememberCreation'] },
    EndpointEnabled: { to: 'suspended' },
    ComputePlaced: impossible,
    EndpointSuspended: impossible,
    EndpointDisabled: impossible,
  },
  suspended: {
    ...resting,
    Create: exists,
    Wake: [when('noZoneUp', noZone), { do: ['place'] }],
    Restart: refused('nothing runs that could be restarted: wake it'),
    Suspend: ignored('the endpoint is suspended'),
    Disable: { do: ['disable'] },
    Enable: [when('noZoneUp', noZone), { do: ['place'] }],
    EndpointCreated: impossible,
    EndpointEnabled: impossible,
    ComputePlaced: { to: 'waking', do: ['rememberPlacement'] },
    EndpointSuspended: impossible,
    EndpointDisabled: { to: 'disabled', do: ['rememberRest'] },
  },
  waking: wanted,
  available: {
    ...wanted,
    Wake: ignored('it serves'),
    ComputeReport: [
      newer,
      otherGone,
      stray,
      when('reportsServing', { do: ['hear'] }),
      ended,
      { do: ['hear', 'recordImpaired'] },
    ],
    ComputeServed: impossible,
    ComputeImpaired: { to: 'degraded', do: ['rememberProblem'] },
  },
  degraded: wanted,
  failingOver: {
    ...wanted,
    ZoneUp: [when('isUnplaced', { do: ['noteZoneUp', 'place'] }), { do: ['noteZoneUp'] }],
    Resumed: [when('isUnplaced', { do: ['noteZones', 'waitForZone'] }), { do: ['noteZones', 'doubt'] }],
    TimerFired: [...silence, when('placementDue', { do: ['waitForZone', 'place'] }), notDue],
    ComputePlaced: { to: 'failingOver', do: ['rememberPlacement'] },
  },
}
