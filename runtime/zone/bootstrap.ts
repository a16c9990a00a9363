/**
 * A project's first events: its zones, its first branch and the endpoint of that. Written once, create-if-absent, by
 * whichever supervisor comes first; every later start, on this host or another, reads them back and does what they say.
 * Only the list of names is made here: timelines and endpoints write journals of their own.
 */
import { randomUUID } from 'node:crypto'
import * as Effect from 'effect/Effect'
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import { type ActorEvent, type Envelope, unwrap, wrap } from '../../events/envelope.ts'
import { EndpointId, ProjectId, TimelineId, ZoneId } from '../../events/identifiers.ts'
import { ProjectFact } from '../../events/project.ts'
import type { Durability } from '../../events/timeline.ts'
import { BadArgument, Damaged, FormatTooNew, type LochError } from '../errors.ts'
import { type Journal, openJournal } from '../log/journal.ts'
import { projectJournal } from '../log/keys.ts'
import type { ObjectStoreShape } from '../object-store/object-store.ts'

export interface ProjectWishes {
  readonly project: string
  /** Undefined for whatever the project has. */
  readonly zones: number | undefined
  readonly durability: Durability | undefined
  /** HOST:PORT, noted for the endpoint when it is made. */
  readonly listen: string
}

export interface Project {
  readonly project: ProjectId
  readonly zones: readonly ZoneId[]
  /** Of the first branch. */
  readonly timeline: TimelineId
  readonly endpoint: EndpointId
  readonly durability: Durability
  /** This call made it. */
  readonly created: boolean
}

const ZONES_BY_DEFAULT = 3
const FIRST_BRANCH = 'main'
/** Seven days: long enough to notice a mistake, short enough that what was deleted does not pile up. */
const RESTORE_WINDOW_MS = 7 * 24 * 60 * 60 * 1_000

/**
 * The project, made if there is none. Errors: BadArgument if it exists and is not as wished; Damaged, FormatTooNew, and
 * those of the store.
 */
export const ensureProject = Effect.fnUntraced(function* (
  store: ObjectStoreShape,
  wishes: ProjectWishes,
): Effect.fn.Return<Project, LochError> {
  const journal = openJournal(store, projectJournal(wishes.project))
  const history = yield* journal.history()
  if (history.length > 0) return yield* asWished(yield* fold(journal, history, false), wishes)
  const written = yield* Effect.result(journal.append(1, firstEvents(wishes)))
  if (written._tag === 'Failure' && written.failure._tag !== 'Conflict') return yield* written.failure
  const isOurs = written._tag === 'Success'
  return yield* asWished(yield* fold(journal, yield* journal.history(), isOurs), wishes)
})

function firstEvents({ project, zones, durability, listen }: ProjectWishes): readonly Envelope[] {
  const names = Array.from({ length: zones ?? ZONES_BY_DEFAULT }, (_, at) => ZoneId.make(`zone-${at + 1}`))
  const at = Date.now()
  const facts: readonly ProjectFact[] = [
    { type: 'ProjectCreated', at, project: ProjectId.make(project), zones: names, restoreWindowMs: RESTORE_WINDOW_MS },
    {
      type: 'BranchCreated',
      at,
      branch: FIRST_BRANCH,
      timeline: TimelineId.make(timelineOf(project)),
      durability: durability ?? 'archived',
    },
    { type: 'EndpointCreated', at, endpoint: EndpointId.make(timelineOf(project)), branch: FIRST_BRANCH, listen },
  ]
  return facts.map((fact: ActorEvent, index) =>
    wrap(fact, { id: randomUUID(), actor: `project.${project}`, sequence: index + 1, term: 0 }),
  )
}

/** Names of timelines and endpoints are unique in a store, which several projects may share. */
function timelineOf(project: string): string {
  return project === FIRST_BRANCH ? FIRST_BRANCH : `${project}-${FIRST_BRANCH}`
}

const fold = Effect.fnUntraced(function* (
  journal: Journal,
  history: readonly Envelope[],
  created: boolean,
): Effect.fn.Return<Project, LochError> {
  const facts: ProjectFact[] = []
  for (const envelope of history) {
    const parsed = Schema.decodeUnknownResult(ProjectFact)(unwrap(envelope))
    if (Result.isFailure(parsed)) return yield* unknownFact(journal, envelope)
    facts.push(parsed.success)
  }
  const project = facts.find((fact) => fact.type === 'ProjectCreated')
  const branch = facts.find((fact) => fact.type === 'BranchCreated' && fact.branch === FIRST_BRANCH)
  const endpoint = facts.find((fact) => fact.type === 'EndpointCreated' && fact.branch === FIRST_BRANCH)
  if (project?.type !== 'ProjectCreated' || branch?.type !== 'BranchCreated' || endpoint?.type !== 'EndpointCreated') {
    return yield* incomplete(journal)
  }
  const { timeline, durability } = branch
  return { project: project.project, zones: project.zones, timeline, endpoint: endpoint.endpoint, durability, created }
})

/** A flag that contradicts what exists is refused rather than ignored: its giver relies on it. */
function asWished(project: Project, wishes: ProjectWishes): Effect.Effect<Project, BadArgument> {
  if (wishes.zones !== undefined && wishes.zones !== project.zones.length) {
    return Effect.fail(fixed('--zones', String(wishes.zones), `${project.zones.length} zones`))
  }
  if (wishes.durability !== undefined && wishes.durability !== project.durability) {
    return Effect.fail(fixed('--durability', wishes.durability, `durability ${project.durability}`))
  }
  return Effect.succeed(project)
}

function fixed(component: string, value: string, instead: string): BadArgument {
  return new BadArgument({
    component,
    value,
    problem: `the project was created with ${instead}, which a later start cannot change`,
    remedy: 'Leave the flag out, or start a new project in another --data or --object-store.',
  })
}

function unknownFact(journal: Journal, envelope: Envelope): FormatTooNew {
  return new FormatTooNew({
    component: 'project journal',
    value: `${journal.prefix}, event ${envelope.sequence} (${envelope.type})`,
    problem: 'this event is not understood',
    remedy: 'Start the version of Loch that wrote it, or a newer; nothing has been changed.',
  })
}

function incomplete(journal: Journal): Damaged {
  return new Damaged({
    component: 'project journal',
    value: journal.prefix,
    problem: 'it does not begin with a project, a branch and an endpoint',
    remedy: 'Restore the journal from a backup; nothing has been changed.',
  })
}
