/**
 * How an endpoint's decision reaches the zone it chose: "host this compute, and start it". May get lost, and is repeated by
 * the endpoint for as long as the compute does not report.
 */
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import { decode, encode } from '../../events/codec.ts'
import { Cause, Count } from '../../events/envelope.ts'
import { ComputeId, EndpointId, TimelineId, ZoneId } from '../../events/identifiers.ts'

export const ComputePlacement = Schema.Struct({
  compute: ComputeId,
  endpoint: EndpointId,
  timeline: TimelineId,
  zone: ZoneId,
  launch: Count,
  /** The endpoint's event that led to it. */
  cause: Schema.optional(Cause),
})
export type ComputePlacement = typeof ComputePlacement.Type

export function placementSubject(project: string, zone: string): string {
  return `loch.${project}.zone.${zone}.place`
}

export function encodePlacement({ compute, endpoint, timeline, zone, launch, cause }: ComputePlacement): Uint8Array {
  const placement = { compute, endpoint, timeline, zone, launch }
  return encode(cause === undefined ? placement : { ...placement, cause })
}

/** Undefined for what is not a placement: there is nobody to complain to. */
export function parsePlacement(data: Uint8Array): ComputePlacement | undefined {
  try {
    const parsed = Schema.decodeUnknownResult(ComputePlacement)(decode(data))
    return Result.isSuccess(parsed) ? parsed.success : undefined
  } catch {
    return undefined
  }
}
