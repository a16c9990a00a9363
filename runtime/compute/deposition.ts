/**
 * The word of a new writer to every zone: "no compute of an older term may answer anybody any more; say so once that is
 * true". A zone whose process has died and come back says so at once, since its computes died with it.
 */
import * as Result from 'effect/Result'
import * as Schema from 'effect/Schema'
import { decode, encode } from '../../events/codec.ts'
import { Cause } from '../../events/envelope.ts'
import { Term, TimelineId } from '../../events/identifiers.ts'

export const Deposition = Schema.Struct({
  timeline: TimelineId,
  /** Of the new writer. */
  term: Term,
  /** The event for which it wants to serve. */
  cause: Schema.optional(Cause),
})
export type Deposition = typeof Deposition.Type

export function depositionSubject(project: string, zone: string): string {
  return `loch.${project}.zone.${zone}.depose`
}

export function encodeDeposition({ timeline, term, cause }: Deposition): Uint8Array {
  if (cause === undefined) return encode({ timeline, term })
  // It may be a whole envelope.
  const { id, correlationId } = cause
  return encode({ timeline, term, cause: { id, correlationId } })
}

/** Undefined for what is not one: it is not answered, and the sender waits for leases to end. */
export function parseDeposition(data: Uint8Array): Deposition | undefined {
  try {
    const parsed = Schema.decodeUnknownResult(Deposition)(decode(data))
    return Result.isSuccess(parsed) ? parsed.success : undefined
  } catch {
    return undefined
  }
}
