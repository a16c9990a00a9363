/**
 * How a zone's process ends that is told to: first its computes, while its safekeeper still answers, then the rest, in the order
 * in which runtime/zone/main.ts gives back what it has acquired. Who loses patience with it, and when, is not known here.
 */
import type { SafekeeperService } from '../../runtime/safekeeper/safekeeper.ts'
import { sleep, type Timers } from '../../runtime/system/timers.ts'
import type { ZoneHost } from '../../runtime/zone/zone-host.ts'

/** As ORDERS_FOLLOW_MS in zone-link.ts: so long a zone waits for its supervisor's orders after a SIGTERM. */
const EXITS_AFTER_MS = 1_000
/** As in supervisor.ts: what computes may take, and what the process may take after them, before it is killed. */
export const STOP_WITHIN_MS = 30_000 + 5_000

export interface Stopping {
  readonly host: Pick<ZoneHost, 'quiesce' | 'close'>
  readonly safekeeper: Pick<SafekeeperService, 'stop'>
  readonly timers: Timers
}

/** Resolves when the process may exit. */
export async function stopInOrder({ host, safekeeper, timers }: Stopping): Promise<void> {
  await host.quiesce()
  await sleep(timers, EXITS_AFTER_MS)
  await host.close()
  safekeeper.stop()
}
