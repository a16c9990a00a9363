/**
 * What is said to an endpoint (the stable address that clients connect to) and what it remembers: which timeline it
 * serves, and where its compute was placed. Facts are what its journal holds.
 */
import * as Schema from 'effect/Schema'
import { ComputeReport } from './compute.ts'
import { Count, variant } from './envelope.ts'
import { ComputeId, EndpointId, ProjectId, Term, TimelineId, ZoneId } from './identifiers.ts'

const createEndpoint = { endpoint: EndpointId, project: ProjectId, timeline: TimelineId }
const placed = { compute: ComputeId, launch: Count }

export const EndpointCommand = Schema.Union([
  variant('Create', createEndpoint),
  /** A client wants in, or an operator says so: bring the compute up. */
  variant('Wake', {}),
  variant('Suspend', {}),
  variant('Restart', {}),
  variant('Disable', {}),
  variant('Enable', {}),
  ComputeReport,
  variant('ZoneUp', { zone: ZoneId }),
  variant('ZoneDown', { zone: ZoneId }),
  /** A zone has become the endpoint's host and folded its journal; `zonesUp` is what that zone sees. */
  variant('Resumed', { zonesUp: Schema.Array(ZoneId) }),
  variant('TimerFired', { name: Schema.String }),
])
export type EndpointCommand = typeof EndpointCommand.Type

export const EndpointFact = Schema.Union([
  variant('EndpointCreated', createEndpoint),
  /** A compute shall run there. `launch` numbers the placements of this endpoint from 1. */
  variant('ComputePlaced', { ...placed, zone: ZoneId }),
  variant('ComputeServed', { ...placed, term: Term }),
  /** It lives but does not serve: Postgres recovers from a crash. */
  variant('ComputeImpaired', { ...placed, problem: Schema.String }),
  variant('ComputeLost', { ...placed, problem: Schema.String }),
  variant('EndpointSuspended', {}),
  variant('EndpointDisabled', {}),
  variant('EndpointEnabled', {}),
])
export type EndpointFact = typeof EndpointFact.Type

export const EndpointEvent = Schema.Union([...EndpointCommand.members, ...EndpointFact.members])
export type EndpointEvent = typeof EndpointEvent.Type
