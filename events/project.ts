/**
 * What a project remembers: its zones, its branches and its endpoints by the names that users gave them. Everything
 * else about a branch or an endpoint stands in the journal of its own actor; here is only the list.
 */
import * as Schema from 'effect/Schema'
import { Count, variant } from './envelope.ts'
import { EndpointId, ProjectId, TimelineId, ZoneId } from './identifiers.ts'
import { Durability } from './timeline.ts'

export const ProjectFact = Schema.Union([
  variant('ProjectCreated', { project: ProjectId, zones: Schema.Array(ZoneId), restoreWindowMs: Count }),
  variant('BranchCreated', { branch: Schema.String, timeline: TimelineId, durability: Durability }),
  variant('BranchDeleted', { branch: Schema.String }),
  variant('EndpointCreated', { endpoint: EndpointId, branch: Schema.String, listen: Schema.String }),
  variant('EndpointDeleted', { endpoint: EndpointId }),
])
export type ProjectFact = typeof ProjectFact.Type
