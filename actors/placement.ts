/**
 * Where a compute runs. Caches are warm where it ran last, so that zone is preferred; otherwise the lowest-numbered zone,
 * so that every host of an endpoint decides alike. Load is not considered: a compute is small beside its zone.
 */
import type { ZoneId } from '../events/identifiers.ts'

/** Orders `zone-2` before `zone-10`. */
export function compareZones(left: string, right: string): number {
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0)
}

/** A zone of `up`; one that is to be avoided only if there is no other. Undefined if none is up. */
export function chooseZone(up: ReadonlyArray<ZoneId>, prefer: string, avoid: string): ZoneId | undefined {
  const candidates = up.filter((zone) => zone !== avoid)
  const choices = candidates.length > 0 ? candidates : up
  return choices.find((zone) => zone === prefer) ?? [...choices].sort(compareZones)[0]
}
