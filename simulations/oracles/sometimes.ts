/**
 * What should happen in some runs: a test that never gets to a place proves nothing about it. Probes are named, each hit by a
 * line that a zone reports, by what an actor looks like, or by who looks on elsewhere. A run says which it has reached; a
 * batch can say which none of its runs has. A probe that is not reached is never a violation of a single run.
 */
import type { ActorInspection } from '../../runtime/system/ports.ts'

/** By a line that a zone reports. */
const BY_LINE = {
  'a safekeeper refused an older term': /: term \d+ has begun$/,
  'archive duty was moved': /: duty to zone-/,
  'a safekeeper fetched log from the archive': /fetched log up to \d+ from the archive/,
  'a safekeeper fetched log from a peer': /fetched log up to \d+ from zone-/,
  'a diverged tail was cut off': /cut off from \d+ to \d+ for term/,
  'a log began anew where the archive ends': /dropped its log .* for term/,
  'a torn tail was cut off at the opening of a disk': /an unfinished end of at most/,
  'a safekeeper withdrew': /safekeeper withdrawn/,
  'a failed sync was made good at the opening of a disk': /a sync had failed/,
  'a full disk was answered': /no space left/,
  'the store gave no usable answer': /gave no usable answer/,
  'the log was read past a safekeeper': /reading the log from zone-/,
  'a snapshot was not recorded': /snapshot at \d+:/,
  'a snapshot came too late for its term': /RecordSnapshot/,
  'a vote was missing': /no vote of/,
  'a volume could not be made durable': /could not be made durable/,
} as const

/** By what an actor's host shows. */
const BY_ACTOR = {
  'a writer was fenced': ({ actor, state }) => actor.startsWith('compute.') && state === 'fenced',
  'a serving lease lapsed': ({ summary }) => summary['problem'] === 'no majority of safekeepers is heard',
  'a compute gave up': ({ actor, state }) => actor.startsWith('compute.') && state === 'failed',
  'an election lacked voters': ({ summary }) => / safekeepers count, /.test(String(summary['problem'] ?? '')),
  'a safekeeper could not vouch for its disk': ({ summary }) =>
    /may have lost ack/.test(String(summary['problem'] ?? '')),
  'a term was outvoted while it was elected': ({ summary }) =>
    /has been promised|has promised itself/.test(String(summary['problem'] ?? '')),
  'a compute moved in a fast stop': ({ actor, state }) => actor.startsWith('compute.') && state === 'suspending',
} as const satisfies Record<string, (inspection: ActorInspection) => boolean>

/** By who looks on. */
const BY_OTHERS = [
  'a term changed',
  'a tail of which nobody was told was continued',
  'a term that wrote nothing was passed over',
  'an attach began from a snapshot',
  'log was sent again from the ring',
  'Postgres was restarted in place behind a guard',
  'a timeline had two hosts at once',
  'a safekeeper caught up',
  'a snapshot was recorded',
  'a journal was folded from a snapshot',
  'whose an object is was asked of the store',
  'the store was too busy',
  'the store was too busy, and said so as some services do',
  'the store took no credentials',
  'an answer of the store got lost',
  'a body broke off',
  'two creations of a name were in conflict',
  'a request reached the store after its process had died',
  'a zone that lost its disk holds the log again',
  'a crash image was recovered from a snapshot',
  'a crash image was recovered from the first byte on',
  'a slow consumer was cut off',
  'a message came late, from before a reconnect',
  'a message came twice',
  'log came damaged',
  'a disk failed to read',
  'a disk failed to write',
  'a disk lied about a sync',
  'a write had gone astray',
  'service was lost for good beyond the promise',
  'service outlived what nobody promises to survive',
] as const

export type Probe = keyof typeof BY_LINE | keyof typeof BY_ACTOR | (typeof BY_OTHERS)[number]

export const PROBES: readonly Probe[] = [
  ...(Object.keys(BY_LINE) as Probe[]),
  ...(Object.keys(BY_ACTOR) as Probe[]),
  ...BY_OTHERS,
]

export class Sometimes {
  readonly #reached = new Set<Probe>()
  /** Those that are looked for still: most are found early. */
  readonly #lines = new Map<Probe, RegExp>(Object.entries(BY_LINE) as Array<[Probe, RegExp]>)
  readonly #actors = new Map(Object.entries(BY_ACTOR) as Array<[Probe, (inspection: ActorInspection) => boolean]>)

  /** In the order of PROBES. */
  get reached(): readonly Probe[] {
    return PROBES.filter((probe) => this.#reached.has(probe))
  }

  reach(probe: Probe, isReached = true): void {
    if (isReached) this.#reached.add(probe)
  }

  reported(line: string): void {
    for (const [probe, pattern] of this.#lines) {
      if (!pattern.test(line)) continue
      this.#lines.delete(probe)
      this.reach(probe)
    }
  }

  inspected(inspection: ActorInspection): void {
    for (const [probe, matches] of this.#actors) {
      if (!matches(inspection)) continue
      this.#actors.delete(probe)
      this.reach(probe)
    }
  }
}

/** What is left of all probes. */
export function neverReached(reached: ReadonlySet<Probe>): readonly Probe[] {
  return PROBES.filter((probe) => !reached.has(probe))
}
