/**
 * What an endpoint decides: where its compute runs, and when to give up on it. A decision is a numbered launch in the
 * journal; the order to start it may be repeated at will, because the compute knows the number. Whether a compute is alive
 * is known only from its reports and its zone's; being wrong costs a needless failover and nothing else, since the
 * successor's term fences the predecessor.
 */
import type { ComputeEvent } from '../../events/compute.ts'
import type { EndpointEvent, EndpointFact } from '../../events/endpoint.ts'
import type { ComputeId, EndpointId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { backoffMs } from '../backoff.ts'
import {
  type BaseContext,
  type Change,
  type RecordEffect,
  type SendEffect,
  withoutTimer,
  withTimer,
} from '../definition.ts'
import { chooseZone } from '../placement.ts'

/** Half a report interval beyond one: one lost report is noticed, a late one is not. */
export const SILENCE_MS = 1_500
/** So often the order is repeated to a silent compute before it counts as lost. */
export const DOUBTS_MAX = 3
/** A compute is named after its endpoint and its zone, and names are limited to 63 characters. */
export const ENDPOINT_NAME_LENGTH_MAX = 40

export interface Placement {
  readonly compute: ComputeId
  readonly zone: ZoneId
  readonly launch: number
}

export interface EndpointMemory {
  readonly endpoint: EndpointId | ''
  readonly timeline: TimelineId | ''
  /** Where the compute was placed; null if none shall run, or none could be placed yet. */
  readonly primary: Placement | null
  readonly launch: number
  readonly lastZone: ZoneId | ''
  /** Computes lost since one last served. */
  readonly lostInARow: number
  readonly term: number
  readonly problem: string
}

export interface EndpointContext extends BaseContext {
  readonly remembered: EndpointMemory
  readonly zonesUp: ReadonlyArray<ZoneId>
  /** Unanswered repetitions of the order to start. */
  readonly doubts: number
}

export type EndpointEffect =
  | RecordEffect<EndpointFact>
  /** Have `zone` host the compute and say Start to it. May get lost; repeated while the compute is silent. */
  | (Placement & { readonly type: 'startCompute'; readonly endpoint: EndpointId; readonly timeline: TimelineId })
  | SendEffect<ComputeEvent>

type Of<Type extends EndpointEvent['type']> = Extract<EndpointEvent, { readonly type: Type }>
type EndpointChange = Change<EndpointContext, EndpointEffect>

const due = ({ timers }: EndpointContext, event: Of<'TimerFired'>, name: string) =>
  event.name === name && timers[name] !== undefined && event.at >= timers[name]

export const guards = {
  isCreated: ({ remembered }: EndpointContext) => remembered.endpoint !== '',
  isUnknown: ({ remembered }: EndpointContext) => remembered.endpoint === '',
  nameTooLong: (_: EndpointContext, event: Of<'Create'>) => event.endpoint.length > ENDPOINT_NAME_LENGTH_MAX,
  noZoneUp: ({ zonesUp }: EndpointContext) => zonesUp.length === 0,
  isUnplaced: ({ remembered }: EndpointContext) => remembered.primary === null,
  isPrimaryZone: ({ remembered }: EndpointContext, event: Of<'ZoneDown'>) => remembered.primary?.zone === event.zone,
  isOtherGone: ({ remembered }: EndpointContext, event: Of<'ComputeReport'>) =>
    !isPrimary(remembered, event) && event.state === 'stopped',
  isOther: ({ remembered }: EndpointContext, event: Of<'ComputeReport'>) => !isPrimary(remembered, event),
  isNewer: ({ remembered }: EndpointContext, event: Of<'ComputeReport'>) => event.launch > remembered.launch,
  reportsServing: (_: EndpointContext, event: Of<'ComputeReport'>) =>
    event.state.startsWith('serving') && event.problem === '',
  reportsEnd: (_: EndpointContext, event: Of<'ComputeReport'>) =>
    event.state === 'stopped' || event.state === 'fenced' || event.state === 'failed',
  silentTooLong: (context: EndpointContext, event: Of<'TimerFired'>) =>
    due(context, event, 'silence') && context.doubts >= DOUBTS_MAX,
  silent: (context: EndpointContext, event: Of<'TimerFired'>) => due(context, event, 'silence'),
  placementDue: (context: EndpointContext, event: Of<'TimerFired'>) => due(context, event, 'place'),
}

function isPrimary(remembered: EndpointMemory, report: Of<'ComputeReport'>): boolean {
  return remembered.primary?.compute === report.compute && remembered.primary.launch === report.launch
}

const record = (...facts: ReadonlyArray<EndpointFact>): EndpointChange => ({
  effects: facts.map((event) => ({ type: 'record', event })),
})

/** The next launch as a fact, or nothing if no zone is up. */
function placement(context: EndpointContext, at: number, avoid: string): ReadonlyArray<EndpointFact> {
  const { endpoint, lastZone, launch } = context.remembered
  const zone = chooseZone(context.zonesUp, lastZone, avoid)
  if (zone === undefined) return []
  return [{ type: 'ComputePlaced', at, compute: `${endpoint}-${zone}` as ComputeId, launch: launch + 1, zone }]
}

/** The loss and, if it is the first in a row, a new placement with it; later ones wait, so that failures do not spin. */
function loss(context: EndpointContext, at: number, problem: string): EndpointChange {
  const { primary, lostInARow } = context.remembered
  if (!primary) return {}
  const lost: EndpointFact = { type: 'ComputeLost', at, compute: primary.compute, launch: primary.launch, problem }
  return record(lost, ...(lostInARow === 0 ? placement(context, at, primary.zone) : []))
}

const remember = (context: EndpointContext, news: Partial<EndpointMemory>): EndpointContext => ({
  ...context,
  remembered: { ...context.remembered, ...news },
})

const listen = (context: EndpointContext, at: number): EndpointContext => ({
  ...context,
  timers: withTimer(withoutTimer(context.timers, 'place'), 'silence', at + SILENCE_MS),
})

const startOrder = ({ remembered }: EndpointContext): ReadonlyArray<EndpointEffect> => {
  const { primary, endpoint, timeline } = remembered
  return primary && endpoint && timeline ? [{ type: 'startCompute', ...primary, endpoint, timeline }] : []
}

const stopOrder = (placed: Pick<Placement, 'compute' | 'launch'> | null, at: number): ReadonlyArray<EndpointEffect> =>
  placed ? [{ type: 'send', to: `compute.${placed.compute}`, event: { type: 'Stop', at, launch: placed.launch } }] : []

export const actions = {
  create: (_: EndpointContext, event: Of<'Create'>) => record({ ...event, type: 'EndpointCreated' }),
  place: (context: EndpointContext, event: EndpointEvent) => record(...placement(context, event.at, '')),
  enable: (context: EndpointContext, event: Of<'Enable'>) =>
    record({ type: 'EndpointEnabled', at: event.at }, ...placement(context, event.at, '')),
  suspend: (_: EndpointContext, event: Of<'Suspend'>) => record({ type: 'EndpointSuspended', at: event.at }),
  disable: (_: EndpointContext, event: Of<'Disable'>) => record({ type: 'EndpointDisabled', at: event.at }),

  recordServed: (_: EndpointContext, event: Of<'ComputeReport'>) => {
    const { at, compute, launch, term } = event
    return record({ type: 'ComputeServed', at, compute, launch, term })
  },
  recordImpaired: (_: EndpointContext, event: Of<'ComputeReport'>) => {
    const { at, compute, launch } = event
    return record({ type: 'ComputeImpaired', at, compute, launch, problem: event.problem || `it is ${event.state}` })
  },
  recordEnd: (context: EndpointContext, event: Of<'ComputeReport'>) =>
    loss(context, event.at, event.problem || `the compute is ${event.state}`),
  recordZoneLoss: (context: EndpointContext, event: Of<'ZoneDown'>) => loss(context, event.at, `${event.zone} is down`),
  recordSilence: (context: EndpointContext, event: Of<'TimerFired'>) =>
    loss(context, event.at, 'the compute does not report'),

  hear: (context: EndpointContext, event: EndpointEvent): EndpointChange => ({
    context: { ...listen(context, event.at), doubts: 0 },
  }),
  doubt: (context: EndpointContext, event: EndpointEvent): EndpointChange => ({
    context: { ...listen(context, event.at), doubts: context.doubts + 1 },
    effects: startOrder(context),
  }),
  stopStray: (_: EndpointContext, event: Of<'ComputeReport'>): EndpointChange => ({
    effects: stopOrder(event, event.at),
  }),
  noteZones: (context: EndpointContext, event: Of<'Resumed'>): EndpointChange => ({
    context: { ...context, zonesUp: event.zonesUp, doubts: 0 },
  }),
  noteZoneUp: (context: EndpointContext, event: Of<'ZoneUp'>): EndpointChange => ({
    context: { ...context, zonesUp: [...context.zonesUp.filter((zone) => zone !== event.zone), event.zone] },
  }),
  noteZoneDown: (context: EndpointContext, event: Of<'ZoneDown'>): EndpointChange => ({
    context: { ...context, zonesUp: context.zonesUp.filter((zone) => zone !== event.zone) },
  }),
  /** No zone was up: look again, in case the news of one gets lost. */
  waitForZone: (context: EndpointContext, event: EndpointEvent): EndpointChange => {
    const at = event.at + backoffMs(context.remembered.lostInARow + 1)
    return { context: { ...context, timers: withTimer(withoutTimer(context.timers, 'silence'), 'place', at) } }
  },

  rememberCreation: (context: EndpointContext, event: Of<'EndpointCreated'>): EndpointChange => ({
    context: remember(context, { endpoint: event.endpoint, timeline: event.timeline }),
  }),
  /** Also starts it: the order follows the durable decision, never precedes it. */
  rememberPlacement: (context: EndpointContext, event: Of<'ComputePlaced'>): EndpointChange => {
    const { compute, zone, launch } = event
    const news = { primary: { compute, zone, launch }, launch, lastZone: zone }
    const placed = { ...remember(listen(context, event.at), news), doubts: 0 }
    return { context: placed, effects: startOrder(placed) }
  },
  rememberServing: (context: EndpointContext, event: Of<'ComputeServed'>): EndpointChange => ({
    context: remember(listen(context, event.at), { term: event.term, lostInARow: 0, problem: '' }),
  }),
  rememberProblem: (context: EndpointContext, event: Of<'ComputeImpaired'>): EndpointChange => ({
    context: remember(listen(context, event.at), { problem: event.problem }),
  }),
  rememberLoss: (context: EndpointContext, event: Of<'ComputeLost'>): EndpointChange => {
    const lostInARow = context.remembered.lostInARow + 1
    const timers = withTimer(withoutTimer(context.timers, 'silence'), 'place', event.at + backoffMs(lostInARow))
    const lost = remember({ ...context, timers }, { primary: null, lostInARow, problem: event.problem })
    return { context: lost, effects: stopOrder(event, event.at) }
  },
  rememberRest: (context: EndpointContext, event: EndpointEvent): EndpointChange => ({
    context: remember({ ...context, timers: {} }, { primary: null, lostInARow: 0, problem: '' }),
    effects: stopOrder(context.remembered.primary, event.at),
  }),
}
