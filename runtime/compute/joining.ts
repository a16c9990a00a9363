/**
 * A disk joins a timeline: before its safekeeper hears of an election, the timeline's journal names it. Only then can its word
 * count toward a majority, so a disk that finds none of its zone named when it is first opened has forgotten nothing (past.ts
 * in safekeeper/). Without this a zone that first came up late would look like one whose disk was lost, and the loss of one
 * other disk would leave a quorum's log without a majority.
 */
import { ZoneId } from '../../events/identifiers.ts'
import type { VoteResponse } from '../../events/safekeeper-wire.ts'
import type { ReignPorts } from './reign-ports.ts'
import { tellTimeline } from './tell-timeline.ts'

/** Once for each disk. Rejects with what the timeline refuses with; NoAnswer while nobody hosts it. */
export async function join(
  ports: ReignPorts,
  { disks }: { readonly disks: Map<string, string> },
  { zone, diskId }: Pick<VoteResponse, 'zone' | 'diskId'>,
): Promise<void> {
  if (disks.get(zone) === diskId) return
  await tellTimeline(ports, { type: 'RecordSafekeeper', zone: ZoneId.make(zone), diskId })
  disks.set(zone, diskId)
}
