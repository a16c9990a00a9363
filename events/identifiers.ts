/**
 * Names and numbers of the domain, branded so that a position is never passed for an LSN or a term. Plain strings and
 * numbers underneath (below 2^53), because they cross the wire and the hot paths. No behaviour but parsing, formatting
 * and comparison may live here.
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
/** Postgres's own WAL address. */
export const Lsn = Count.pipe(Schema.brand('Lsn'))
export type Lsn = typeof Lsn.Type

/** 2^32: where a u64 on the wire is split into two u32, since numbers here stay below 2^53. */
export const TWO_32 = 0x1_0000_0000

/** Postgres's notation: two hexadecimal halves, as in `0/16B3748`. */
export function formatLsn(lsn: number): string {
  return `${Math.floor(lsn / TWO_32)
    .toString(16)
    .toUpperCase()}/${(lsn % TWO_32).toString(16).toUpperCase()}`
}

/** The LSN that `text` writes, or undefined if it is not one. */
export function parseLsn(text: string): Lsn | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (!match) return undefined
  return Lsn.make(Number.parseInt(match[1]!, 16) * TWO_32 + Number.parseInt(match[2]!, 16))
}

const WAL_SEGMENT_BYTES = 16 * 1024 * 1024

/** The LSN of the first byte of a WAL file (access/xlog_internal.h, XLogFromFileName), or undefined for other names. */
export function lsnOfWalFile(name: string): Lsn | undefined {
  if (!/^[0-9A-F]{24}$/.test(name)) return undefined
  const high = Number.parseInt(name.slice(8, 16), 16)
  const low = Number.parseInt(name.slice(16, 24), 16)
  return Lsn.make(high * TWO_32 + low * WAL_SEGMENT_BYTES)
}
