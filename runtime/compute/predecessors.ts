/**
 * Who served this timeline before, and may still answer reads: a predecessor that is cut off does not know of its successor,
 * and must not be contradicted by it. None is left once every zone has said so (deposition.ts), or once no predecessor can
 * hold its serving lease any more. How long that takes, the votes say. Commits are not this file's business: terms fence those.
 */
import { majorityOf } from '../../actors/quorum.ts'
import { TimelineId } from '../../events/identifiers.ts'
import type { VoteResponse } from '../../events/safekeeper-wire.ts'
import { run } from '../system/run.ts'
import { sleep } from '../system/timers.ts'
import { depositionSubject, encodeDeposition } from './deposition.ts'
import type { Reign } from './reign.ts'
import type { ReignPorts } from './reign-ports.ts'
import { LEASE_ASK_INTERVAL_MS, LEASE_DURATION_MS } from './serving-lease.ts'

/** For the end of sessions after a lapse was noticed, and for clocks of which one is slow. */
const MARGIN_MS = 500
/** Since it was heard last; a lapse is noticed when it is looked for. */
export const LEASE_MS_MAX = LEASE_DURATION_MS + LEASE_ASK_INTERVAL_MS + MARGIN_MS
const ANSWER_WITHIN_MS = 1_000
const AGAIN_AFTER_MS = 200

/**
 * From when on no predecessor holds a lease, on the clock by which the votes were in at `votedAtMs`. A lease needs a majority
 * of the zones. Those that promised nothing may be heard by a predecessor for ever; the others no longer than since their vote.
 */
export function leasesEndAtMs(votes: ReadonlyArray<Pick<VoteResponse, 'silentMs'>>, zones: number, votedAtMs: number) {
  const needed = majorityOf(zones) - (zones - votes.length)
  const silences = votes.map(({ silentMs }) => silentMs).sort((left, right) => left - right)
  const silentMs = needed < 1 ? 0 : (silences[needed - 1] ?? 0)
  return votedAtMs - silentMs + LEASE_MS_MAX
}

export class Predecessors {
  readonly #ports: ReignPorts
  readonly #endAtMs: number
  readonly #message: Uint8Array
  readonly #silent: Set<string>
  #closed = false

  /** Asks the zones until all have answered, or `close`. */
  constructor(ports: ReignPorts, { grant, predecessorsEndAtMs }: Pick<Reign, 'grant' | 'predecessorsEndAtMs'>) {
    this.#ports = ports
    this.#endAtMs = predecessorsEndAtMs
    const { cause } = ports
    this.#message = encodeDeposition({ timeline: TimelineId.make(ports.timeline), term: grant.term, cause })
    this.#silent = new Set(grant.term === 1 ? [] : grant.zones)
    for (const zone of this.#silent) void this.#ask(zone)
  }

  /** True once none of them can answer anybody. */
  get areGone(): boolean {
    return this.#silent.size === 0 || this.#ports.monotonicMs() >= this.#endAtMs
  }

  close(): void {
    this.#closed = true
  }

  async #ask(zone: string): Promise<void> {
    const { bus, project, timers } = this.#ports
    while (!this.#closed && !this.areGone) {
      try {
        await run(bus.request(depositionSubject(project, zone), this.#message, { timeoutMs: ANSWER_WITHIN_MS }))
        this.#silent.delete(zone)
        return
      } catch {
        // Its process is gone or cut off: it may come back, or its lease ends.
        await sleep(timers, AGAIN_AFTER_MS)
      }
    }
  }
}
