/** What a zone says of itself when it is asked: the shape is control/schemas.ts's, the values are the actors' own. */

import { formatListen } from '../control/flags.ts'
import type { ZoneReport } from '../control/schemas.ts'
import type { ZoneConfig } from '../control/zone-config.ts'
import type { Safekeepers } from '../safekeeper/host.ts'
import type { HostedCompute } from './zone-host.ts'

export async function zoneReport(
  config: ZoneConfig,
  leader: boolean,
  safekeepers: Pick<Safekeepers, 'statuses'>,
  computes: Iterable<HostedCompute>,
): Promise<ZoneReport> {
  return {
    zone: config.zone,
    pid: process.pid,
    leader,
    memoryBytes: process.memoryUsage.rss(),
    safekeepers: await safekeepers.statuses(),
    computes: [...computes].map((compute) => computeStatus(config, compute)),
  }
}

function computeStatus(config: ZoneConfig, { actor, host }: HostedCompute): ZoneReport['computes'][number] {
  const { state, context } = actor.snapshot
  const { current, grant, term, problem } = context
  const postgresPid = host.postgresPid
  return {
    id: context.id,
    endpoint: current?.endpoint ?? config.endpoint,
    timeline: current?.timeline ?? config.timeline,
    role: 'primary',
    state,
    term,
    durability: grant?.durability ?? config.durability,
    pid: process.pid,
    listen: formatListen(config.listen),
    positions: host.positions,
    ...(postgresPid === undefined ? {} : { postgresPid }),
    ...(problem === '' ? {} : { problem }),
  }
}
