/**
 * Names and numbers of the domain, branded so that a position is never passed for a term. Plain strings and numbers
 * underneath (below 2^53), because they cross the wire and the hot paths. No behaviour may live here.
 */
import * as Schema from 'effect/Schema'

const name = /^[a-z0-9][a-z0-9-]{0,62}$/
const Name = Schema.String.check(Schema.isPattern(name))
const Count = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))

export const ProjectId = Name.pipe(Schema.brand('ProjectId'))
export type ProjectId = typeof ProjectId.Type
export const TimelineId = Name.pipe(Schema.brand('TimelineId'))
export type TimelineId = typeof TimelineId.Type
export const ZoneId = Name.pipe(Schema.brand('ZoneId'))
export type ZoneId = typeof ZoneId.Type
export const EndpointId = Name.pipe(Schema.brand('EndpointId'))
export type EndpointId = typeof EndpointId.Type
export const ComputeId = Name.pipe(Schema.brand('ComputeId'))
export type ComputeId = typeof ComputeId.Type

/** Number of a compute's reign over a timeline; unique, only grows; 0 means no reign yet. */
export const Term = Count.pipe(Schema.brand('Term'))
export type Term = typeof Term.Type
/** Byte offset in a timeline's log. Not a Postgres LSN. */
export const Position = Count.pipe(Schema.brand('Position'))
export type Position = typeof Position.Type

/** 2^32: where a u64 on the wire is split into two u32, since numbers here stay below 2^53. */
export const TWO_32 = 0x1_0000_0000
