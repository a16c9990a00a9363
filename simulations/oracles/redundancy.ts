/**
 * The oracle of the third copy: once service is back and nothing strikes any more, every safekeeper gets to hold the committed log,
 * not just as many as commits need. It looks at disks, and asks nobody.
 */
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { ArchiveIndex } from './archive-index.ts'
import type { CommittedLog } from './committed-log.ts'
import { holds, type Promises } from './promises.ts'

/** Resends, catching up from a store that answers, and a duty that moves. */
export const COPIES_MS_MAX = 30_000

export interface RedundancyPorts {
  readonly promises: Promises
  readonly log: CommittedLog
  readonly archive: ArchiveIndex
}

/** Runs until all hold what was committed when it was called; throws if that takes too long. */
export async function awaitCopies({ kernel }: Pick<SimCluster, 'kernel'>, ports: RedundancyPorts): Promise<void> {
  const last = ports.log.places.at(-1)
  if (last === undefined) return
  const lacking = () => zonesWithout(last, ports)
  await kernel.run(kernel.nowMs + COPIES_MS_MAX, () => lacking().length === 0)
  const zones = lacking()
  if (zones.length === 0) return
  throw {
    words: `redundancy: ${COPIES_MS_MAX} ms after service came back, ${zones.join(', ')} do not hold the log up to ${last.position}`,
  }
}

export function zonesWithout(
  place: { readonly position: number; readonly chain: number },
  ports: RedundancyPorts,
): string[] {
  const zones = [...ports.promises.zones]
  return zones.filter(({ log }) => !holds(log, log.look(), place, ports.archive)).map(({ zone }) => zone)
}
