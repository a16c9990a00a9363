/**
 * What a timeline decides and remembers. The rule that everything else leans on is here: a term is granted once, by being
 * the next fact of a journal whose slots are written create-if-absent, and whoever comes with an older term afterwards
 * is fenced. Guards and actions only; which of them applies when is the table's business.
 */
import type { Term, TimelineId, ZoneId } from '../../events/identifiers.ts'
import type {
  Durability,
  IndexSnapshot,
  LogPlace,
  TermGrant,
  TimelineEvent,
  TimelineFact,
} from '../../events/timeline.ts'
import type { BaseContext, Change, RecordEffect, ReplyEffect } from '../definition.ts'

/** Reigns whose begin is kept: history older than the newest snapshot cannot be needed by an attach. */
export const REIGNS_KEPT_MAX = 32

export interface Reign extends LogPlace {
  readonly compute: string
}

export interface TimelineMemory {
  readonly timeline: TimelineId | ''
  readonly zones: ReadonlyArray<ZoneId>
  readonly durability: Durability
  /** Highest term granted; 0 before the first. */
  readonly term: number
  readonly compute: string
  readonly computeZone: ZoneId | ''
  /** Where the latest reigns began, oldest first; a granted term that never wrote is not among them. */
  readonly reigns: ReadonlyArray<Reign>
  readonly snapshot: IndexSnapshot | null
  /** Disk of each zone's safekeeper: another id under the same zone is a disk that remembers nothing. */
  readonly disks: Readonly<Record<string, string>>
}

export interface TimelineContext extends BaseContext {
  readonly remembered: TimelineMemory
}

export type TimelineEffect =
  | RecordEffect<TimelineFact>
  | ReplyEffect<TermGrant>
  /** Remove every object of the timeline; results in `ObjectsDeleted`. */
  | { readonly type: 'deleteObjects'; readonly timeline: string }

type Of<Type extends TimelineEvent['type']> = Extract<TimelineEvent, { readonly type: Type }>
type TimelineChange = Change<TimelineContext, TimelineEffect>

const record = (event: TimelineFact): TimelineChange => ({ effects: [{ type: 'record', event }] })

const remember = (context: TimelineContext, news: Partial<TimelineMemory>): TimelineContext => ({
  ...context,
  remembered: { ...context.remembered, ...news },
})

export const guards = {
  termIsOld: ({ remembered }: TimelineContext, event: Of<'RecordTermBegan' | 'RecordSnapshot'>) =>
    event.term < remembered.term,
  termIsUnknown: ({ remembered }: TimelineContext, event: Of<'RecordTermBegan' | 'RecordSnapshot'>) =>
    event.term > remembered.term,
  beginIsKnown: ({ remembered }: TimelineContext, event: Of<'RecordTermBegan'>) =>
    remembered.reigns.some((reign) => reign.term === event.term),
  snapshotIsOlder: ({ remembered }: TimelineContext, event: Of<'RecordSnapshot'>) =>
    remembered.snapshot !== null && event.position <= remembered.snapshot.position,
  zoneIsForeign: ({ remembered }: TimelineContext, event: Of<'RecordSafekeeper'>) =>
    !remembered.zones.includes(event.zone),
  diskIsKnown: ({ remembered }: TimelineContext, event: Of<'RecordSafekeeper'>) =>
    remembered.disks[event.zone] === event.diskId,
}

export const actions = {
  create: (_: TimelineContext, event: Of<'Create'>) => record({ ...event, type: 'TimelineCreated' }),

  grantNextTerm: ({ remembered }: TimelineContext, event: Of<'StartTerm'>) =>
    record({ ...event, type: 'TermStarted', term: (remembered.term + 1) as Term }),

  recordBegin: (_: TimelineContext, event: Of<'RecordTermBegan'>) => record({ ...event, type: 'TermBegan' }),

  recordSnapshot: (_: TimelineContext, event: Of<'RecordSnapshot'>) => record({ ...event, type: 'SnapshotRecorded' }),

  recordDisk: (_: TimelineContext, event: Of<'RecordSafekeeper'>) => record({ ...event, type: 'SafekeeperRecorded' }),

  startDeletion: (_: TimelineContext, event: Of<'Delete'>) => record({ type: 'DeletionStarted', at: event.at }),

  finishDeletion: (_: TimelineContext, event: Of<'ObjectsDeleted'>) =>
    record({ type: 'TimelineDeleted', at: event.at }),

  rememberCreation: (context: TimelineContext, event: Of<'TimelineCreated'>): TimelineChange => ({
    context: remember(context, { timeline: event.timeline, zones: event.zones, durability: event.durability }),
  }),

  rememberTerm: (context: TimelineContext, event: Of<'TermStarted'>): TimelineChange => ({
    context: remember(context, { term: event.term, compute: event.compute, computeZone: event.zone }),
  }),

  /** Follows `rememberTerm`: only a durable term is ever told to anyone. */
  replyTerm: ({ remembered }: TimelineContext, event: Of<'TermStarted'>): TimelineChange => {
    const { zones, durability, disks, snapshot } = remembered
    const granted = { type: 'TermGranted', at: event.at, term: event.term, zones, durability, disks } as const
    return { effects: [{ type: 'reply', event: snapshot ? { ...granted, snapshot } : granted }] }
  },

  rememberBegin: (context: TimelineContext, event: Of<'TermBegan'>): TimelineChange => {
    const { term, position, chain } = event
    const reign = { term, position, chain, compute: context.remembered.compute }
    return { context: remember(context, { reigns: [...context.remembered.reigns, reign].slice(-REIGNS_KEPT_MAX) }) }
  },

  rememberSnapshot: (context: TimelineContext, event: Of<'SnapshotRecorded'>): TimelineChange => {
    const { term, position, chain, key } = event
    return { context: remember(context, { snapshot: { term, position, chain, key } }) }
  },

  rememberDisk: (context: TimelineContext, event: Of<'SafekeeperRecorded'>): TimelineChange => ({
    context: remember(context, { disks: { ...context.remembered.disks, [event.zone]: event.diskId } }),
  }),

  deleteObjects: ({ remembered }: TimelineContext): TimelineChange => ({
    effects: [{ type: 'deleteObjects', timeline: remembered.timeline }],
  }),
}
